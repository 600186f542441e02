"""QLRX: the quasi-local RX, with the directions of the whole image and the variances of the ring."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from ..accelerator import Accelerator
from ..context import RunContext
from ..cube import BoolArray, Cube, CubeWithBackground, ScoreSink, background_of
from ..parallel import threads
from ..progress import ProgressSpan
from ..statistics import Float64Array, Moments
from ..windows import Window
from .distribution import ScoreDistribution
from .gross import GROSS_DEVIATIONS, without_gross
from .mahalanobis import Mahalanobis
from .registry import DetectorInfo, require_pixels
from .ring_tiles import ring_tiles
from .rings import DualWindow, shifted_interval
from .summed_area import SummedArea

INNER_PX = 11
RING_PX = 5
# A ring's variance in a direction counts as at least this part of the image's: a standard deviation of a thousandth.
LEAST_VARIANCE = 1e-6
# So many directions are summed at once, whatever the number of threads: the sum of the parts is always the same.
_GROUP = 16
# Arrays of a group of directions that are there at once: three of values, and for each sum its table and its parts.
_GROUP_ARRAYS = 8


@dataclass(frozen=True)
class Qlrx:
    """Squared distance of each pixel to its ring's mean, in each principal direction of the image over the variance.

    Caefer, Silverman, Orthal, Antonelli, Sharoni and Rotman, "Improved covariance matrices for point target detection
    in hyperspectral data", Optical Engineering 47 (2008), 076402: the covariance of the ring is taken as E L E^T, with
    the eigenvectors E of the whole image's covariance and on the diagonal of L the variances (n - 1) of the ring's
    pixels along them. So a ring needs no more pixels than for a variance, and no matrix is factored per pixel. The ring
    is the one of `lrx`: odd windows, shifted inside at the image's edge, without invalid pixels. With a background
    given, its pixels alone take part in rings and in the whole image's mean and covariance.

    Directions in which the image does not vary, eigenvalues up to 1e-12 of the largest, take no part. In a direction
    in which a ring varies by less than 1e-6 of the image's variance it counts as that much, so that a flat ring gives
    no infinite score. A ring of fewer than two such pixels gives its place to the whole image. Eigenvectors depend on
    the units of the bands relative to each other. Arithmetic is float64, the scores are float32; they do not depend on
    the memory budget beyond 1e-6 of a score.

    Parameters
    ----------
    inner, outer
        Odd sides of the windows in pixels, inner < outer; by default 11, which should hold the objects sought, and
        inner + 10.
    """

    takes_background: ClassVar[bool] = True

    inner: int = INNER_PX
    outer: int | None = None

    def __post_init__(self) -> None:
        self._rings().check()

    def _rings(self) -> DualWindow:
        return DualWindow(self.inner, self.inner + 2 * RING_PX if self.outer is None else self.outer)

    def score(self, cube: Cube, moments: Moments, sink: ScoreSink, context: RunContext) -> ScoreDistribution | None:
        """Write the scores, as `Detector.score` says; reads the cube once, and the border of each tile again."""
        require_pixels(moments)
        rings, image = self._rings(), (cube.n_rows, cube.n_cols)
        rings.check_image(*image)
        moments = without_gross(background_of(cube), moments, context)
        directions = Mahalanobis.of_components(moments.mean, moments.covariance(), cube.n_bands)
        progress = ProgressSpan(context.progress, 0.0, 1.0)
        done, total, n_lonely = 0, cube.n_rows * cube.n_cols, 0
        with threads() as pool:
            n_dims = directions.rank + _GROUP_ARRAYS * _GROUP * pool.count
            for core in ring_tiles(cube, rings, n_dims, context.free_bytes // 2):
                progress.step(done / total, "QLRX")
                tile = _Tile.read(cube, directions, rings, core, context.accelerator)
                parts = pool.map(tile.distances, tile.groups(), progress.check)
                scores = sum(parts, np.zeros(core.shape)).astype(np.float32)
                valid = tile.valid[core.within(tile.reach)]
                scores[~valid] = np.nan
                n_lonely += int((tile.lonely & valid).sum())
                sink.write(core, scores)
                done += core.n_pixels
        progress.step(1.0, "QLRX")
        if n_lonely:
            context.warn(
                f"{n_lonely} pixels have a ring of fewer than two pixels: they were compared with the whole image."
            )
        return None


class _Tile(NamedTuple):
    """A core with what its rings reach: coordinates (rows, cols, rank), 0 where invalid, and the rings' pixel counts.

    Along each coordinate the background has the mean 0 and the variance 1. `taken` (rows, cols) says which pixels take
    part in rings.
    """

    core: Window
    reach: Window
    image: tuple[int, int]
    rings: DualWindow
    coordinates: Float64Array
    valid: BoolArray
    taken: BoolArray
    counts: Float64Array

    @classmethod
    def read(
        cls, cube: Cube, directions: Mahalanobis, rings: DualWindow, core: Window, accelerator: Accelerator | None
    ) -> _Tile:
        image = (cube.n_rows, cube.n_cols)
        reach = rings.reach(core, *image)
        values, valid = cube.read(reach)
        coordinates = np.zeros((*reach.shape, 0))
        if directions.rank:
            flat = directions.whiten(values.reshape(-1, cube.n_bands), accelerator)
            coordinates = flat.reshape(*reach.shape, -1)
        if not valid.all():
            coordinates[~valid] = 0.0
        taken = valid & cube.flags(reach) if isinstance(cube, CubeWithBackground) else valid
        area = SummedArea(taken[:, :, None].astype(np.float64), reach, image)
        counts = area.windows(core, rings.outer) - area.windows(core, rings.inner)
        return cls(core, reach, image, rings, coordinates, valid, taken, counts)

    @property
    def lonely(self) -> BoolArray:
        """Say which pixels (rows, cols) of the core have a ring of fewer than two pixels."""
        return self.counts[:, :, 0] < 2.0

    def groups(self) -> Iterator[slice]:
        """Yield the directions that are summed at once."""
        return (slice(start, start + _GROUP) for start in range(0, self.coordinates.shape[2], _GROUP))

    def distances(self, group: slice) -> Float64Array:
        """Return the part (rows, cols) of the core's squared distances that lies in some directions."""
        coordinates = np.ascontiguousarray(self.coordinates[:, :, group])
        ringed = coordinates if self.taken.all() else np.where(self.taken[:, :, None], coordinates, 0.0)
        counts = np.maximum(self.counts, 2.0)
        # In the sums over the whole reach their squares would take the last digits of all others'.
        lengths = np.abs(ringed).max(axis=2)
        gross = [(row, col) for row, col in np.argwhere(lengths > GROSS_DEVIATIONS).tolist()]
        means = self._ring_sums(ringed, gross) / counts
        variances = self._ring_sums(np.square(ringed), gross)
        variances -= counts * means**2
        variances /= counts - 1.0
        np.maximum(variances, LEAST_VARIANCE, out=variances)
        means[self.lonely], variances[self.lonely] = 0.0, 1.0
        means -= coordinates[self.core.within(self.reach)]
        means *= means
        means /= variances
        distances: Float64Array = means.sum(axis=2)
        return distances

    def _ring_sums(self, values: Float64Array, gross: list[tuple[int, int]]) -> Float64Array:
        """Return the sums (rows, cols, n) over the rings of values; those of gross pixels are added one by one."""
        apart = [values[pixel].copy() for pixel in gross]
        for pixel in gross:
            values[pixel] = 0.0
        area = SummedArea(values, self.reach, self.image)
        sums = area.windows(self.core, self.rings.outer)
        sums -= area.windows(self.core, self.rings.inner)
        for (row, col), value in zip(gross, apart):
            values[row, col] = value
            outer = self._holders(row, col, self.rings.outer)
            inner = self._holders(row, col, self.rings.inner)
            sums[np.ix_(*outer)] += value
            sums[np.ix_(*inner)] -= value
        return sums

    def _holders(self, row: int, col: int, side: int) -> tuple[list[int], list[int]]:
        """Return the rows and the columns of the core whose windows hold a pixel of the reach."""
        row, col = row + self.reach.row_start, col + self.reach.col_start
        return (
            _holding(row, side, self.image[0], range(self.core.row_start, self.core.row_stop)),
            _holding(col, side, self.image[1], range(self.core.col_start, self.core.col_stop)),
        )


def _holding(position: int, side: int, length: int, places: range) -> list[int]:
    """Return which of some places have `position` in their window."""
    near = range(max(position - side, places.start), min(position + side + 1, places.stop))
    return [
        place - places.start
        for place in near
        if (window := shifted_interval(place, side, length)).start <= position < window.stop
    ]


INFO = DetectorInfo(
    name="qlrx",
    title="Quasi-local RX",
    formula=(
        "sum over the principal directions e of the whole image of (e^T (x - mean))^2 / variance, mean and variance "
        "along e of the outer window without the inner one, both shifted inside at the edge"
    ),
    reference="Caefer et al., Optical Engineering 47 (2008), 076402",
    cost="3 B^2 + 30 B flops per pixel, whatever the windows: half of the square is the covariance of the image",
    when=(
        "Small objects on backgrounds that change over the image, at a fraction of the time of lrx; any number of "
        "pixels in the ring."
    ),
    factory=Qlrx,
)
