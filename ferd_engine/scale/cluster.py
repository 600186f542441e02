"""A dask.distributed cluster: results in order with few tasks under way, its failures in one sentence."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Callable

from ..errors import FerdError, RunError
from ..progress import ProgressSpan

# Windows that are handed out per thread of a worker: one is computed, the others wait so that no worker does.
_PER_THREAD = 4
_POLL_SECONDS = 0.25
_RESULT_SECONDS = 15


class Cluster:
    """Workers behind one scheduler. Results go straight from worker to client, not through the scheduler."""

    def __init__(self, client: Any, address: str) -> None:
        self._client = client
        self._address = address

    @property
    def n_threads(self) -> int:
        """How many tasks the workers that are there now do at a time."""
        return sum(self._client.nthreads().values())

    def check_workers(self, check: Callable[..., str], *arguments: Any) -> None:
        """Run `check` on each worker that is there; the first sentence that one returns is raised."""
        with self._sentences():
            answers: dict[str, Any] = self._client.run(check, *arguments, on_error="return")
        for worker, answer in answers.items():
            if isinstance(answer, FerdError):
                raise answer
            if answer:
                what = f"{type(answer).__name__}: {answer}" if isinstance(answer, Exception) else answer
                raise RunError(f"The worker {worker} cannot take part ({what}): set it up like this machine.")

    def result(self, key: str, poll: Callable[[], None], function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what one call gives; `poll` is called while it is waited for. For use in several threads at once."""
        with self._sentences():
            if self._client.status != "running":
                raise self._lost()
            future = self._client.submit(function, *arguments, key=key, pure=False, fifo_timeout=0)
            return self._wait(future, poll)

    def results(
        self, submit: Callable[[Any, int], Any], count: int, progress: ProgressSpan, message: str
    ) -> Iterator[Any]:
        """Yield the results 0 to count in order; `submit(client, index)` returns the future of one.

        Only a few times as many futures as there are threads are known to the scheduler at any time, so that its
        memory does not grow with `count`. A slow worker holds up the others only when all of these are done.
        """
        under_way: deque[Any] = deque()
        submitted = 0
        try:
            for index in range(count):
                with self._sentences():
                    while submitted < count and len(under_way) < self._most_under_way():
                        under_way.append(submit(self._client, submitted))
                        submitted += 1
                    value = self._wait(under_way[0], partial(progress.step, index / count, message))
                    under_way.popleft().release()
                yield value
            progress.step(1.0, message)
        finally:
            if under_way:
                with suppress(Exception):
                    self._client.cancel(list(under_way), force=True)

    def _most_under_way(self) -> int:
        return _PER_THREAD * max(self.n_threads, 1)

    def _wait(self, future: Any, poll: Callable[[], None]) -> Any:
        # Its TimeoutError is asyncio's in some versions, the builtin one in others.
        from distributed import TimeoutError as LateError
        from distributed import wait

        while not future.done():
            poll()
            # `wait` asks the current client: without one it fails at once, and this loop would take a core of its own.
            with self._client.as_current(), suppress(TimeoutError, LateError):
                wait([future], timeout=_POLL_SECONDS)
            if self._client.status == "closed":
                break
        while True:
            poll()
            if future.status in ("cancelled", "lost") or self._client.status == "closed":
                raise self._lost()
            try:
                return future.result(timeout=_RESULT_SECONDS)
            except (TimeoutError, LateError):
                # The worker that has it stands still. It may go on, or the scheduler gives its work to others.
                if future.status == "error":
                    raise

    def _lost(self) -> RunError:
        return RunError(
            f"The scheduler {self._address} was lost during the run: look at its log, start it again and repeat the "
            "run; nothing was written."
        )

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        """Turn what dask raises into one sentence."""
        from distributed import KilledWorker
        from distributed.comm import CommClosedError

        try:
            yield
        except (FerdError, KeyboardInterrupt):
            raise
        except KilledWorker as error:
            raise RunError(
                "Several workers died one after the other on the same part of the work: give them more memory, or a "
                "smaller --memory, and look at their logs."
            ) from error
        except (CommClosedError, TimeoutError) as error:
            raise self._lost() from error
        except Exception as error:
            # The border to another program's errors, of which there are many: the cause is kept.
            # Without its scheduler the client fails in many ways, also in connecting anew to it or to the workers.
            cancelled = type(error).__name__ in ("CancelledError", "FutureCancelledError", "TimeoutError")
            if cancelled or self._client.status != "running":
                raise self._lost() from error
            what = " ".join(str(error).split())[:300]
            raise RunError(f"A worker failed ({type(error).__name__}: {what}): look at its log.") from error
