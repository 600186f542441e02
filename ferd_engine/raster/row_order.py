"""A copy of a tiled raster in row order, for memory budgets that do not hold a row of its tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..context import RunContext
from ..progress import ProgressSpan
from ..windows import Window, shifted, tiles
from .source import Block, FloatArray, Source, target

# Windows with a halo go down the image in full rows. Where the rows of tiles that one of them touches would take more
# than this part of the free memory, the tiles are put into row order first.
_HELD_PART = 3
# The height of the lowest window, with the widest halo.
_LOWEST_ROWS = 24


class RowOrderSource:
    """The bands `numbers` of a source, read tile by tile into a scratch file and from then on from there."""

    block_rows = 1
    block_cols = 1

    def __init__(self, source: Source, numbers: Sequence[int], context: RunContext) -> None:
        self._source = source
        self._place = {number: place for place, number in enumerate(numbers)}
        self.path = source.path
        self.n_rows, self.n_cols = source.n_rows, source.n_cols
        self.bands = source.bands
        self.georeference = source.georeference
        self.dtype = source.dtype
        self.files = source.files
        self._store = context.scratch_cube(self.n_rows, self.n_cols, len(numbers), np.dtype(source.dtype))
        self._complete = True
        self._copy(numbers, context)

    def _copy(self, numbers: Sequence[int], context: RunContext) -> None:
        progress = ProgressSpan(context.progress, 0.0, 1.0)
        for window in _tile_windows(self._source, len(numbers), context.free_bytes):
            progress.step(window.row_start / self.n_rows, "Reading")
            values, complete = self._source.read(window, numbers)
            self._complete = self._complete and complete
            self._store.write(window, values)

    def read(self, window: Window, numbers: Sequence[int], out: FloatArray | None = None) -> Block:
        """Read a window from the copy."""
        stored = self._store.read_values(window)
        values = target(out, (*window.shape, len(numbers)), self.dtype)
        places = [self._place[number] for number in numbers]
        if places == list(range(stored.shape[2])):
            values[...] = stored
        else:
            np.take(stored, places, axis=2, out=values, mode="clip")
        return Block(values, self._complete or not np.isnan(values).any())

    def row_bytes(self, n_rows: int, n_bands: int) -> int:
        """Return the size of a window as it is read from the copy, and of one band of NaN flags at a time."""
        return n_rows * self.n_cols * (len(self._place) * np.dtype(self.dtype).itemsize + n_bands)

    def reopened(self) -> RowOrderSource:
        """Return itself: reads of the copy take turns."""
        return self

    def close(self) -> None:
        """Drop the copy and close the source."""
        self._store.close()
        self._source.close()


def in_row_order(source: Source, numbers: Sequence[int], context: RunContext) -> Source:
    """Return the source itself, or its copy in row order where its tiles are too large for the memory budget."""
    tile_rows = source.row_bytes(_LOWEST_ROWS, len(numbers))
    if context.scratch_folder is None or tile_rows <= max(context.free_bytes // _HELD_PART, 1):
        return source
    if source.block_rows == 1 or source.block_cols >= source.n_cols:
        return source
    return RowOrderSource(source, numbers, context)


def _tile_windows(source: Source, n_bands: int, free_bytes: int) -> Iterator[Window]:
    """Yield windows of whole tiles, or of as many of a tile's rows as the memory holds, tile by tile."""
    # As stored, at most 8 bytes a value, and as read.
    row_bytes = source.block_cols * n_bands * (8 + np.dtype(source.dtype).itemsize)
    n_rows = max(min(source.block_rows, free_bytes // 2 // row_bytes), 1)
    for tile in tiles(source.n_rows, source.n_cols, source.block_rows, source.block_cols):
        for part in tiles(tile.n_rows, tile.n_cols, n_rows, tile.n_cols):
            yield shifted(part, tile)
