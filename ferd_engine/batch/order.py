"""In which order the rasters of a batch are settled: one after the other, or several at a time on other machines."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Callable

from ..progress import Progress, ProgressSpan
from .jobs import BUSY, STOPPED, Job, JobResult, JobRunner

_POLL_SECONDS = 0.25
_INTERRUPTED = "The batch was interrupted before it came to this."

Listener = Callable[[JobResult, int, int], None]
"""Told of each result: it, how many are settled, how many there are."""

Settle = Callable[[JobRunner, list[Job], list[int], Progress], Iterator[tuple[int, JobResult]]]
"""Does the jobs of these numbers; yields each number with its result."""


def work(
    settle: Settle, runner: JobRunner, jobs: list[Job], progress: Progress, on_result: Listener | None
) -> list[JobResult]:
    """Do all jobs, then those again that another process held, until all that are left are held."""
    results: dict[int, JobResult] = {}
    left = list(range(len(jobs)))
    while left:
        held: list[tuple[int, JobResult]] = []
        for index, result in settle(runner, jobs, left, progress):
            if result.status == BUSY:
                held.append((index, result))
                continue
            results[index] = result
            if on_result is not None:
                on_result(result, len(results), len(jobs))
        if len(held) == len(left):
            # Nothing came free in this round, and a batch does not wait for another one.
            for index, result in held:
                results[index] = result
                if on_result is not None:
                    on_result(result, len(results), len(jobs))
            break
        left = sorted(index for index, _ in held)
    return [results[index] for index in range(len(jobs))]


def one_by_one(
    runner: JobRunner, jobs: list[Job], left: list[int], progress: Progress
) -> Iterator[tuple[int, JobResult]]:
    """Do jobs in their order."""
    done = len(jobs) - len(left)
    for index in left:
        if progress.cancelled():
            yield index, JobResult(jobs[index], STOPPED, _INTERRUPTED)
            continue
        result = runner.process(jobs[index], ProgressSpan(progress, done / len(jobs), (done + 1) / len(jobs)))
        done += result.status != BUSY
        yield index, result


def several_at_once(
    at_a_time: int, runner: JobRunner, jobs: list[Job], left: list[int], progress: Progress
) -> Iterator[tuple[int, JobResult]]:
    """Do jobs on so many threads, which wait for what others compute; results come as they are there."""
    wish = _Wish()

    def settled(index: int) -> JobResult:
        if wish.asked:
            return JobResult(jobs[index], STOPPED, _INTERRUPTED)
        return runner.process(jobs[index], wish)

    done = len(jobs) - len(left)
    with ThreadPoolExecutor(at_a_time, "ferd-batch") as pool:
        waiting: dict[Future[JobResult], int] = {}
        coming = iter(left)
        try:
            while True:
                # Before more is begun: the last result may have been the reason to stop.
                wish.asked = wish.asked or progress.cancelled()
                while len(waiting) < at_a_time and (index := next(coming, None)) is not None:
                    waiting[pool.submit(settled, index)] = index
                if not waiting:
                    break
                ready, _ = wait(waiting, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
                progress.update(done / len(jobs), "Rasters")
                for future in ready:
                    result = future.result()
                    done += result.status != BUSY
                    yield waiting.pop(future), result
        finally:
            # After an error or an interrupt the others stop as if they were cancelled.
            wish.asked = True


class _Wish:
    """The wish to stop, for jobs in other threads; what they report is dropped, since rasters are counted."""

    def __init__(self) -> None:
        self.asked = False

    def update(self, fraction: float, message: str) -> None:
        """Drop the report."""

    def cancelled(self) -> bool:
        """Say whether the batch was asked to stop."""
        return self.asked
