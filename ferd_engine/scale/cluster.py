"""A dask.distributed cluster: its start, results in order with few tasks under way, its failures in one sentence."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Callable

from ..errors import FerdError, MissingPackageError, RunError
from ..progress import ProgressSpan
from .address import parse_scheduler

# Windows that are handed out per thread of a worker: one is computed, the others wait so that no worker does.
_PER_THREAD = 4
_POLL_SECONDS = 0.25
_CONNECT_SECONDS = 20
_WORKER_SECONDS = 60


class Cluster:
    """Workers behind one scheduler. Results go straight from worker to client, not through the scheduler."""

    def __init__(self, client: Any, address: str) -> None:
        self._client = client
        self._address = address

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
                    value = self._wait(under_way[0], progress, index / count, message)
                    under_way.popleft().release()
                yield value
            progress.step(1.0, message)
        finally:
            if under_way:
                with suppress(Exception):
                    self._client.cancel(list(under_way), force=True)

    def _most_under_way(self) -> int:
        n_threads: int = sum(self._client.nthreads().values())
        return _PER_THREAD * max(n_threads, 1)

    def _wait(self, future: Any, progress: ProgressSpan, fraction: float, message: str) -> Any:
        from distributed import wait

        while not future.done():
            progress.step(fraction, message)
            # Its TimeoutError is asyncio's in some versions, the builtin one in others.
            with suppress(Exception):
                wait([future], timeout=_POLL_SECONDS)
            if self._client.status == "closed":
                break
        progress.step(fraction, message)
        if future.status in ("cancelled", "lost") or self._client.status == "closed":
            raise self._lost()
        return future.result(timeout=_WORKER_SECONDS)

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
                "Several workers died one after the other on the same window: give them more memory, or a smaller "
                "--memory, and look at their logs."
            ) from error
        except (CommClosedError, TimeoutError) as error:
            raise self._lost() from error
        except Exception as error:
            # The border to another program's errors, of which there are many: the cause is kept.
            if type(error).__name__ in ("CancelledError", "FutureCancelledError", "TimeoutError"):
                raise self._lost() from error
            what = " ".join(str(error).split())[:300]
            raise RunError(f"A worker failed ({type(error).__name__}: {what}): look at its log.") from error


def check_packages() -> None:
    """Raise MissingPackageError, with the command that helps, where dask.distributed is not installed."""
    if importlib.util.find_spec("distributed") is None:
        raise MissingPackageError(
            "The option --scheduler needs the package distributed, which is not installed: add it with: python -m pip "
            'install "distributed>=2022.11"'
        )


@contextmanager
def _same_environment() -> Iterator[None]:
    """Undo what a local cluster does to this process's environment: its nannies set OMP_NUM_THREADS=1 and others.

    Without it every later run in this process would have one thread.
    """
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def open_cluster(text: str) -> Iterator[Cluster]:
    """Connect to the cluster that `--scheduler` names, or start it on this machine for the time of the run."""
    address = parse_scheduler(text)
    check_packages()
    import dask
    from distributed import Client, LocalCluster

    with ExitStack() as stack:
        stack.enter_context(_same_environment())
        stack.enter_context(dask.config.set({"distributed.admin.tick.limit": "1h"}))
        target: Any = address.url
        if address.n_local:
            # The engine keeps its own memory budget; dask's would kill workers that the file cache makes look large.
            target = stack.enter_context(
                LocalCluster(
                    n_workers=address.n_local,
                    host="127.0.0.1",
                    threads_per_worker=1,
                    processes=True,
                    memory_limit=0,
                    dashboard_address="127.0.0.1:0",
                    silence_logs=logging.CRITICAL,
                )
            )
        try:
            client = stack.enter_context(
                Client(target, timeout=_CONNECT_SECONDS, direct_to_workers=True, set_as_default=False)
            )
        except (OSError, TimeoutError) as error:
            raise RunError(
                f"No scheduler answers at {text}: start one (dask scheduler), or check address and firewall."
            ) from error
        try:
            client.wait_for_workers(address.n_local or 1, timeout=_WORKER_SECONDS)
        except Exception as error:
            raise RunError(
                f"The scheduler {text} has no worker after {_WORKER_SECONDS} seconds: start some (dask worker {text})."
            ) from error
        yield Cluster(client, text)
