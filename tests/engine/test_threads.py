"""The number of threads: of the BLAS, and of the engine while a run lasts."""

from __future__ import annotations

import threading

import pytest

from ferd_engine import threads
from ferd_engine.parallel import thread_count


def test_a_run_may_limit_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in threads.THREAD_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("ferd_engine.parallel.available_threads", lambda: 4)
    before = thread_count()
    with threads.limited_threads(1):
        assert thread_count() == 1
        with threads.limited_threads(None):
            assert thread_count() == 1
    with pytest.raises(KeyError), threads.limited_threads(3):
        raise KeyError(thread_count())
    assert thread_count() == before


@pytest.mark.skipif(not threads.can_set_threads(), reason="this BLAS has no thread control that is known here")
def test_thread_count_is_given_back() -> None:
    control = threads._thread_control()
    assert control is not None
    getter, setter = control
    before = getter()
    try:
        setter(2)
        with threads.single_threaded():
            assert getter() == 1
            with threads.single_threaded():
                assert getter() == 1
            assert getter() == 1
        assert getter() == 2
        with pytest.raises(KeyError), threads.single_threaded():
            raise KeyError
        assert getter() == 2
    finally:
        setter(before)


@pytest.mark.skipif(not threads.can_set_threads(), reason="this BLAS has no thread control that is known here")
def test_overlapping_users_share_the_single_thread() -> None:
    control = threads._thread_control()
    assert control is not None
    getter, before = control[0], control[0]()
    inside, leave = threading.Event(), threading.Event()

    def user() -> None:
        with threads.single_threaded():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=user)
    thread.start()
    assert inside.wait(10)
    with threads.single_threaded():
        pass
    assert getter() == 1
    leave.set()
    thread.join()
    assert getter() == before
