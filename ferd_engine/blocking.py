"""How large a block may be, from the memory budget; and the blocks of an image with their halo."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable

from .raster import Source
from .windows import Window, tiles

# Larger blocks gain nothing, and progress and cancel are polled once per block.
_MOST_PIXELS = 1 << 16
# Heights and widths are multiples of the smallest tile that GeoTIFF allows, so that no tile is written twice.
_STEP = 16


def block_shape(
    source: Source, free_bytes: int, bytes_of: Callable[[int, int], int], *, most_pixels: int = _MOST_PIXELS
) -> tuple[int, int]:
    """Return rows and columns of the largest block for which `bytes_of(rows, cols)` stays within `free_bytes`.

    Blocks are full rows where 16 of them fit, since that reads each byte of the file once; else 256 columns or fewer.
    Rows are a multiple of 16, and of the file's own block rows where those are small enough.
    """

    def fits(rows: int, cols: int) -> bool:
        return rows * cols <= max(most_pixels, _STEP * cols) and bytes_of(rows, cols) <= free_bytes

    cols = source.n_cols
    while cols > _STEP and not fits(_STEP, cols):
        cols = _halved(cols)
    rows = _STEP
    while rows < source.n_rows and fits(2 * rows, cols):
        rows *= 2
    while rows < source.n_rows and fits(rows + _STEP, cols):
        rows += _STEP
    if rows > source.block_rows and source.block_rows % _STEP == 0:
        rows -= rows % source.block_rows
    return min(rows, source.n_rows), cols


def _halved(cols: int) -> int:
    """Return about half the columns, rounded up to a multiple of the tile width 256 or of 16 below that."""
    step = 256 if cols > 512 else _STEP
    return -(-(cols // 2) // step) * step


def blocks(source: Source, shape: tuple[int, int]) -> Iterator[tuple[float, Window]]:
    """Yield (part of the image done before it, window) for each block."""
    total = source.n_rows * source.n_cols
    done = 0
    for window in tiles(source.n_rows, source.n_cols, *shape):
        yield done / total, window
        done += window.n_pixels
