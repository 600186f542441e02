"""Workers in processes of their own, as users have them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Callable

import pytest


def local_cluster(n_workers: int = 2) -> Any:
    """Return a cluster of workers of one thread each; without the extra scale the test is skipped."""
    distributed = pytest.importorskip("distributed", reason="the extra scale is not installed")
    return distributed.LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        silence_logs=50,
    )


class Once:
    """A run's progress that does something once so much of it is done."""

    def __init__(self, fraction: float, action: Callable[[], object]) -> None:
        self._fraction, self._action, self.done = fraction, action, False

    def update(self, fraction: float, message: str) -> None:
        if fraction >= self._fraction and not self.done:
            self.done = True
            self._action()

    def cancelled(self) -> bool:
        return False


@pytest.fixture(scope="module", autouse=True)
def _environment() -> Iterator[None]:
    # The clusters that tests start would leave OMP_NUM_THREADS=1 to all later tests.
    before = dict(os.environ)
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(scope="module")
def workers(_environment: None) -> Iterator[Any]:
    """Return a cluster for all tests of a file."""
    with local_cluster() as cluster:
        yield cluster
