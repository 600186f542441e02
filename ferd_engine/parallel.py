"""Python threads for the numerical passes: one matrix per thread, the BLAS held to one thread each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from threading import local
from typing import Callable, TypeVar

from .lapack import runs_unlocked
from .threads import THREAD_VARIABLES, available_threads, can_set_threads, single_threaded, thread_limit

Job = TypeVar("Job")
Result = TypeVar("Result")

_thread = local()


def thread_count() -> int:
    """Return how many threads a pass may use: what the run asked for, else the CPUs of this process.

    The BLAS's variables may say fewer. It is 1 inside a job, and where threads would only fight: routines that keep the
    interpreter lock, a BLAS whose own threads cannot be held back.
    """
    if getattr(_thread, "is_worker", False) or not (runs_unlocked() and can_set_threads()):
        return 1
    limits = [int(os.environ[name]) for name in THREAD_VARIABLES if os.environ.get(name, "").isdigit()]
    return max(min([thread_limit() or available_threads(), *limits]), 1)


class Threads:
    """Runs jobs on `count` threads; results come in the order of the jobs."""

    def __init__(self, count: int, pool: ThreadPoolExecutor | None) -> None:
        self.count = count
        self._pool = pool

    def map(
        self, function: Callable[[Job], Result], jobs: Iterable[Job], check: Callable[[], None] | None = None
    ) -> list[Result]:
        """Return the results of all jobs; the first error of a job is raised after the others have ended.

        `check` is called before each job, in its thread: what it raises for a cancel ends the jobs that have not begun.
        """
        return self.begin(function, jobs, check)()

    def begin(
        self, function: Callable[[Job], Result], jobs: Iterable[Job], check: Callable[[], None] | None = None
    ) -> Callable[[], list[Result]]:
        """Begin what `map` does, and return what waits for it and gives its results."""
        if check is not None:
            function = _checked(function, check)
        if self._pool is None:
            results = [function(job) for job in jobs]
            return lambda: results
        futures = [self._pool.submit(function, job) for job in jobs]
        return partial(_results, futures)


def _results(futures: list[Future[Result]]) -> list[Result]:
    errors = [error for error in [future.exception() for future in futures] if error is not None]
    if errors:
        raise errors[0]
    return [future.result() for future in futures]


def _checked(function: Callable[[Job], Result], check: Callable[[], None]) -> Callable[[Job], Result]:
    def checked(job: Job) -> Result:
        check()
        return function(job)

    return checked


def _mark_worker() -> None:
    _thread.is_worker = True


@contextmanager
def threads() -> Iterator[Threads]:
    """Give threads for one pass, and take them back after it; a pass within another one has the same threads.

    An outer pass around several inner ones does more than save their starts: in between, a BLAS of several threads
    would wake its own for a small matrix, and OpenBLAS lets them spin for 25 ms afterwards, on the cores of ours.
    """
    around: Threads | None = getattr(_thread, "around", None)
    if around is not None:
        yield around
        return
    count = thread_count()
    with _pool(count) as pool:
        _thread.around = Threads(count, pool)
        try:
            yield _thread.around
        finally:
            _thread.around = None


@contextmanager
def _pool(count: int) -> Iterator[ThreadPoolExecutor | None]:
    if count == 1:
        yield None
        return
    with single_threaded(), ThreadPoolExecutor(count, "ferd", _mark_worker) as pool:
        yield pool
