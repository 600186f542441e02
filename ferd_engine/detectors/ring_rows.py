"""Squared distances of pixels beside each other in a row, each to its ring, by sums that slide along the row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..cube import BoolArray
from ..lapack import add_gram, add_gram_difference
from ..statistics import Float64Array
from ..windows import Window
from .ring_covariance import RingSums, distance_from_pixels, distances_from_sums
from .rings import DualWindow, Interval, shifted_interval

# The sums start afresh after so many pixels, so that rounding errors do not grow with the image.
RESTART_PX = 64
# They do so too where they fall below this part of the largest since their start, as beside a bright object: rounding
# errors of what has left would weigh on what is there.
_RESTART_PART = 1e-3
# Pixels whose matrices are factored together: few enough for the cache, enough to share the calls around it.
_BATCH = 4


class RingTile(NamedTuple):
    """A window's pixels in coordinates (rows, cols, p), float64, 0 where they are no background, and their rings.

    `background` (rows, cols) says which pixels take part in rings; `image` is the (rows, cols) of the whole image.
    """

    window: Window
    coordinates: Float64Array
    background: BoolArray
    image: tuple[int, int]
    rings: DualWindow

    def ring(self, row: int, col: int) -> Float64Array:
        """Return the background pixels (n, p) in the ring of one pixel."""
        outer = _square(row, col, self.rings.outer, self.image)
        place = outer.within(self.window)
        taken = self.background[place].copy()
        taken[_square(row, col, self.rings.inner, self.image).within(outer)] = False
        ring: Float64Array = self.coordinates[place][taken]
        return ring


def _square(row: int, col: int, side: int, image: tuple[int, int]) -> Window:
    """Return the window of a side around a pixel."""
    return Window(*shifted_interval(row, side, image[0]), *shifted_interval(col, side, image[1]))


class Segment(NamedTuple):
    """Pixels [start, stop) of a row of the image."""

    row: int
    start: int
    stop: int


class SegmentDistances(NamedTuple):
    """Distances (n,) of a segment's pixels, and the ranks (n,) of the rings whose covariance was short of rank."""

    values: Float64Array
    ranks: dict[int, int]


def segment_distances(kind: str, tile: RingTile, segment: Segment, pixels: Float64Array) -> SegmentDistances:
    """Return the squared distances of `pixels` (n, p) of a segment to the covariance `kind` of their rings."""
    n_dims = pixels.shape[1]
    values = np.empty(len(pixels))
    ranks: dict[int, int] = {}
    for start, sums, origin in _batches(tile, segment):
        batch = slice(start, start + len(sums.fourths))
        values[batch] = distances_from_sums(kind, pixels[batch] - origin, sums)
    for index in np.flatnonzero(np.isnan(values)):
        ring = tile.ring(segment.row, segment.start + int(index))
        values[index], rank = distance_from_pixels(kind, pixels[index], ring)
        if rank < n_dims:
            ranks[int(index)] = rank
    return SegmentDistances(values, ranks)


def _batches(tile: RingTile, segment: Segment) -> Iterator[tuple[int, RingSums, Float64Array]]:
    """Yield (index of the first pixel, sums of the rings of some pixels, origin of their coordinates)."""
    reach = tile.rings.reach(Window(segment.row, segment.row + 1, segment.start, segment.stop), *tile.image)
    place = reach.within(tile.window)
    background = tile.background[place].T
    origin = _mean(tile.coordinates[place], tile.background[place])
    columns = _augmented(tile.coordinates[place].swapaxes(0, 1), background, origin)
    sliding = _SlidingSums(tile, segment, reach, columns)
    n_dims = columns.shape[2] - 2
    for start in range(segment.start, segment.stop, _BATCH):
        count = min(_BATCH, segment.stop - start)
        sums = RingSums(
            np.empty((count, n_dims + 1, n_dims + 1)), np.empty((count, n_dims)), np.empty(count), np.empty(count)
        )
        for index in range(count):
            sliding.move_to(start + index)
            sliding.store(sums, index)
        yield start - segment.start, sums, origin


