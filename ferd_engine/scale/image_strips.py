"""The passes over the background of a whole image, strip by strip on workers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray

from ..context import RunContext
from ..cube import background_of
from ..detectors.gross import without_gross
from ..detectors.mahalanobis import Mahalanobis
from ..order_statistics import kth_of_counts
from ..raster import Source
from ..statistics import Float64Array, Moments
from . import background_tasks
from .passes import Calls, Passes
from .strips import row_step, strips
from .tasks import Job, rows_of

_DISTANCES_PART, _COUNTS_PART = 0.5, 0.55


class ImageStrips:
    """What `ImagePasses` asks for of the cube of a job."""

    def __init__(self, passes: Passes, job: Job, source: Source, context: RunContext, folder: Path) -> None:
        """Take the passes over the cube of `job`; `folder` is for scratch files, no other's at the same time."""
        self._passes, self._job, self._source, self._context, self._folder = passes, job, source, context, folder
        self._rows = strips(source.n_rows, 4 * source.n_cols * len(job.numbers), step=row_step(source))

    def moments(self) -> Moments:
        """Return the moments of the background pixels."""
        found: Moments = self._reduced(background_tasks.moments_strip, self._job)
        return found

    def without_gross(self, moments: Moments) -> Moments:
        """Return what `ImagePasses` says: seldom more than a look at `moments`, else this machine reads the image."""
        with self._context.part(0.0, 0.0), rows_of(self._job, self._source, 0, self._source.n_rows) as cube:
            return without_gross(background_of(cube), moments, self._context)

    def fourth_powers(self, mean: Float64Array) -> float:
        """Return what `ImagePasses` says."""
        return float(self._reduced(background_tasks.fourth_powers_strip, self._job, mean).value)

    def nearest(self, distance: Mahalanobis, k: int) -> Moments:
        """Return what `ImagePasses` says; the distances, 4 bytes per pixel, lie in the scratch folder meanwhile."""
        folder = self._folder / "distances"
        folder.mkdir()
        file = folder / "distance.npz"
        distance.save(file)

        def counts(high: int | None) -> NDArray[np.int64]:
            found: NDArray[np.int64]
            if high is None:
                with self._context.part(0.0, _DISTANCES_PART):
                    found = self._reduced(background_tasks.distances_strip, self._job, file, folder).value
            else:
                with self._context.part(_DISTANCES_PART, _COUNTS_PART):
                    found = self._reduced(background_tasks.counts_strip, folder, high).value
            return found

        cutoff = kth_of_counts(counts, k)
        with self._context.part(_COUNTS_PART, 1.0):
            near: Moments = self._reduced(background_tasks.near_strip, self._job, folder, cutoff)
        # A strip that was computed twice may still be on its way into it.
        shutil.rmtree(folder, ignore_errors=True)
        return near

    def _reduced(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self._passes.reduced(function, Calls(self._rows, lambda part: (*arguments, part)), "Covariance")
