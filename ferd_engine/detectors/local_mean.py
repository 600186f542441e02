"""Squared distances to the mean of the window around each pixel, under the covariance of the whole image."""

from __future__ import annotations

import numpy as np

from ..context import RunContext
from ..cube import Cube, ScoreSink
from ..progress import ProgressSpan
from .mahalanobis import Mahalanobis
from .ring_tiles import ring_tiles
from .rings import DualWindow
from .summed_area import SummedArea

OUTER_PX = 15


def score_local_mean(
    cube: Cube, distance: Mahalanobis, side: int, sink: ScoreSink, context: RunContext, progress: ProgressSpan
) -> None:
    """Write (x - m)^T C^-1 (x - m) of each valid pixel x, m the mean of the valid pixels in its window of side `side`.

    C is the covariance of `distance`. The window is shifted inside at the image's edge and holds the pixel itself.
    In coordinates that make C the identity, of the order of 1, m is a sum over a rectangle (`SummedArea`).
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
        image = (cube.n_rows, cube.n_cols)
        counts = SummedArea(valid[:, :, None].astype(np.float64), reach, image).windows(core, side)
        means = SummedArea(pixels, reach, image).windows(core, side)
        means /= np.maximum(counts, 1.0)
        place = core.within(reach)
        means -= pixels[place]
        scores = np.einsum("rci,rci->rc", means, means).astype(np.float32)
        scores[~valid[place]] = np.nan
        sink.write(core, scores)
        done += core.n_pixels
