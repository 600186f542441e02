"""Sums over a window around each pixel, taken from the sums over all rectangles that start in a corner."""

from __future__ import annotations

import numpy as np

from ..statistics import Float64Array
from ..windows import Window
from .rings import shifted_interval


class SummedArea:
    """Sums over windows of values (rows, cols, n) of the window `reach` of an image of (rows, cols).

    Crow, "Summed-area tables for texture mapping", SIGGRAPH (1984). A sum is a difference of sums over the whole reach,
    so its error is theirs: values should be of the order of 1 and lie around 0.
    """

    def __init__(self, values: Float64Array, reach: Window, image: tuple[int, int]) -> None:
        self._reach = reach
        self._image = image
        self._sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1, values.shape[2]))
        np.cumsum(values, axis=0, out=self._sums[1:, 1:])
        np.cumsum(self._sums[1:, 1:], axis=1, out=self._sums[1:, 1:])

    def windows(self, core: Window, side: int) -> Float64Array:
        """Return the sums (rows, cols, n) over the windows of the pixels of `core`, shifted inside at the edge."""
        rows = [shifted_interval(row, side, self._image[0]) for row in range(core.row_start, core.row_stop)]
        cols = [shifted_interval(col, side, self._image[1]) for col in range(core.col_start, core.col_stop)]
        top, bottom = (np.array(ends) - self._reach.row_start for ends in zip(*rows))
        left, right = (np.array(ends) - self._reach.col_start for ends in zip(*cols))
        across: Float64Array = self._sums[bottom] - self._sums[top]
        return across[:, right] - across[:, left]
