"""CRD: the collaborative representation detector."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from ..context import RunContext
from ..cube import BoolArray, Cube, ScoreSink
from ..errors import InputError, RunError
from ..lapack import cholesky, row_gram, solve_rows
from ..parallel import threads
from ..progress import ProgressSpan
from ..statistics import Float64Array, Moments
from ..windows import Window
from .distribution import ScoreDistribution
from .metric import NOT_DEFINITE
from .registry import DetectorInfo
from .ring_rows import RingTile
from .ring_tiles import ring_tiles
from .rings import DualWindow

INNER_PX = 11
RING_PX = 2
PENALTY = 1e-6
# Pixels whose matrices are factored together.
_BATCH = 8
# Added to the diagonal as a part of the trace: pixels that equal each other have no distance, and no unique weights.
_FLOOR = 1e-14


@dataclass(frozen=True)
class Crd:
    """Length of what is left of each pixel when the pixels of the ring around it have represented it.

    Li and Du, "Collaborative representation for hyperspectral anomaly detection", IEEE TGRS 53 (2015): with the ring's
    pixels as columns of X and the pixel y, both with a 1 appended so that weights sum to about 1, the weights are
    w = (X^T X + 1e-6 G^2)^-1 X^T y, G the diagonal matrix of the distances |y - x_i|, and the score |y - X w| over the
    bands. Values are scaled to [0, 1] over the image, as the appended 1 supposes. The ring is the one of `lrx`: odd
    windows, shifted inside at the image's edge, without invalid pixels; where none is left, the mean of the image
    stands for it. Arithmetic is float64, the scores are float32; they do not depend on the memory budget.

    Parameters
    ----------
    inner, outer
        Odd sides of the windows in pixels, inner < outer; by default 11 and inner + 4.
    """

    inner: int = INNER_PX
    outer: int | None = None

    def __post_init__(self) -> None:
        self._rings().check()

    def _rings(self) -> DualWindow:
        return DualWindow(self.inner, self.inner + 2 * RING_PX if self.outer is None else self.outer)

    def score(self, cube: Cube, moments: Moments, sink: ScoreSink, context: RunContext) -> ScoreDistribution | None:
        """Write the scores, as `Detector.score` says; reads the cube once, and the border of each tile again."""
        if moments.count == 0:
            raise InputError("No pixel is valid in all used bands, so there is no background: check nodata and mask.")
        rings, image = self._rings(), (cube.n_rows, cube.n_cols)
        n_pixels = rings.n_pixels(*image)
        low, high = float(moments.minimum.min()), float(moments.maximum.max())
        scale = 1.0 / (high - low) if high > low else 1.0
        mean = (moments.mean - low) * scale
        progress = ProgressSpan(context.progress, 0.0, 1.0)
        done, total = 0, cube.n_rows * cube.n_cols
        with threads() as pool:
            free_bytes = context.free_bytes // 2 - pool.count * _BATCH * 8 * n_pixels * (n_pixels + 2 * cube.n_bands)
            for core in ring_tiles(cube, rings, 0, free_bytes):
                window = rings.reach(core, *image)
                values, valid = cube.read(window)
                scaled = values.astype(np.float64)
                scaled -= low
                scaled *= scale
                tile = RingTile(window, scaled, valid, image, rings)
                for start in range(core.row_start, core.row_stop, pool.count):
                    progress.step(done / total, "CRD")
                    rows = range(start, min(start + pool.count, core.row_stop))
                    cols = range(core.col_start, core.col_stop)
                    scores = pool.map(partial(_row_residuals, tile, cols, mean), rows)
                    part = Window(rows.start, rows.stop, cols.start, cols.stop)
                    sink.write(part, np.stack(scores).astype(np.float32))
                    done += part.n_pixels
        progress.step(1.0, "CRD")
        return None


def _row_residuals(tile: RingTile, cols: range, mean: Float64Array, row: int) -> Float64Array:
    """Return the scores (n,) of pixels of a row of the image, NaN where invalid."""
    line = tile.window.col_start
    here = tile.coordinates[row - tile.window.row_start, cols.start - line : cols.stop - line]
    known = tile.background[row - tile.window.row_start, cols.start - line : cols.stop - line]
    scores = np.full(len(cols), np.nan)
    places = np.flatnonzero(known)
    for start in range(0, len(places), _BATCH):
        batch = places[start : start + _BATCH]
        rings, valid = tile.rings_of(row, batch + cols.start)
        lonely = ~valid.any(axis=1)
        rings[lonely, 0], valid[lonely, 0] = mean, True
        scores[batch] = residuals(here[batch], rings, valid)
    return scores


def residuals(pixels: Float64Array, rings: Float64Array, valid: BoolArray) -> Float64Array:
    """Return |y - X w| (m,) of pixels (m, B) and those of their rings (m, n, B), of which some are valid (m, n).

    Rows of `rings` that are not valid are set to 0.
    """
    complete = bool(valid.all())
    if not complete:
        rings[~valid] = 0.0
    grams = np.empty((*valid.shape, valid.shape[1]))
    row_gram(rings, grams)
    products = np.matmul(rings, pixels[:, :, None])[:, :, 0]
    diagonals = np.einsum("mii->mi", grams)
    lengths = np.einsum("mb,mb->m", pixels, pixels)[:, None]
    squared_distances = np.maximum(diagonals - 2.0 * products + lengths, 0.0)
    # The appended 1 adds 1 to each product of valid pixels.
    if complete:
        grams += 1.0
        products += 1.0
    else:
        grams += valid[:, :, None] & valid[:, None, :]
        products += valid
    diagonals += PENALTY * squared_distances + _FLOOR * diagonals.sum(axis=1, keepdims=True)
    # A pixel that is not valid has no product with another one, and so no weight.
    diagonals[~valid] = 1.0
    if not cholesky(grams):
        raise RunError(NOT_DEFINITE)
    weights = products[:, None, :]
    solve_rows(grams, weights)
    solve_rows(grams, weights, back=True)
    left = pixels - np.matmul(weights, rings)[:, 0]
    scores: Float64Array = np.sqrt(np.einsum("mb,mb->m", left, left))
    return scores


INFO = DetectorInfo(
    name="crd",
    title="Collaborative representation",
    formula=(
        "|y - X w|, w = (X^T X + 1e-6 G^2)^-1 X^T y over the pixels X of the ring, G the diagonal of |y - x_i|, with a "
        "1 appended to y and X for the weights; values scaled to [0, 1]"
    ),
    reference="Li and Du, IEEE Transactions on Geoscience and Remote Sensing 53 (2015), 1463-1474",
    cost="n^2 B + n^3 / 3 flops per pixel for the n pixels of a ring",
    when=(
        "Small objects on backgrounds that no normal distribution describes. The inner window must hold the object; "
        "slow for wide rings."
    ),
    factory=Crd,
)
