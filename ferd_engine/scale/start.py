"""The cluster that `--scheduler` names: one that runs, or one of this machine for the time of a run."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ..errors import MissingPackageError, RunError
from ..options import LEAST_MEMORY_BYTES, EnhanceOptions
from ..threads import available_threads
from .address import parse_scheduler
from .cluster import Cluster

SETTINGS: dict[str, Any] = {
    # The client's event loop may have to wait while a strip is placed; dask would complain of it.
    "distributed.admin.tick.limit": "1h",
    # The records of what became of each task stay short.
    "distributed.admin.log-length": 1000,
    "distributed.admin.low-level-log-length": 1000,
    # Workers do not sample their stacks a hundred times a second.
    "distributed.worker.profile.enabled": False,
    # None unsets dask's value, by which each freed buffer goes back to the system, and the next block pays for fresh
    # pages.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
}
_CONNECT_SECONDS = 20
_WORKER_SECONDS = 60


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


def task_options(options: EnhanceOptions) -> EnhanceOptions:
    """Return the options of one task out of those of the run.

    On a cluster that runs, memory and threads are those of one task, and its workers do as many at a time as they were
    started with. Workers of this machine share both: one thread for each task, and as many tasks as there are threads.
    """
    n_local = parse_scheduler(options.scheduler or "").n_local
    if not n_local:
        return replace(options, threads=options.threads or 1)
    n_tasks = n_local * threads_per_worker(n_local, options.threads)
    return replace(options, threads=1, memory=str(max(options.budget_bytes // n_tasks, LEAST_MEMORY_BYTES)))


def threads_per_worker(n_local: int, n_threads: int | None) -> int:
    """Return how many threads each of `n_local` workers of this machine has of `n_threads`, by default all CPUs."""
    return max((n_threads or available_threads()) // n_local, 1)


@contextmanager
def local_cluster(n_workers: int, n_threads: int) -> Iterator[str]:
    """Start workers on this machine, of `n_threads` threads each, and give the address of their scheduler."""
    check_packages()
    import dask
    from distributed import LocalCluster

    with (
        _same_environment(),
        dask.config.set(SETTINGS),
        # The engine keeps its own memory budget; dask's would kill workers that the file cache makes look large.
        LocalCluster(
            n_workers=n_workers,
            host="127.0.0.1",
            threads_per_worker=n_threads,
            processes=True,
            memory_limit=0,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
    ):
        yield cluster.scheduler_address


@contextmanager
def open_cluster(text: str, n_threads: int | None = None) -> Iterator[Cluster]:
    """Connect to the cluster that `--scheduler` names, or start it on this machine for the time of the run.

    n_threads : what the workers of this machine may use together, by default all CPUs.
    """
    address = parse_scheduler(text)
    if not address.n_local:
        with _connected(address.url, text, 1) as cluster:
            yield cluster
        return
    with (
        local_cluster(address.n_local, threads_per_worker(address.n_local, n_threads)) as url,
        _connected(url, text, address.n_local) as cluster,
    ):
        yield cluster


@contextmanager
def _connected(url: str, text: str, n_workers: int) -> Iterator[Cluster]:
    check_packages()
    import dask
    from distributed import Client

    # dask's TimeoutError is asyncio's in some versions, the builtin one in others.
    from distributed import TimeoutError as LateError

    try:
        with dask.config.set(SETTINGS):
            client = Client(url, timeout=_CONNECT_SECONDS, direct_to_workers=True, set_as_default=False)
    except (OSError, LateError) as error:
        raise RunError(
            f"No scheduler answers at {text}: start one (dask scheduler), or check address and firewall."
        ) from error
    with client:
        try:
            client.wait_for_workers(n_workers, timeout=_WORKER_SECONDS)
        except (TimeoutError, LateError) as error:
            raise RunError(
                f"The scheduler {text} has no worker after {_WORKER_SECONDS} seconds: start some (dask worker {text})."
            ) from error
        except OSError as error:
            raise RunError(
                f"The scheduler {text} was lost before its workers were there: look at its log, start it again and "
                "repeat the run; nothing was written."
            ) from error
        yield Cluster(client, text)
