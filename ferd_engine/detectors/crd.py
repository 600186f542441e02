"""CRD: the collaborative representation detector."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.linalg import lapack as scipy_lapack

from ..context import RunContext
from ..cube import Cube, ScoreSink
from ..errors import InputError, RunError
from ..lapack import cholesky, row_gram
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
            free_bytes = context.free_bytes // 2 - pool.count * 8 * n_pixels * (n_pixels + 2 * cube.n_bands)
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
    scores = np.full(len(cols), np.nan)
    top, left = tile.window.row_start, tile.window.col_start
    for index, col in enumerate(cols):
        if tile.background[row - top, col - left]:
            pixel, ring = tile.coordinates[row - top, col - left], tile.ring(row, col)
            scores[index] = residual(pixel, ring if len(ring) else mean[None])
    return scores


def residual(pixel: Float64Array, ring: Float64Array) -> float:
    """Return |y - X w| of a pixel y (B,) and the pixels of its ring (n, B), n at least 1."""
    gram = np.empty((len(ring), len(ring)))
    row_gram(ring, gram)
    differences = ring - pixel
    # Only the upper triangle is there; the appended 1 adds 1 to each product.
    gram += 1.0
    diagonal = np.einsum("ii->i", gram)
    floor = _FLOOR * float(diagonal.sum())
    diagonal += PENALTY * np.einsum("ij,ij->i", differences, differences) + floor
    if not cholesky(gram):
        raise RunError(NOT_DEFINITE)
    weights, _ = scipy_lapack.dpotrs(gram.T, ring @ pixel + 1.0, lower=1)
    left = pixel - weights @ ring
    return float(np.sqrt(left @ left))


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
