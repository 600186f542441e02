"""CRD: the collaborative representation detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from ..accelerator import Accelerator
from ..context import RunContext
from ..cube import BoolArray, Cube, Float32Array, ScoreSink
from ..errors import RunError
from ..lapack import cholesky, combinations, solve_rows
from ..parallel import threads
from ..progress import ProgressSpan
from ..statistics import Float64Array, Moments
from ..windows import Window, shifted, tiles
from .distribution import ScoreDistribution
from .metric import NOT_DEFINITE
from .registry import DetectorInfo, require_pixels
from .ring_tiles import ring_tiles
from .rings import DualWindow
from .shared_grams import SharedGram, group_side, ring_runs

INNER_PX = 11
RING_PX = 2
PENALTY = 1e-6
# Added to the diagonal as a part of the trace: pixels that equal each other have no distance, and no unique weights.
_FLOOR = 1e-14
# Columns that go to an accelerator at once.
_DEVICE_COLS = 64


@dataclass(frozen=True)
class Crd:
    """Length of what is left of each pixel when the pixels of the ring around it have represented it.

    Li and Du, "Collaborative representation for hyperspectral anomaly detection", IEEE TGRS 53 (2015): with the ring's
    pixels as columns of X and the pixel y, both with a 1 appended so that weights sum to about 1, the weights are
    w = (X^T X + 1e-6 G^2 + r I)^-1 X^T y, G the diagonal matrix of the distances |y - x_i|, and the score |y - X w|
    over the bands. The paper has no r: it is 1e-14 of the trace of X^T X, without which pixels of the ring that equal y
    and each other would leave no unique w. Values are scaled to [0, 1] over the image, as the appended 1 supposes. The
    ring is the one of `lrx`: odd windows, shifted inside at the image's edge, without invalid pixels; where none is
    left, the mean of the image stands for it. Arithmetic is float64, the scores are float32; they do not depend on the
    memory budget.

    Parameters
    ----------
    inner, outer
        Odd sides of the windows in pixels, inner < outer; by default 11 and inner + 4.
    """

    uses_extrema: ClassVar[bool] = True

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
        n_pixels = rings.n_pixels(*image)
        low, high = float(moments.minimum.min()), float(moments.maximum.max())
        scale = 1.0 / (high - low) if high > low else 1.0
        scaling = _Scaling(low, scale, (moments.mean - low) * scale)
        side = group_side(rings, n_pixels)
        width = side if context.accelerator is None else _DEVICE_COLS
        progress = ProgressSpan(context.progress, 0.0, 1.0)
        done, total = 0, cube.n_rows * cube.n_cols
        # The matrices of a batch with the places they come from, and the pixels of a group with their products.
        job_bytes = 8 * (side + side) * (n_pixels + 1) ** 2 + SharedGram.working_bytes(rings, side, cube.n_bands + 1)
        with threads() as pool:
            free_bytes = context.free_bytes // 2 - pool.count * job_bytes
            for core in ring_tiles(cube, rings, 1, free_bytes):
                tile = _Tile.read(cube, rings, rings.reach(core, *image), scaling, side)
                for strip in tiles(core.n_rows, core.n_cols, side, core.n_cols):
                    progress.step(done / total, "CRD")
                    part = shifted(strip, core)
                    groups = [shifted(group, part) for group in tiles(*part.shape, side, width)]
                    if context.accelerator is None:
                        parts = pool.map(tile.scores, groups, progress.check)
                    else:
                        parts = [tile.scores_there(group, context.accelerator) for group in groups]
                    sink.write(part, np.concatenate(parts, axis=1))
                    done += part.n_pixels
        progress.step(1.0, "CRD")
        return None


class _Scaling(NamedTuple):
    """What takes the image's values to [0, 1], and its mean (B,) after that."""

    low: float
    scale: float
    mean: Float64Array


