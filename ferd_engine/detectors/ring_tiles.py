"""Tiles for detectors that look at the ring around each pixel."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..cube import Cube
from ..windows import Window, tiles
from .rings import DualWindow

# Larger tiles are not faster.
_TILE_BYTES = 128 << 20


def tile_pixel_bytes(n_bands: int, n_dims: int) -> int:
    """Return what a pixel of a reach takes: its values, float32 or float64, a float64 copy, n_dims coordinates."""
    return 16 * n_bands + 8 * n_dims + 2


def ring_tiles(cube: Cube, rings: DualWindow, n_dims: int, free_bytes: int) -> Iterator[Window]:
    """Yield cores that cover the cube once and whose reach fits into the memory: of full rows, or about square."""
    halo = rings.outer - 1
    n_pixels = max(min(free_bytes, _TILE_BYTES), 0) // tile_pixel_bytes(cube.n_bands, n_dims)
    rows = n_pixels // cube.n_cols - halo
    if rows >= min(halo, cube.n_rows):
        return tiles(cube.n_rows, cube.n_cols, rows, cube.n_cols)
    side = max(math.isqrt(n_pixels) - halo, 1)
    return tiles(cube.n_rows, cube.n_cols, side, side)
