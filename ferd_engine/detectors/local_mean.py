"""Squared distances to the mean of the window around each pixel, under the covariance of the whole image."""

from __future__ import annotations

import numpy as np

from ..context import RunContext
from ..cube import Cube, ScoreSink
from ..progress import ProgressSpan
from ..statistics import Float64Array
from ..windows import Window
from .mahalanobis import Mahalanobis
from .ring_tiles import ring_tiles
from .rings import DualWindow, shifted_interval

OUTER_PX = 15


def score_local_mean(
    cube: Cube, distance: Mahalanobis, side: int, sink: ScoreSink, context: RunContext, progress: ProgressSpan
) -> None:
    """Write (x - m)^T C^-1 (x - m) of each valid pixel x, m the mean of the valid pixels in its window of side `side`.

    C is the covariance of `distance`. The window is shifted inside at the image's edge and holds the pixel itself.
    In coordinates that make C the identity, m is a sum over a rectangle, taken from sums over all rectangles that start
    in the tile's corner; coordinates are of the order of 1, so the sums of a tile lose no digit that counts.
    """
    window = DualWindow(1, side)
    done, total = 0, cube.n_rows * cube.n_cols
    # Beside the values of a reach: their coordinates as a product and its source, sums, sums of rows, means.
    for core in ring_tiles(cube, window, 5 * cube.n_bands, context.free_bytes // 2):
        progress.step(done / total, "GRX")
        reach = window.reach(core, cube.n_rows, cube.n_cols)
        values, valid = cube.read(reach)
        pixels = distance.whiten(values.reshape(-1, cube.n_bands)).reshape(*valid.shape, -1)
        pixels[~valid] = 0.0
        counts = _window_sums(valid[:, :, None].astype(np.float64), core, reach, side, cube)
        means = _window_sums(pixels, core, reach, side, cube)
        means /= np.maximum(counts, 1.0)
        place = core.within(reach)
        means -= pixels[place]
        scores = np.einsum("rci,rci->rc", means, means).astype(np.float32)
        scores[~valid[place]] = np.nan
        sink.write(core, scores)
        done += core.n_pixels


def _window_sums(values: Float64Array, core: Window, reach: Window, side: int, cube: Cube) -> Float64Array:
    """Return the sums (rows, cols, n) over the windows of the pixels of `core` of values (rows, cols, n) in `reach`."""
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1, values.shape[2]))
    np.cumsum(values, axis=0, out=sums[1:, 1:])
    np.cumsum(sums[1:, 1:], axis=1, out=sums[1:, 1:])
    rows = [shifted_interval(row, side, cube.n_rows) for row in range(core.row_start, core.row_stop)]
    cols = [shifted_interval(col, side, cube.n_cols) for col in range(core.col_start, core.col_stop)]
    top, bottom = (np.array(ends) - reach.row_start for ends in zip(*rows))
    left, right = (np.array(ends) - reach.col_start for ends in zip(*cols))
    across: Float64Array = sums[bottom] - sums[top]
    return across[:, right] - across[:, left]
