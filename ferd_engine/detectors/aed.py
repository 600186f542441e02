"""AED: small objects that stand out of their surroundings in the leading principal components."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from ..context import RunContext
from ..cube import BoolArray, Cube, FloatArray, MaskedCube, ScoreSink, ScratchCube, background_of
from ..errors import UsageError
from ..parallel import Threads, threads
from ..progress import ProgressSpan
from ..statistics import Float64Array, Moments
from ..windows import Window, expand, tiles
from . import area_filter, edge_preserving
from .blocks import blocks
from .covariance import background_distance, parse_covariance
from .distribution import ScoreDistribution
from .image_passes import CubePasses
from .mahalanobis import Mahalanobis
from .registry import DetectorInfo, require_pixels

# Pixels, and standard deviations of the components. The published code has 0.5 of a component's range; the range of a
# scene is about eight standard deviations, and a single hot pixel would set it.
SIGMA_PX = 5.0
SIGMA_COMPONENTS = 4.0
# Larger tiles are not faster, unless most of them is halo, and a cancel waits for a filter to end.
_TILE_PIXELS = 1 << 19
# The part of a run that the components take, for the progress alone.
_COMPONENTS_PART = 0.3


@dataclass(frozen=True)
class Aed:
    """How much brighter or darker than its surroundings the small thing is that a pixel belongs to.

    After Kang, Zhang, Li, Li, Li and Benediktsson, "Hyperspectral anomaly detection with attribute and edge-preserving
    filters", IEEE TGRS 55 (2017): each of the leading principal components, in standard deviations, less its area
    opening, plus its area closing less the component, added up (`area_filter.area_opening`), and averaged over the
    domain transform of the components (`edge_preserving.smooth`, 5 pixels and 4 standard deviations). So a score is a
    sum of standard deviations, and 0 where nothing of fewer than `inner`^2 pixels stands out. Spectra matter for the
    components alone: a rare material that covers a larger area gets no score, and a common one in small pieces does.

    With a background given, components are those of its pixels. Holes in the image belong to no object. Arithmetic is
    float64, the scores are float32; they do not depend on the memory budget.

    Parameters
    ----------
    inner
        Objects sought have fewer than inner^2 pixels; by default 5.
    covariance
        pca:K for the K leading components, by default 3.
    """

    takes_background: ClassVar[bool] = True

    inner: int = 5
    covariance: str = "pca:3"

    def __post_init__(self) -> None:
        if self.inner < 2:
            raise UsageError(
                f"The inner window of aed is {self.inner} pixels wide: give 2 or more, since its objects have fewer "
                "pixels than the square of that."
            )
        if parse_covariance(self.covariance).kind != "pca":
            raise UsageError(f"The covariance of aed is {self.covariance!r}: give pca:K, it looks at K components.")

    @property
    def halo(self) -> int:
        """How many rows and columns away a pixel can matter."""
        return self.inner**2 - 1 + edge_preserving.reach(SIGMA_PX)

    def score(self, cube: Cube, moments: Moments, sink: ScoreSink, context: RunContext) -> ScoreDistribution | None:
        """Write the scores, as `Detector.score` says; reads the cube once."""
        require_pixels(moments)
        option = parse_covariance(self.covariance)
        distance = background_distance(option, CubePasses(background_of(cube), context), moments, context)
        return self.score_by(distance, cube, sink, context)

    def score_by(
        self, distance: Mahalanobis, cube: Cube, sink: ScoreSink, context: RunContext
    ) -> ScoreDistribution | None:
        """Write the scores, as `DistanceDetector.score_by` says."""
        scratch = context.scratch_cube(cube.n_rows, cube.n_cols, max(distance.rank, 1), np.dtype(np.float64))
        components, progress = MaskedCube(scratch), ProgressSpan(context.progress, _COMPONENTS_PART, 1.0)
        done, total = 0, cube.n_rows * cube.n_cols
        try:
            with threads() as pool:
                cores = self._cores(components, context.free_bytes // 2, pool.count)
                _store_components(distance, cube, scratch, context, pool)
                for core in cores:
                    progress.step(done / total, "AED")
                    tile = expand(core, self.halo, cube.n_rows, cube.n_cols)
                    guide, valid = components.read(tile)
                    residue = self._residue(guide, valid, pool, progress)
                    scores = edge_preserving.smooth(residue, guide, valid, SIGMA_PX, SIGMA_COMPONENTS, pool)
                    scores[~valid] = np.nan
                    sink.write(core, scores[core.within(tile)].astype(np.float32))
                    done += core.n_pixels
                progress.step(1.0, "AED")
        finally:
            scratch.close()
        return None

    def _residue(self, components: FloatArray, valid: BoolArray, pool: Threads, progress: ProgressSpan) -> Float64Array:
        """Return what openings and closings take from components (rows, cols, n), added up (rows, cols)."""

        def taken(job: tuple[int, float]) -> Float64Array:
            band, sign = job
            image = sign * components[:, :, band]
            opened = area_filter.area_opening(image, valid, self.inner**2)
            return np.subtract(image, opened, out=opened)

        jobs = itertools.product(range(components.shape[2]), (1.0, -1.0))
        return sum(pool.map(taken, jobs, progress.check), np.zeros(valid.shape))

    def _cores(self, components: Cube, free_bytes: int, n_threads: int) -> Iterator[Window]:
        """Yield windows that cover the image once, and with what lies around them fit into the memory.

        Raises `UsageError` where hardly anything but what lies around would fit.
        """
        n_rows, n_cols = components.n_rows, components.n_cols
        # Components, and what both filters take from each; their sum, scores and validity; each thread's own arrays.
        pixel_bytes = 24 * components.n_bands + 24 + edge_preserving.PIXEL_BYTES
        pixel_bytes += n_threads * max(area_filter.PIXEL_BYTES, edge_preserving.THREAD_PIXEL_BYTES)
        batch_bytes = n_threads * area_filter.BATCH_BYTES
        least = least_pixels(n_rows, n_cols, self.halo)
        n_pixels = min(max(free_bytes - batch_bytes, 0) // pixel_bytes, max(_TILE_PIXELS, 4 * least))
        shape = core_shape(n_rows, n_cols, self.halo, n_pixels)
        if shape is None:
            least_bytes = least * pixel_bytes + batch_bytes
            raise UsageError(
                f"With --inner {self.inner} aed looks {self.halo} pixels around each one, for which it needs "
                f"{(2 * least_bytes >> 20) + 1} MiB of memory and has {2 * free_bytes >> 20}: give more --memory, or a "
                "smaller --inner."
            )
        return tiles(n_rows, n_cols, *shape)


def core_shape(n_rows: int, n_cols: int, halo: int, n_pixels: int) -> tuple[int, int] | None:
    """Return rows and columns of cores that have at most so many pixels with their halo, cut off at the image's edge.

    The whole image, full rows, or about square; None where a core would be narrower than half of its halo, since then
    each pixel would be computed more than 25 times.

    >>> core_shape(50, 60, 9, 3000), core_shape(500, 60, 9, 3000), core_shape(500, 600, 9, 3000)
    ((50, 60), (32, 60), (36, 37))
    >>> core_shape(500, 600, 90, 3000)
    """
    if n_pixels >= n_rows * n_cols:
        return n_rows, n_cols
    if n_pixels // n_cols >= 4 * halo:
        return n_pixels // n_cols - 2 * halo, n_cols
    if n_pixels < least_pixels(n_rows, n_cols, halo):
        return None
    height = min(max(math.isqrt(n_pixels), n_pixels // n_cols), n_rows)
    width = min(n_pixels // height, n_cols)
    return height - 2 * halo * (height < n_rows), width - 2 * halo * (width < n_cols)


def least_pixels(n_rows: int, n_cols: int, halo: int) -> int:
    """Return the pixels of the smallest core that `core_shape` returns, with its halo."""
    side = 2 * halo + max(halo // 2, 1)
    return min(side, n_rows) * min(side, n_cols)


def _store_components(
    distance: Mahalanobis, cube: Cube, scratch: ScratchCube, context: RunContext, pool: Threads
) -> None:
    """Write the coordinates of each pixel along the components, NaN where invalid; reads the cube once."""
    progress = ProgressSpan(context.progress, 0.0, _COMPONENTS_PART)
    whiten = partial(distance.whiten, accelerator=context.accelerator)
    # A block, its pixels in float64, and their coordinates twice.
    for window in blocks(cube, 16 * cube.n_bands + 16 * scratch.n_bands + 16, context.free_bytes // 2):
        progress.step(window.row_start / cube.n_rows, "AED components")
        values, valid = cube.read(window)
        # Without any component all pixels are alike.
        stored = np.zeros((*window.shape, scratch.n_bands))
        if distance.rank:
            parts = np.array_split(values.reshape(-1, cube.n_bands), pool.count)
            stored = np.concatenate(pool.map(whiten, parts)).reshape(stored.shape)
        stored[~valid] = np.nan
        scratch.write(window, stored)


INFO = DetectorInfo(
    name="aed",
    title="Attribute and edge-preserving filters",
    formula=(
        "sum over K principal components f, in standard deviations, of (f - opening) + (closing - f) by an area of "
        "inner^2 pixels, averaged within the edges of the components"
    ),
    reference="Kang et al., IEEE Transactions on Geoscience and Remote Sensing 55 (2017), 5600-5611",
    cost="B^2 + 2 K B flops, and about half a microsecond for each component",
    when=(
        "Small bright or dark objects, in little time, on the raw bands (--no-enhance). Not for what stands out by its "
        "spectrum alone and not in the leading components, nor for objects of inner^2 pixels or more."
    ),
    factory=Aed,
)