@dataclass(frozen=True)
class _Tile:
    """Scaled pixels (rows, cols, B + 1) of a window with the appended 1, all 0 where `valid` (rows, cols) is not."""

    window: Window
    pixels: Float64Array
    valid: BoolArray
    rings: DualWindow
    image: tuple[int, int]
    mean: Float64Array
    side: int

    @classmethod
    def read(cls, cube: Cube, rings: DualWindow, window: Window, scaling: _Scaling, side: int) -> _Tile:
        values, valid = cube.read(window)
        pixels = np.empty((*window.shape, cube.n_bands + 1))
        scaled = pixels[:, :, :-1]
        scaled[...] = values
        scaled -= scaling.low
        scaled *= scaling.scale
        pixels[:, :, -1] = 1.0
        if not valid.all():
            pixels[~valid] = 0.0
        return cls(window, pixels, valid, rings, (cube.n_rows, cube.n_cols), scaling.mean, side)

    def scores(self, group: Window) -> Float32Array:
        """Return the scores (rows, cols) of a window, NaN where invalid."""
        reach = self.rings.reach(group, *self.image)
        gram = SharedGram(reach, self.pixels[reach.within(self.window)], self.side)
        here, cols = self.pixels[group.within(self.window)], range(group.col_start, group.col_stop)
        residuals = np.stack(
            [self._row_residuals(gram, group.row_start + row, cols, line) for row, line in enumerate(here)]
        )
        return np.where(self.valid[group.within(self.window)], residuals, np.nan).astype(np.float32)

    def scores_there(self, group: Window, accelerator: Accelerator) -> Float32Array:
        """Return what `scores` does, by an accelerator."""
        reach = self.rings.reach(group, *self.image)
        n_dims, place, here = self.pixels.shape[2], reach.within(self.window), group.within(self.window)
        pixels, around = self.pixels[here].reshape(-1, n_dims), self.pixels[place].reshape(-1, n_dims)
        places = self.rings.places(group, reach, self.image)
        residuals = accelerator.ring_residuals(pixels, around, places, PENALTY, _FLOOR)
        lonely = ~self.valid[place].reshape(-1)[places].any(axis=1)
        if lonely.any():
            left = _left_of_mean(pixels[lonely], self.mean)[:, :-1]
            residuals[lonely] = np.sqrt(np.einsum("mb,mb->m", left, left))
        return np.where(self.valid[here], residuals.reshape(group.shape), np.nan).astype(np.float32)

    def _row_residuals(self, gram: SharedGram, row: int, cols: range, pixels: Float64Array) -> Float64Array:
        """Return |y - X w| (m,) of the pixels (m, B + 1) in some columns of a row."""
        n = self.rings.n_pixels(*self.image)
        products = np.empty((len(cols), n + 1, n + 1))
        spread = np.zeros((len(cols), len(gram.pixels)))
        places = gram.store(ring_runs(self.rings, self.image, row, cols), products)
        np.put_along_axis(spread, places, ring_weights(products), axis=1)
        left = pixels - combinations(spread, gram.pixels)
        lonely = ~spread.any(axis=1)
        if lonely.any():
            left[lonely] = _left_of_mean(pixels[lonely], self.mean)
        residuals: Float64Array = np.sqrt(np.einsum("mb,mb->m", left[:, :-1], left[:, :-1]))
        return residuals


def ring_weights(products: Float64Array) -> Float64Array:
    """Return the weights (m, n) of the pixels of m rings, from products (m, n + 1, n + 1), overwritten.

    The products are those of the appended pixels, the ring's first and last the one in its middle; the upper triangle
    counts. A pixel of the ring whose products are all 0 is not there and gets no weight.

    With that last column the factor R of the first n holds R^-T X^T y beside it: half of the solution.
    """
    diagonals = np.einsum("mii->mi", products)
    squares, lengths = diagonals[:, :-1].copy(), diagonals[:, -1:].copy()
    squared_distances = np.maximum(squares - 2.0 * products[:, :-1, -1] + lengths, 0.0)
    floor = _FLOOR * squares.sum(axis=1, keepdims=True)
    diagonals[:, :-1] = np.where(squares > 0.0, squares + PENALTY * squared_distances + floor, 1.0)
    # The last pivot is not asked for; this keeps it positive.
    diagonals[:, -1] = 2.0 * lengths[:, 0] + 1.0
    if not cholesky(products):
        raise RunError(NOT_DEFINITE)
    weights = products[:, None, :, -1].copy()
    # The last row of the factor must leave the others alone.
    weights[:, :, -1] = 0.0
    solve_rows(products, weights, back=True)
    return weights[:, 0, :-1]


def _left_of_mean(pixels: Float64Array, mean: Float64Array) -> Float64Array:
    """Return what the mean (B,) of the image does not represent of appended pixels (m, B + 1)."""
    ring = np.append(mean, 1.0)
    products, square = pixels @ ring, float(ring @ ring)
    distances = np.maximum(square - 2.0 * products + np.einsum("mb,mb->m", pixels, pixels), 0.0)
    weights = products / (square + PENALTY * distances + _FLOOR * square)
    left: Float64Array = pixels - weights[:, None] * ring
    return left


INFO = DetectorInfo(
    name="crd",
    title="Collaborative representation",
    formula=(
        "|y - X w|, w = (X^T X + 1e-6 G^2)^-1 X^T y over the pixels X of the ring, G the diagonal of |y - x_i|, with a "
        "1 appended to y and X for the weights; values scaled to [0, 1]"
    ),
    reference="Li and Du, IEEE Transactions on Geoscience and Remote Sensing 53 (2015), 1463-1474",
    cost=(
        "16 outer^2 B + n^3 / 3 flops per pixel for the n pixels of a ring, as neighbours share products; n^2 B in "
        "place of the first where the outer window is wider than about 25 pixels"
    ),
    when=(
        "Small objects on backgrounds that no normal distribution describes. The inner window must hold the object; "
        "slow for wide rings."
    ),
    factory=Crd,
)
