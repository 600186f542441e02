"""A dask.distributed cluster: results in order with few tasks under way, its failures in one sentence."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice, takewhile
from math import inf
from typing import Any, Callable

from ..errors import FerdError, RunError
from ..progress import ProgressSpan

# Results under way per thread of a worker: one is computed, the others wait so that the thread never does.
_PER_THREAD = 4
_POLL_SECONDS = 0.25
_RESULT_SECONDS = 15
_THREADS_SECONDS = 1.0
# Results that are fetched at once: they stay in memory here until the caller has taken each.
_AT_ONCE = 16

Graph = dict[str, Any]
"""Tasks by their keys, as dask has them: a tuple of a function and its arguments, keys of other tasks among them."""


class Cluster:
    """Workers behind one scheduler. Results go straight from worker to client, not through the scheduler."""

    def __init__(self, client: Any, address: str) -> None:
        self._client = client
        self._address = address
        self._threads, self._threads_until = 1, -inf

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
        """Return what one call gives; `poll` is called while it waits. Several threads may call this at once."""
        with self._sentences():
            if self._client.status != "running":
                raise self._lost()
            future = self._client.submit(function, *arguments, key=key, pure=False, fifo_timeout=0)
            self._await(future, poll)
            return self._gathered([future], poll)[0]

    def results(
        self, graph_of: Callable[[int], tuple[Graph, str]], count: int, progress: ProgressSpan, message: str
    ) -> Iterator[Any]:
        """Yield the results 0 to count in order; `graph_of(index)` returns the tasks of one, and which of them it is.

        Only a few times as many results as there are threads are known to the scheduler at any time, so that its
        memory does not grow with `count`. A slow worker holds up the others only when all of these are done.
        """
        under_way: deque[Any] = deque()
        submitted = index = 0
        try:
            while index < count:
                with self._sentences():
                    submitted = self._fill(under_way, graph_of, submitted, count)
                    values = self._first_done(under_way, partial(progress.step, index / count, message))
                    # The workers must not run out of work while the caller looks at these.
                    submitted = self._fill(under_way, graph_of, submitted, count)
                for value in values:
                    progress.step(index / count, message)
                    index += 1
                    yield value
            progress.step(1.0, message)
        finally:
            if under_way:
                # The cluster may be gone; the error that led here, or the user's cancel, is the one to tell.
                with suppress(Exception):
                    self._client.cancel(list(under_way), force=True)

    def _fill(
        self, under_way: deque[Any], graph_of: Callable[[int], tuple[Graph, str]], submitted: int, count: int
    ) -> int:
        """Submit results until enough are under way, many in one message; return how many are submitted in all."""
        most = _PER_THREAD * max(self._n_threads_lately(), 1)
        if len(under_way) > most // 2 or submitted == count:
            return submitted
        graph: Graph = {}
        keys = []
        for index in range(submitted, min(submitted + most - len(under_way), count)):
            tasks, key = graph_of(index)
            graph.update(tasks)
            keys.append(key)
        # Not `submit`, which sends a message per task: of each, the scheduler keeps a record of 240 bytes as long as it
        # runs.
        under_way.extend(self._client.get(graph, keys, sync=False, fifo_timeout=0))
        return submitted + len(keys)

    def _n_threads_lately(self) -> int:
        # To ask the scheduler takes as long as a small task, so that it is not asked each time.
        now = time.monotonic()
        if now >= self._threads_until:
            self._threads, self._threads_until = self.n_threads, now + _THREADS_SECONDS
        return self._threads

    def _first_done(self, under_way: deque[Any], poll: Callable[[], None]) -> list[Any]:
        """Wait for the first result, and return it with those after it that are there too."""
        self._await(under_way[0], poll)
        done = list(islice(takewhile(lambda future: future.status == "finished", under_way), _AT_ONCE))
        values = self._gathered(done or [under_way[0]], poll)
        for _ in values:
            under_way.popleft().release()
        return values

    def _await(self, future: Any, poll: Callable[[], None]) -> None:
        # dask's TimeoutError is asyncio's in some versions, the builtin one in others.
        from distributed import TimeoutError as LateError
        from distributed import wait

        while not future.done():
            poll()
            # `wait` asks the current client: without one it fails at once, and this loop would take a core of its own.
            with self._client.as_current(), suppress(TimeoutError, LateError):
                wait([future], timeout=_POLL_SECONDS)
            if self._client.status == "closed":
                break

    def _gathered(self, futures: list[Any], poll: Callable[[], None]) -> list[Any]:
        from distributed import TimeoutError as LateError

        async def gather() -> Any:
            return await self._client.gather(futures, asynchronous=True)

        while True:
            poll()
            if self._client.status == "closed" or any(future.status in ("cancelled", "lost") for future in futures):
                raise self._lost()
            try:
                found: list[Any] = self._client.sync(gather, callback_timeout=_RESULT_SECONDS)
                return found
            except (TimeoutError, LateError):
                # The worker that has it stands still. It may go on, or the scheduler gives its work to others.
                if any(future.status == "error" for future in futures):
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
