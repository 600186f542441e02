"""Threads for the numerical passes: order, errors, nesting, and limits."""

from __future__ import annotations

import threading

import pytest

from ferd_engine.errors import Cancelled
from ferd_engine.parallel import thread_count, threads


@pytest.fixture(autouse=True)
def _two_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ferd_engine.parallel.available_threads", lambda: 2)
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)


def test_results_come_in_the_order_of_the_jobs() -> None:
    with threads() as pool:
        assert pool.count == 2
        assert pool.map(lambda n: n * n, range(50)) == [n * n for n in range(50)]


def test_jobs_run_at_once() -> None:
    meeting = threading.Barrier(2, timeout=10)
    with threads() as pool:
        # Each job waits for the other: on one thread this would time out.
        pool.map(lambda _: meeting.wait(), range(2))


def test_the_first_error_is_raised_after_all_jobs_ended() -> None:
    ended = []

    def job(n: int) -> None:
        ended.append(n)
        if n in (1, 3):
            raise ValueError(f"job {n}")

    with threads() as pool, pytest.raises(ValueError, match="job 1"):
        pool.map(job, range(5))
    assert sorted(ended) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("count", [1, 2])
def test_a_check_ends_the_jobs_that_have_not_begun(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr("ferd_engine.parallel.available_threads", lambda: count)
    begun: list[int] = []

    def check() -> None:
        if len(begun) >= 3:
            raise Cancelled("asked to stop")

    with threads() as pool, pytest.raises(Cancelled):
        pool.map(begun.append, range(50), check)
    # Each thread may have asked before the other one began.
    assert 3 <= len(begun) < 3 + count


def test_a_job_starts_no_threads_of_its_own() -> None:
    def nested(_: int) -> int:
        with threads() as pool:
            return pool.count

    with threads() as pool:
        assert pool.map(nested, range(3)) == [1, 1, 1]


def test_a_pass_within_another_has_the_same_threads() -> None:
    with threads() as outer:
        with threads() as inner:
            assert inner is outer
        # The inner pass has not ended the threads.
        assert outer.map(str, range(3)) == ["0", "1", "2"]
    with threads() as another:
        assert another is not outer


@pytest.mark.parametrize(("limit", "count"), [("1", 1), ("7", 2), ("", 2), ("many", 2)])
def test_the_variables_of_the_blas_limit_the_threads(monkeypatch: pytest.MonkeyPatch, limit: str, count: int) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", limit)
    assert thread_count() == count


def test_one_thread_where_the_routines_hold_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ferd_engine.parallel.runs_unlocked", lambda: False)
    with threads() as pool:
        assert pool.count == 1
        assert pool.map(lambda n: n + 1, [1, 2]) == [2, 3]
