"""Inner products of the pixels of rings, taken from those of all pixels around a group of neighbours.

Rings of neighbouring pixels share most of their pixels: the products of a group cost a third of those of its rings.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..lapack import row_gram
from ..statistics import Float64Array
from ..windows import Window
from .rings import DualWindow, shifted_interval

# The products of this many pixels take 8 MiB, which still lie in a cache.
_MOST_PIXELS = 1 << 10


def group_side(rings: DualWindow, n_pixels: int) -> int:
    """Return the side of the square groups in which rings of `n_pixels` share products; 1 where that does not pay.

    A group of side g needs the products of (outer + g - 1)^2 pixels, for g^2 rings.

    >>> group_side(DualWindow(11, 15), 104), group_side(DualWindow(51, 55), 424)
    (14, 1)
    """
    side = 1
    while side < rings.outer - 1 and (rings.outer + side) ** 2 <= _MOST_PIXELS:
        side += 1
    return side if side * n_pixels > (rings.outer + side - 1) ** 2 else 1


class RingForm(NamedTuple):
    """A ring within its outer window (rows, cols): what the inner one leaves out of it, and the pixel in the middle."""

    outer: tuple[int, int]
    inner: tuple[int, int, int, int]
    middle: tuple[int, int]


class RingRun(NamedTuple):
    """Rings of one form around pixels beside each other in a row: the first one's corner, and how many they are."""

    form: RingForm
    top: int
    left: int
    n_rings: int


def ring_runs(rings: DualWindow, image: tuple[int, int], row: int, cols: range) -> list[RingRun]:
    """Return the rings of pixels in a row of the image: one run of them, and more beside its edge.

    >>> [(run.form.inner, run.left, run.n_rings) for run in ring_runs(DualWindow(1, 3), (9, 5), 4, range(5))]
    [((1, 2, 0, 1), 0, 1), ((1, 2, 1, 2), 0, 3), ((1, 2, 2, 3), 2, 1)]
    """
    runs: list[RingRun] = []
    top, bottom = shifted_interval(row, rings.outer, image[0])
    inner_rows = shifted_interval(row, rings.inner, image[0])
    for col in cols:
        left, right = shifted_interval(col, rings.outer, image[1])
        inner_cols = shifted_interval(col, rings.inner, image[1])
        form = RingForm(
            (bottom - top, right - left),
            (inner_rows.start - top, inner_rows.stop - top, inner_cols.start - left, inner_cols.stop - left),
            (row - top, col - left),
        )
        if runs and runs[-1].form == form:
            runs[-1] = runs[-1]._replace(n_rings=runs[-1].n_rings + 1)
        else:
            runs.append(RingRun(form, top, left, 1))
    return runs


class SharedGram:
    """Inner products of the pixels (rows, cols, k) of a window, float64, for the rings that lie in it.

    `side` is that of the group that they are for; where it is 1, products are computed when they are asked for.
    """

    def __init__(self, window: Window, pixels: Float64Array, side: int) -> None:
        self._window = window
        # As many forms as a row of the group may have.
        self._known: dict[RingForm, NDArray[np.intp]] = {}
        self._most_known = side
        self.pixels = np.ascontiguousarray(pixels).reshape(window.n_pixels, -1)
        self._products: Float64Array | None = None
        if side > 1:
            products = np.empty((window.n_pixels, window.n_pixels))
            row_gram(self.pixels, products)
            self._products = products.reshape(-1)

    @staticmethod
    def working_bytes(rings: DualWindow, side: int, n_dims: int) -> int:
        """Return the bytes that the pixels of a group of this side take with their products, or a ring's pixels."""
        n_pixels = (rings.outer + side - 1) ** 2
        return 8 * n_pixels * (n_pixels + n_dims if side > 1 else 2 * n_dims)

    def store(self, runs: list[RingRun], products: Float64Array) -> NDArray[np.intp]:
        """Store the products of the m rings of some runs, and return the places (m, n) of their pixels in `pixels`.

        `products` (m, n + 1, n + 1) gets those of each ring's pixels and, in the last column, those with the pixel in
        its middle. Only the upper triangles are meant.
        """
        window, done = self._window, 0
        places = np.empty(products.shape[:2], dtype=np.intp)
        for run in runs:
            start = (run.top - window.row_start) * window.n_cols + run.left - window.col_start
            for index in range(done, done + run.n_rings):
                np.add(_places(run.form, window.n_cols), start, out=places[index])
                if self._products is None:
                    row_gram(self.pixels[places[index]], products[index])
                else:
                    # Rings of one form differ in where they start, and their products in steps along the diagonal.
                    first = self._products[start * (window.n_pixels + 1) :]
                    np.take(first, self._squares(run.form), out=products[index], mode="clip")
                start += 1
            done += run.n_rings
        return places[:, :-1]

    def _squares(self, form: RingForm) -> NDArray[np.intp]:
        """Return where the products (n + 1, n + 1) of a ring lie, counted from that of its first corner with itself."""
        if form not in self._known:
            if len(self._known) == self._most_known:
                self._known.clear()
            places, n_pixels = _places(form, self._window.n_cols), self._window.n_pixels
            # The ring's pixels come in the order of the window, so their products lie in its upper triangle.
            square = places[:, None] * n_pixels + places
            square[:, -1] = np.minimum(places, places[-1]) * n_pixels + np.maximum(places, places[-1])
            self._known[form] = square
        return self._known[form]


@lru_cache(maxsize=1 << 10)
def _places(form: RingForm, width: int) -> NDArray[np.intp]:
    """Return where the pixels of a ring and last the one in its middle lie, (n + 1,), counted from its corner."""
    taken = np.ones(form.outer, dtype=bool)
    taken[form.inner[0] : form.inner[1], form.inner[2] : form.inner[3]] = False
    rows, cols = np.nonzero(taken)
    places: NDArray[np.intp] = np.append(rows * width + cols, form.middle[0] * width + form.middle[1])
    places.flags.writeable = False
    return places
