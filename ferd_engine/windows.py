"""Integer windows: half-open, without I/O and without map coordinates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Window(NamedTuple):
    """Rows [row_start, row_stop) and columns [col_start, col_stop) of an image."""

    row_start: int
    row_stop: int
    col_start: int
    col_stop: int

    @property
    def n_rows(self) -> int:
        return self.row_stop - self.row_start

    @property
    def n_cols(self) -> int:
        return self.col_stop - self.col_start

    @property
    def shape(self) -> tuple[int, int]:
        return self.n_rows, self.n_cols

    @property
    def n_pixels(self) -> int:
        return self.n_rows * self.n_cols

    def within(self, outer: Window) -> tuple[slice, slice]:
        """Return the slices that cut this window out of an array that covers `outer`.

        >>> Window(4, 6, 3, 9).within(Window(2, 8, 3, 12))
        (slice(2, 4, None), slice(0, 6, None))
        """
        return (
            slice(self.row_start - outer.row_start, self.row_stop - outer.row_start),
            slice(self.col_start - outer.col_start, self.col_stop - outer.col_start),
        )


def whole(n_rows: int, n_cols: int) -> Window:
    """Return the window of a whole image."""
    return Window(0, n_rows, 0, n_cols)


def tiles(n_rows: int, n_cols: int, tile_rows: int, tile_cols: int) -> Iterator[Window]:
    """Yield windows in row-major order that cover the image once and only once.

    The last window of a row or column is ragged where the tile does not divide the image.

    >>> [tuple(w) for w in tiles(3, 4, 2, 4)]
    [(0, 2, 0, 4), (2, 3, 0, 4)]
    """
    for row in range(0, n_rows, tile_rows):
        for col in range(0, n_cols, tile_cols):
            yield Window(row, min(row + tile_rows, n_rows), col, min(col + tile_cols, n_cols))


def shifted(part: Window, origin: Window) -> Window:
    """Return a window whose place is given within `origin`, with its place in the image.

    >>> tuple(shifted(Window(1, 2, 0, 5), Window(10, 20, 30, 40)))
    (11, 12, 30, 35)
    """
    row, col = origin.row_start, origin.col_start
    return Window(part.row_start + row, part.row_stop + row, part.col_start + col, part.col_stop + col)


def columns_of_tiles(n_rows: int, n_cols: int, tile_rows: int, tile_cols: int) -> Iterator[Window]:
    """Yield the windows of `tiles` in column-major order: down the image first.

    >>> [tuple(w) for w in columns_of_tiles(3, 4, 2, 2)]
    [(0, 2, 0, 2), (2, 3, 0, 2), (0, 2, 2, 4), (2, 3, 2, 4)]
    """
    for col in range(0, n_cols, tile_cols):
        for row in range(0, n_rows, tile_rows):
            yield Window(row, min(row + tile_rows, n_rows), col, min(col + tile_cols, n_cols))


def expand(window: Window, halo_px: int, n_rows: int, n_cols: int) -> Window:
    """Return the window grown by `halo_px` on each side, cut off at the image's edge."""
    return Window(
        max(window.row_start - halo_px, 0),
        min(window.row_stop + halo_px, n_rows),
        max(window.col_start - halo_px, 0),
        min(window.col_stop + halo_px, n_cols),
    )


def reflected(start: int, stop: int, length: int) -> NDArray[np.intp]:
    """Return indices into [0, length) for positions [start, stop), mirrored at both ends without repeating the edge.

    Mirrors as often as needed, like `numpy.pad(mode="reflect")`, so that an image narrower than the halo works too;
    a length of 1 repeats its only index.

    >>> reflected(-2, 5, 4).tolist()
    [2, 1, 0, 1, 2, 3, 2]
    """
    positions = np.arange(start, stop)
    if length == 1:
        return np.zeros(len(positions), dtype=np.intp)
    period = 2 * (length - 1)
    folded = np.abs(positions) % period
    return np.where(folded < length, folded, period - folded).astype(np.intp)
