"""Sums over the rings of pixels above each other, moved along their rows by what enters and what leaves."""

from __future__ import annotations

import numpy as np

from ..lapack import add_gram, add_gram_differences
from ..statistics import Float64Array
from ..windows import Window
from .rings import DualWindow, Interval, shifted_interval

# The sums start afresh where one falls below this part of the largest since their start, as beside a bright object:
# rounding errors of what has left would weigh on what is there.
_RESTART_PART = 1e-3


class RingSums:
    """Gram matrices of the rows (1, x, |x|^2) of the rings of pixels in one column, for a few rows of the image.

    The ring of the first row moves to the next column by the columns of pixels that enter and leave it. From one row to
    the next the rings differ by four lines: the lowest one of the outer window enters, its highest leaves, and with the
    inner window it is the other way round. The Gram matrix of these lines, with signs, moves by their ends alone: 8
    pixels, where a ring's own would move by 2 (outer + inner).

    Parameters
    ----------
    rings, image
        The windows, and the (rows, cols) of the image.
    reach
        Where the outer windows of all pixels of `part` lie.
    part
        The pixels that are asked for, row by row.
    columns
        Rows (1, x, |x|^2) of the pixels of `reach`, (cols, rows, k), float64, 0 where a pixel is no background.
    """

    def __init__(
        self, rings: DualWindow, image: tuple[int, int], reach: Window, part: Window, columns: Float64Array
    ) -> None:
        self._rings, self._n_cols, self._left = rings, image[1], reach.col_start
        self._columns = columns
        n_rows, width = part.n_rows, columns.shape[2]
        self._outer = [_rows(row, rings.outer, image[0], reach) for row in range(part.row_start, part.row_stop)]
        self._inner = [_rows(row, rings.inner, image[0], reach) for row in range(part.row_start, part.row_stop)]
        self._first = np.zeros((width, width))
        self._steps = np.zeros((n_rows - 1, width, width))
        # Of each step from a row to the next: the lines that enter and leave the outer window, then the inner one.
        pairs = list(zip(self._outer[1:], self._outer, self._inner[1:], self._inner))
        self._lines = np.array([_lines(*pair) for pair in pairs], dtype=np.intp).reshape(n_rows - 1, 4)
        self._moves = np.array(
            [[outer != before] * 2 + [inner != former] * 2 for outer, before, inner, former in pairs], dtype=bool
        ).reshape(n_rows - 1, 4)
        self._col: int | None = None
        self._largest = np.zeros(n_rows)
        self._largest_fourth = np.zeros(n_rows)

    def store(self, col: int, sums: Float64Array) -> None:
        """Store the Gram matrices (rows, k, k) for a column: the next one, or any for the first time.

        Upper triangles; below the diagonal is 0.
        """
        outer = shifted_interval(col, self._rings.outer, self._n_cols)
        inner = shifted_interval(col, self._rings.inner, self._n_cols)
        if self._col is None:
            self._start(outer, inner, sums)
        else:
            self._slide(outer, inner)
            self._add_up(sums)
            squares, fourths = _sizes(sums)
            if (squares < _RESTART_PART * self._largest).any() or (
                fourths < _RESTART_PART * self._largest_fourth
            ).any():
                self._start(outer, inner, sums)
            else:
                np.maximum(self._largest, squares, out=self._largest)
                np.maximum(self._largest_fourth, fourths, out=self._largest_fourth)
        self._col, self._outer_cols, self._inner_cols = col, outer, inner

    @property
    def largest(self) -> Float64Array:
        """The largest sum of squares of a coordinate (rows,) that went into the sums of each row since their start.

        The sums of a row are made of those of the rows above it, so these count too.
        """
        largest: Float64Array = np.maximum.accumulate(self._largest)
        return largest

    @property
    def largest_fourth(self) -> Float64Array:
        """The largest sum of the fourth powers of the lengths (rows,), likewise."""
        largest: Float64Array = np.maximum.accumulate(self._largest_fourth)
        return largest

    def _start(self, outer: Interval, inner: Interval, sums: Float64Array) -> None:
        columns = self._columns[outer.start - self._left : outer.stop - self._left]
        middle = slice(inner.start - outer.start, inner.stop - outer.start)
        taken = np.zeros(columns.shape[:2], dtype=bool)
        taken[:, self._outer[0]] = True
        taken[middle, self._inner[0]] = False
        self._first[...] = 0.0
        add_gram(columns[taken], self._first)
        self._steps[...] = 0.0
        for step, lines, moves in zip(self._steps, self._lines, self._moves):
            for line, moved, part, leaving in zip(
                lines, moves, (slice(None), slice(None), middle, middle), (False, True, True, False)
            ):
                if moved:
                    add_gram(np.ascontiguousarray(columns[part, line]), step, leaving=leaving)
        self._add_up(sums)
        self._largest, self._largest_fourth = _sizes(sums)

    def _slide(self, outer: Interval, inner: Interval) -> None:
        left = self._left
        before, former = self._outer_cols, self._inner_cols
        if outer != before:
            add_gram(self._columns[outer.stop - 1 - left, self._outer[0]], self._first)
            add_gram(self._columns[before.start - left, self._outer[0]], self._first, leaving=True)
        if inner != former:
            add_gram(self._columns[inner.stop - 1 - left, self._inner[0]], self._first, leaving=True)
            add_gram(self._columns[former.start - left, self._inner[0]], self._first)
        if len(self._steps) and (outer != before or inner != former):
            # Where a window has not moved, the same pixel enters and leaves.
            ahead = [outer.stop - 1 if outer != before else before.start] * 2
            ahead += [inner.stop - 1 if inner != former else former.start] * 2
            behind = [before.start] * 2 + [former.start] * 2
            ahead_or_behind = np.array([ahead, behind], dtype=np.intp) - left
            enters = np.where(self._moves, ahead_or_behind[[0, 1, 1, 0], range(4)], 0)
            leaves = np.where(self._moves, ahead_or_behind[[1, 0, 0, 1], range(4)], 0)
            add_gram_differences(self._columns[enters, self._lines], self._columns[leaves, self._lines], self._steps)

    def _add_up(self, sums: Float64Array) -> None:
        sums[0] = self._first
        for row, step in enumerate(self._steps):
            np.add(sums[row], step, out=sums[row + 1])


def _rows(row: int, side: int, n_rows: int, reach: Window) -> slice:
    start, stop = shifted_interval(row, side, n_rows)
    return slice(start - reach.row_start, stop - reach.row_start)


def _lines(outer: slice, before: slice, inner: slice, former: slice) -> tuple[int, int, int, int]:
    """Return the line that enters and the one that leaves the outer window from one row to the next, and the inner."""
    return outer.stop - 1, before.start, inner.stop - 1, former.start


def _sizes(sums: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return the largest sum of squares of a coordinate, and the sum of the fourth powers of the lengths."""
    squares = np.einsum("rii->ri", sums)
    return squares[:, 1:-1].max(axis=1), squares[:, -1].copy()
