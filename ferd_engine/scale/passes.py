"""Passes over strips: which calls go to the workers under which names, and in which order their results are merged."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, Callable, Union
from uuid import uuid4

from ..context import RunContext
from ..progress import ProgressSpan
from ..raster import Source
from ..scan import Wanted
from . import tasks
from .cluster import Cluster, Graph
from .strips import Rows, Strips, row_step, strips
from .tasks import Job

# Partial results that a worker merges before one of them goes to the client.
_FAN_IN = 8


class Calls:
    """The arguments of a function for each strip, made when they are asked for: of a million, a few are needed."""

    def __init__(self, rows: Strips, arguments: Callable[[Rows], tuple[Any, ...]]) -> None:
        self._rows, self._arguments = rows, arguments

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        return self._arguments(self._rows[index])


AnyCalls = Union[Calls, Sequence[tuple[Any, ...]]]


def tally_calls(job: Job, source: Source, wanted: Wanted) -> Calls:
    """Return the calls of `tasks.tally_strip` that count what is wanted of a raster."""
    n_read = len(wanted.numbers) + len(wanted.suspects)
    rows = strips(source.n_rows, 4 * source.n_cols * n_read, step=row_step(source))
    return Calls(rows, lambda part: (job, wanted, part))


def _task(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    # Dask would look through the arguments for keys of other tasks.
    return (partial(function, *arguments),)


class Passes:
    """The passes of one run on a cluster."""

    def __init__(self, cluster: Cluster, context: RunContext) -> None:
        self.cluster, self._context = cluster, context
        # The same strip is looked at in several passes, and runs may share a cluster: no two calls have one name.
        self._run, self._n_passes = uuid4().hex, 0

    def each(self, function: Callable[..., Any], calls: AnyCalls, message: str) -> Iterator[Any]:
        """Yield the results of calls in their order."""
        name = self._name(function)

        def graph_of(index: int) -> tuple[Graph, str]:
            key = f"{name}-{index}"
            return {key: _task(function, calls[index])}, key

        return self.cluster.results(graph_of, len(calls), self._span(), message)

    def reduced(self, function: Callable[..., Any], calls: AnyCalls, message: str) -> Any:
        """Return the merged results of calls: by eights on the workers, these one after the other here."""
        (found,) = self.reduced_each(function, [calls], message)
        return found

    def reduced_each(
        self, function: Callable[..., Any], calls_of_each: Sequence[AnyCalls], message: str
    ) -> Iterator[Any]:
        """Yield the merged results of each raster's calls, in order; strips of many rasters are under way."""
        name = self._name(function)
        n_groups = [-(-len(calls) // _FAN_IN) for calls in calls_of_each]
        ends = list(accumulate(n_groups))

        def graph_of(group: int) -> tuple[Graph, str]:
            raster = bisect_right(ends, group)
            calls = calls_of_each[raster]
            start = (group - ends[raster] + n_groups[raster]) * _FAN_IN
            graph = {
                f"{name}-{raster}-{index}": _task(function, calls[index])
                for index in range(start, min(start + _FAN_IN, len(calls)))
            }
            key = f"{name}-merged-{group}"
            return {**graph, key: (tasks.merged, list(graph))}, key

        found = self.cluster.results(graph_of, ends[-1], self._span(), message)
        for count in n_groups:
            total = next(found)
            for _ in range(count - 1):
                total.merge(next(found))
            yield total
        # All results are taken; this lets the generator run on to its end, where it reports the progress 1.
        next(found, None)

    def _name(self, function: Callable[..., Any]) -> str:
        self._n_passes += 1
        return f"ferd-{self._run}-{self._n_passes}-{function.__name__}"

    def _span(self) -> ProgressSpan:
        return ProgressSpan(self._context.progress, 0.0, 1.0)