def _mean(coordinates: Float64Array, background: BoolArray) -> Float64Array:
    mean: Float64Array = coordinates.sum(axis=(0, 1)) / max(int(background.sum()), 1)
    return mean


def _augmented(coordinates: Float64Array, background: BoolArray, origin: Float64Array) -> Float64Array:
    """Return rows (cols, rows, p + 2) of 1, coordinates from the origin and their squared length; 0 if not taken."""
    rows = np.empty((*coordinates.shape[:2], coordinates.shape[2] + 2))
    rows[:, :, 0] = 1.0
    np.subtract(coordinates, origin, out=rows[:, :, 1:-1])
    np.einsum("cri,cri->cr", rows[:, :, 1:-1], rows[:, :, 1:-1], out=rows[:, :, -1])
    if not background.all():
        rows[~background] = 0.0
    return rows


class _SlidingSums:
    """The Gram matrix of the rows of a ring, moved along a row of the image by what enters and what leaves it."""

    def __init__(self, tile: RingTile, segment: Segment, reach: Window, columns: Float64Array) -> None:
        self._columns = columns
        self._left = reach.col_start
        self._n_cols = tile.image[1]
        self._rings = tile.rings
        inner_rows = shifted_interval(segment.row, tile.rings.inner, tile.image[0])
        self._inner = slice(inner_rows.start - reach.row_start, inner_rows.stop - reach.row_start)
        height, width = columns.shape[1:]
        n_moved = height + inner_rows.stop - inner_rows.start
        self._entering, self._leaving = np.empty((n_moved, width)), np.empty((n_moved, width))
        self._gram = np.zeros((width, width))
        self._col: int | None = None

    def move_to(self, col: int) -> None:
        """Move to a pixel: the next one, or any for the first time."""
        outer = shifted_interval(col, self._rings.outer, self._n_cols)
        inner = shifted_interval(col, self._rings.inner, self._n_cols)
        if self._col is None:
            self._start(outer, inner)
        else:
            self._slide(outer, inner)
        self._col, self._outer_cols, self._inner_cols = col, outer, inner

    def _start(self, outer: Interval, inner: Interval) -> None:
        columns = self._columns[outer.start - self._left : outer.stop - self._left]
        taken = np.ones(columns.shape[:2], dtype=bool)
        taken[inner.start - outer.start : inner.stop - outer.start, self._inner] = False
        self._gram[...] = 0.0
        add_gram(columns[taken], self._gram)
        self._largest, self._largest_fourth = self._sizes()

    def _sizes(self) -> tuple[float, float]:
        """Return the largest sum of squares of a coordinate, and the sum of the fourth powers of the lengths."""
        squares = self._gram.diagonal()
        return float(squares[1:-1].max()), float(squares[-1])

    def _slide(self, outer: Interval, inner: Interval) -> None:
        moved = 0
        if outer.start != self._outer_cols.start:
            moved = self._columns.shape[1]
            self._entering[:moved] = self._columns[outer.stop - 1 - self._left]
            self._leaving[:moved] = self._columns[self._outer_cols.start - self._left]
        if inner.start != self._inner_cols.start:
            before, moved = moved, moved + self._inner.stop - self._inner.start
            self._entering[before:moved] = self._columns[self._inner_cols.start - self._left, self._inner]
            self._leaving[before:moved] = self._columns[inner.stop - 1 - self._left, self._inner]
        if moved:
            add_gram_difference(self._entering[:moved], self._leaving[:moved], self._gram)
            square, fourth = self._sizes()
            if square < _RESTART_PART * self._largest or fourth < _RESTART_PART * self._largest_fourth:
                self._start(outer, inner)
                return
            self._largest = max(self._largest, square)
            self._largest_fourth = max(self._largest_fourth, fourth)

    def store(self, sums: RingSums, index: int) -> None:
        """Copy the sums of the present pixel."""
        sums.grams[index] = self._gram[:-1, :-1]
        sums.thirds[index] = self._gram[1:-1, -1]
        sums.fourths[index] = self._gram[-1, -1]
        sums.largest[index] = self._largest
