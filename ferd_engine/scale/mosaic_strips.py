"""The passes over the rasters of a mosaic on a cluster: strips of many rasters at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Callable
from uuid import uuid4

from ..fen.bundle import Model
from ..mosaic import SharedEnhancement
from ..raster import Source, open_source
from ..scan import Wanted
from ..statistics import Moments
from ..tally import Tally
from . import tasks
from .passes import Calls, Passes, tally_calls
from .strips import absolute, strips
from .tasks import Job, with_model


class MosaicStrips:
    """What `mosaic_passes.Passes` asks for, strip by strip on workers."""

    def __init__(self, passes: Passes, job: Job) -> None:
        self._passes, self._job = passes, job

    def tallies(self, paths: Sequence[str], wanted: Sequence[Wanted]) -> Iterator[Tally]:
        """Count what is wanted of each."""

        def calls(index: int, job: Job, source: Source) -> Calls:
            return tally_calls(job, source, wanted[index])

        return self._passes.reduced_each(tasks.tally_strip, self._of_all(paths, self._job, calls), "Background")

    def enhanced(
        self, paths: Sequence[str], numbers: tuple[int, ...], model: Model, shared: SharedEnhancement
    ) -> Iterator[Moments]:
        """Run FEN over each, and yield the moments of its enhanced pixels, which are not kept."""
        job = replace(with_model(self._job, model), numbers=numbers, scaling=shared.scaling, mean=shared.mean)
        self._passes.cluster.check_workers(tasks.check_model, job)

        def calls(index: int, job: Job, source: Source) -> Calls:
            return Calls(strips(source.n_rows, 4 * source.n_cols * len(numbers)), lambda part: (job, part))

        return self._passes.reduced_each(tasks.enhanced_moments, self._of_all(paths, job, calls), "Background")

    def _of_all(self, paths: Sequence[str], job: Job, calls: Callable[[int, Job, Source], Calls]) -> list[Calls]:
        found = []
        for index, path in enumerate(paths):
            with closing(open_source(path, job.options.variable)) as source:
                found.append(calls(index, replace(job, run=uuid4().hex, path=absolute(path)), source))
        return found
