"""Passes over strips: which calls go to the workers under which names, and in which order their results are merged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Callable
from uuid import uuid4

from ..context import RunContext
from ..progress import ProgressSpan
from . import tasks
from .cluster import Cluster

# Partial results that a worker merges before one of them goes to the client.
_FAN_IN = 8

Calls = Sequence[tuple[Any, ...]]
"""The arguments of a function, strip by strip."""


class Passes:
    """The passes of one run on a cluster."""

    def __init__(self, cluster: Cluster, context: RunContext) -> None:
        self.cluster, self._context = cluster, context
        # The same strip is looked at in several passes, and runs may share a cluster: no two calls have one name.
        self._run, self._n_passes = uuid4().hex, 0

    def each(self, function: Callable[..., Any], calls: Calls, message: str) -> Iterator[Any]:
        """Yield the results of calls in their order."""
        name = self._name(function)

        def submit(client: Any, index: int) -> Any:
            return client.submit(function, *calls[index], key=f"{name}-{index}", fifo_timeout=0)

        return self.cluster.results(submit, len(calls), self._span(), message)

    def reduced(self, function: Callable[..., Any], calls: Calls, message: str) -> Any:
        """Return the merged results of calls: by eights on the workers, these one after the other here."""
        return next(self.reduced_each(function, [calls], message), None)

    def reduced_each(self, function: Callable[..., Any], calls_of_each: Sequence[Calls], message: str) -> Iterator[Any]:
        """Yield the merged results of each raster's calls, in order; strips of many rasters are under way."""
        calls: list[tuple[Any, ...]] = []
        groups: list[tuple[int, range]] = []
        for index, part in enumerate(calls_of_each):
            first = len(calls)
            calls += part
            starts = range(first, len(calls), _FAN_IN)
            groups += [(index, range(start, min(start + _FAN_IN, len(calls)))) for start in starts]
        total: Any = None
        followers = [index for index, _ in groups[1:]] + [-1]
        for (index, _), following, found in zip(groups, followers, self._merged(function, calls, groups, message)):
            if total is None:
                total = found
            else:
                total.merge(found)
            if following != index:
                yield total
                total = None

    def _merged(
        self, function: Callable[..., Any], calls: Calls, groups: Sequence[tuple[int, range]], message: str
    ) -> Iterator[Any]:
        """Yield the merged results of each group of calls, in order."""
        name = self._name(function)

        def submit(client: Any, group: int) -> Any:
            leaves = [client.submit(function, *calls[i], key=f"{name}-{i}", fifo_timeout=0) for i in groups[group][1]]
            return client.submit(tasks.merged, leaves, key=f"{name}-merged-{group}", fifo_timeout=0)

        return self.cluster.results(submit, len(groups), self._span(), message)

    def _name(self, function: Callable[..., Any]) -> str:
        self._n_passes += 1
        return f"ferd-{self._run}-{self._n_passes}-{function.__name__}"

    def _span(self) -> ProgressSpan:
        return ProgressSpan(self._context.progress, 0.0, 1.0)
