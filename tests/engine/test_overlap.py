"""Reading ahead and writing behind: order, errors, and GDAL's switch shared by threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from ferd_engine.errors import RunError
from ferd_engine.overlap import one_ahead, one_begun, one_behind
from ferd_engine.raster.gdal_setup import gdal, gdal_exceptions


def test_one_ahead_keeps_the_order_and_runs_elsewhere() -> None:
    threads: set[int] = set()

    def square(number: int) -> int:
        threads.add(threading.get_ident())
        return number * number

    assert list(one_ahead(square, range(5))) == [(0, 0), (1, 1), (2, 4), (3, 9), (4, 16)]
    assert threading.get_ident() not in threads


def test_one_ahead_is_one_ahead() -> None:
    begun: list[int] = []
    results = one_ahead(begun.append, range(10))
    next(results)
    time.sleep(0.05)
    assert begun == [0, 1]


def test_one_ahead_raises_where_the_result_would_come() -> None:
    def fail_at_two(number: int) -> int:
        if number == 2:
            raise RunError("Block 2 cannot be read.")
        return number

    results = one_ahead(fail_at_two, range(4))
    assert next(results) == (0, 0)
    assert next(results) == (1, 1)
    with pytest.raises(RunError, match="Block 2"):
        next(results)


def test_one_behind_writes_everything_in_order_before_it_ends() -> None:
    written: list[int] = []

    def write(number: int) -> None:
        time.sleep(0.01)
        written.append(number)

    with one_behind(write) as put:
        for number in range(6):
            put(number)
    assert written == list(range(6))


@pytest.mark.parametrize("failing", [0, 2])
def test_one_behind_raises_at_the_next_call_or_at_the_end(failing: int) -> None:
    def write(number: int) -> None:
        if number == failing:
            raise RunError("The disk is full.")

    def write_three() -> None:
        with one_behind(write) as put:
            for number in range(3):
                put(number)

    with pytest.raises(RunError, match="disk is full"):
        write_three()


def test_gdal_raises_in_one_thread_while_another_leaves() -> None:
    before = gdal.GetUseExceptions()
    entered, go = threading.Event(), threading.Event()
    caught: list[str] = []

    def open_nothing() -> None:
        with gdal_exceptions():
            entered.set()
            go.wait(5)
            try:
                gdal.Open("/there/is/no/such/file.tif")
            except RuntimeError as error:
                caught.append(str(error))

    with gdal_exceptions():
        thread = threading.Thread(target=open_nothing)
        thread.start()
        entered.wait(5)
    go.set()
    thread.join()
    assert len(caught) == 1
    assert gdal.GetUseExceptions() == before


def test_the_next_is_begun_before_one_is_waited_for() -> None:
    events: list[str] = []

    def begun() -> Iterator[tuple[int, Callable[[], int]]]:
        for item in (1, 2, 3):
            events.append(f"begin {item}")

            def wait(item: int = item) -> int:
                events.append(f"wait {item}")
                return 10 * item

            yield item, wait

    assert list(one_begun(begun())) == [(1, 10), (2, 20), (3, 30)]
    assert events == ["begin 1", "begin 2", "wait 1", "begin 3", "wait 2", "wait 3"]
    assert list(one_begun([])) == []
