"""Dual windows: where the background of each pixel lies, in whole numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, UsageError
from ..windows import Window


class Interval(NamedTuple):
    """Positions [start, stop) along one axis."""

    start: int
    stop: int


def shifted_interval(position: int, size: int, length: int) -> Interval:
    """Return `size` positions around one, shifted where they would leave [0, length), as Spectral Python does.

    A size above the length gives all positions.

    >>> [tuple(shifted_interval(i, 3, 5)) for i in range(5)]
    [(0, 3), (0, 3), (1, 4), (2, 5), (2, 5)]
    """
    size = min(size, length)
    start = min(max(position - size // 2, 0), length - size)
    return Interval(start, start + size)


class DualWindow(NamedTuple):
    """Sides in pixels, both odd: the background of a pixel is its outer window without its inner one.

    Both are shifted inside at the image's edge, and cut off where the image is smaller than they are.
    """

    inner: int
    outer: int

    def check(self) -> None:
        """Raise `UsageError` unless both sides are odd and the outer one is larger."""
        for name, side in (("inner", self.inner), ("outer", self.outer)):
            if side < 1 or side % 2 == 0:
                raise UsageError(
                    f"The {name} window is {side} pixels wide: give an odd number, so that it has a middle."
                )
        if self.inner >= self.outer:
            raise UsageError(
                f"The inner window of {self.inner} pixels leaves nothing of the outer one of {self.outer}: give a "
                "larger outer window."
            )

    def check_image(self, n_rows: int, n_cols: int) -> None:
        """Raise `InputError` where an image of this size lies within the inner window, so that no ring has a pixel."""
        if self.n_pixels(n_rows, n_cols) == 0:
            raise InputError(
                f"The image of {n_rows} x {n_cols} pixels lies within the inner window of {self.inner}: give a "
                "smaller --inner, or take the detector grx."
            )

    def n_pixels(self, n_rows: int, n_cols: int) -> int:
        """Return how many pixels a ring has in an image of this size: the same number everywhere."""
        inner, outer = ((min(side, n_rows), min(side, n_cols)) for side in self)
        return outer[0] * outer[1] - inner[0] * inner[1]

    def squares(self, row: int, col: int, image: tuple[int, int]) -> tuple[Window, Window]:
        """Return the inner and the outer window of a pixel of an image of (rows, cols)."""
        inner, outer = (
            Window(*shifted_interval(row, side, image[0]), *shifted_interval(col, side, image[1])) for side in self
        )
        return inner, outer

    def places(self, part: Window, window: Window, image: tuple[int, int]) -> NDArray[np.intp]:
        """Return where the pixels of rings lie in `window`, counted row by row: (m, n) for the m pixels of `part`."""
        places = np.empty((part.n_pixels, self.n_pixels(*image)), dtype=np.intp)
        for index in range(part.n_pixels):
            row, col = divmod(index, part.n_cols)
            inner, outer = self.squares(part.row_start + row, part.col_start + col, image)
            taken = np.ones(outer.shape, dtype=bool)
            taken[inner.within(outer)] = False
            rows, cols = np.nonzero(taken)
            top, left = outer.row_start - window.row_start, outer.col_start - window.col_start
            places[index] = (rows + top) * window.n_cols + cols + left
        return places

    def reach(self, core: Window, n_rows: int, n_cols: int) -> Window:
        """Return the window that holds the outer windows of all pixels of `core`."""
        return Window(
            shifted_interval(core.row_start, self.outer, n_rows).start,
            shifted_interval(core.row_stop - 1, self.outer, n_rows).stop,
            shifted_interval(core.col_start, self.outer, n_cols).start,
            shifted_interval(core.col_stop - 1, self.outer, n_cols).stop,
        )


def outer_for_rank(inner: int, rank: int) -> int:
    """Return the smallest odd side whose ring holds two pixels per dimension and is at least two pixels wide.

    With 2 B samples an estimated covariance of B bands costs half the signal-to-noise ratio of the true one: Reed,
    Mallett and Brennan, "Rapid convergence rate in adaptive arrays", IEEE TAES 10 (1974), eq. 18.

    >>> outer_for_rank(11, 200), outer_for_rank(11, 3)
    (23, 15)
    """
    outer = inner + 4
    while outer * outer - inner * inner < 2 * rank:
        outer += 2
    return outer
