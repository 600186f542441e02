"""How large a block of an image may be.

Three limits act together, for three reasons:

- `block_shape` keeps a block and everything computed from it within the memory budget.
- It also stays below `_MOST_PIXELS`. Larger blocks were slower: the first touch of fresh memory costs time, and a block
  of moderate size uses the same buffers again.
- A cancel is asked for between two reads and so waits for one of them. The first pass, which does little with a block,
  therefore takes low ones (`scan._LOW_BLOCK_BYTES`), and the enhancement, whose blocks suit FEN, reads each of them in
  pieces (`features._PIECE_VALUES`). Both come to about 16 MiB.
"""

from __future__ import annotations

from typing import Callable

from .raster import Source

# See above.
_MOST_PIXELS = 1 << 16
# Heights, where nothing else is asked for, and widths are multiples of the smallest tile that GeoTIFF allows, so that
# no tile is written twice.
TILE_STEP = 16


def block_shape(
    source: Source,
    n_bands: int,
    free_bytes: int,
    bytes_of: Callable[[int, int], int],
    halo_px: int = 0,
    step: int = TILE_STEP,
    most_read: int | None = None,
) -> tuple[int, int]:
    """Return rows and columns of the largest block of which all buffers stay within `free_bytes`.

    `bytes_of(rows, cols)` is what the caller needs for a block; what the source holds for full rows comes on top: for
    those of the block and its halo, or for `most_read` rows where the caller reads no more of them at a time.
    Blocks are full rows where `step` of them fit, since the source then reads each byte once; else as wide as the
    file's tiles, or narrower, and 16 rows high or more. Heights are multiples of `step`.
    """

    def fits(rows: int, cols: int) -> bool:
        read = rows + 2 * halo_px
        if cols == source.n_cols:
            held = source.row_bytes(read if most_read is None else min(read, most_read), n_bands)
        else:
            # A window as the file stores it, at most 8 bytes a value.
            held = read * (cols + 2 * halo_px) * n_bands * 8
        return held + bytes_of(rows, cols) <= free_bytes

    rows, cols = step, source.n_cols
    if not fits(rows, cols):
        rows = -(-TILE_STEP // step) * step
        while cols > TILE_STEP and not fits(rows, cols):
            cols = _narrower(cols, source.block_cols)
    while (rows + step) * cols <= _MOST_PIXELS and rows < source.n_rows and fits(rows + step, cols):
        rows += step
    if step == TILE_STEP and rows > 64:
        # 64 divides the height where possible: the tile height of enhanced cubes.
        rows -= rows % 64
    return min(rows, source.n_rows), cols


def _narrower(cols: int, tile_cols: int) -> int:
    """Return about half the columns: whole tiles of the file while they last, then a multiple of 256, then of 16."""
    step = next((step for step in (tile_cols, 256, TILE_STEP) if step % TILE_STEP == 0 and cols > 2 * step), TILE_STEP)
    return max((cols // 2) // step * step, TILE_STEP)
