"""Tiles for detectors that look at the ring around each pixel."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..cube import Cube
from ..windows import Window, tiles
from .rings import DualWindow

# Larger tiles are not faster.
_TILE_BYTES = 128 << 20


def ring_tiles(cube: Cube, rings: DualWindow, n_dims: int, free_bytes: int) -> Iterator[Window]:
    """Yield cores that cover the cube once and whose reach fits into the memory: of full rows, or about square.

    Each pixel of a reach takes its values as read, float32 or float64, a float64 copy of them, and n_dims coordinates.
    """
    halo = rings.outer - 1
    pixel_bytes = 16 * cube.n_bands + 8 * n_dims + 2
    n_pixels = max(min(free_bytes, _TILE_BYTES), 0) // pixel_bytes
    rows = n_pixels // cube.n_cols - halo
    if rows >= min(halo, cube.n_rows):
        return tiles(cube.n_rows, cube.n_cols, rows, cube.n_cols)
    side = max(math.isqrt(n_pixels) - halo, 1)
    return tiles(cube.n_rows, cube.n_cols, side, side)
