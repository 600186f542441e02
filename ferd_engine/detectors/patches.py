"""What both ways to the distances of SLRX share: the grid of blocks, the scaling, the whole image's distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..accelerator import Accelerator
from ..cube import BoolArray, Cube, Float32Array
from ..statistics import Float64Array, Moments
from ..windows import Window, whole
from .metric import Metric

RIDGE = 1e-6
# Larger windows are not faster, and progress and cancel are polled once per window.
WINDOW_BYTES = 32 << 20


class Distances(NamedTuple):
    """Distances (rows, cols, 3) to own block, neighbours and image in a window, NaN where invalid."""

    window: Window
    values: Float64Array


@dataclass(frozen=True)
class Grid:
    """Square blocks of `side` pixels from the top left of an image, cut off at its right and bottom edge."""

    n_rows: int
    n_cols: int
    side: int

    @property
    def blocks(self) -> Window:
        """The window of all blocks, counted in blocks."""
        return whole(-(-self.n_rows // self.side), -(-self.n_cols // self.side))

    def pixels(self, blocks: Window) -> Window:
        """Return the pixels of a window of blocks, which may reach beyond the image.

        >>> tuple(Grid(10, 7, 4).pixels(Window(1, 3, -1, 1)))
        (4, 10, 0, 4)
        """
        return Window(
            max(blocks.row_start, 0) * self.side,
            min(blocks.row_stop * self.side, self.n_rows),
            max(blocks.col_start, 0) * self.side,
            min(blocks.col_stop * self.side, self.n_cols),
        )


class PatchScene:
    """A cube, its blocks, and the distance to the whole image.

    Values are scaled to [0, 1] over the image. Only differences matter, so they are also centred on the image's mean.
    """

    def __init__(self, cube: Cube, moments: Moments, side: int, accelerator: Accelerator | None = None) -> None:
        self.accelerator = accelerator
        self.cube = cube
        self.grid = Grid(cube.n_rows, cube.n_cols, side)
        spread = float(moments.maximum.max() - moments.minimum.min())
        # A constant image has distances of 0 with any scale.
        self._scale = 1.0 / spread if spread > 0.0 else 1.0
        self._mean = moments.mean
        self.image = self.metric(moments, many=True)

    def metric(self, moments: Moments, *, many: bool) -> Metric:
        """Return the distance between scaled pixels and unscaled ones that went into `moments`."""
        matrix = moments.covariance() * self._scale**2
        matrix.flat[:: len(matrix) + 1] += RIDGE
        return Metric((moments.mean - self._mean) * self._scale, matrix, many=many, accelerator=self.accelerator)

    def scaled(self, values: Float32Array) -> Float64Array:
        """Return scaled float64 values of any shape (..., bands)."""
        scaled = values.astype(np.float64)
        self.scale(scaled)
        return scaled

    def scale(self, values: Float64Array) -> None:
        """Scale values of any shape (..., bands) in place."""
        values -= self._mean
        values *= self._scale


class Tile(NamedTuple):
    """Values (rows, cols, bands) and validity of a window."""

    window: Window
    values: Float32Array
    valid: BoolArray

    def cut(self, window: Window) -> Tile:
        """Return a part of the tile, as views."""
        place = window.within(self.window)
        return Tile(window, self.values[place], self.valid[place])
