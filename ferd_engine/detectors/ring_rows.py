"""Squared distances of the pixels of a few rows, each to its ring."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..accelerator import Accelerator
from ..cube import BoolArray
from ..statistics import Float64Array
from ..windows import Window
from .gross import GROSS_DEVIATIONS
from .ring_covariance import distance_from_pixels, distances_from_sums
from .ring_sums import RingSums
from .rings import DualWindow


class RingTile(NamedTuple):
    """A window's pixels in coordinates (rows, cols, p), float64, 0 where they are invalid, and their rings.

    `background` (rows, cols) says which pixels take part in rings; `image` is the (rows, cols) of the whole image.
    """

    window: Window
    coordinates: Float64Array
    background: BoolArray
    image: tuple[int, int]
    rings: DualWindow

    def ring(self, row: int, col: int) -> Float64Array:
        """Return the background pixels (n, p) in the ring of one pixel."""
        inner, outer = self.rings.squares(row, col, self.image)
        place = outer.within(self.window)
        taken = self.background[place].copy()
        taken[inner.within(outer)] = False
        ring: Float64Array = self.coordinates[place][taken]
        return ring


class RingDistances(NamedTuple):
    """Distances (rows, cols), and the ranks of the rings whose covariance was short of rank, by (row, col)."""

    values: Float64Array
    ranks: dict[tuple[int, int], int]


def ring_distances(kind: str, tile: RingTile, part: Window, accelerator: Accelerator | None = None) -> RingDistances:
    """Return the squared distances of the pixels of a part of the tile to the covariance `kind` of their rings.

    The part has a few rows, whose sums are moved together.
    """
    pixels = tile.coordinates[part.within(tile.window)]
    if accelerator is None:
        values = _from_moved_sums(kind, tile, part, pixels)
    else:
        values = _from_pixels(kind, tile, part, pixels, accelerator)
    ranks: dict[tuple[int, int], int] = {}
    for row, index in np.argwhere(np.isnan(values)).tolist():
        ring = tile.ring(part.row_start + row, part.col_start + index)
        values[row, index], rank = distance_from_pixels(kind, pixels[row, index], ring)
        if rank < pixels.shape[2]:
            ranks[row, index] = rank
    return RingDistances(values, ranks)


def _from_pixels(
    kind: str, tile: RingTile, part: Window, pixels: Float64Array, accelerator: Accelerator
) -> Float64Array:
    """Return distances (rows, cols), each from its ring's pixels; NaN where rounding cost more than last digits."""
    reach = tile.rings.reach(part, *tile.image)
    place, n_dims = reach.within(tile.window), pixels.shape[2]
    around, background = tile.coordinates[place].reshape(-1, n_dims), tile.background[place].reshape(-1)
    places = tile.rings.places(part, reach, tile.image)
    values = accelerator.ring_distances(kind, pixels.reshape(-1, n_dims), around, background, places)
    return values.reshape(part.shape)


def _from_moved_sums(kind: str, tile: RingTile, part: Window, pixels: Float64Array) -> Float64Array:
    """Return distances (rows, cols) from sums moved from pixel to pixel; NaN where these lost digits."""
    reach = tile.rings.reach(part, *tile.image)
    place = reach.within(tile.window)
    background = tile.background[place].T
    origin = _mean(tile.coordinates[place], tile.background[place])
    columns = _augmented(tile.coordinates[place].swapaxes(0, 1), background, origin)
    sliding = RingSums(tile.rings, tile.image, reach, part, columns)
    width = columns.shape[2]
    sums = np.empty((part.n_rows, width, width))
    values = np.empty(part.shape)
    for index, col in enumerate(range(part.col_start, part.col_stop)):
        sliding.store(col, sums)
        values[:, index] = distances_from_sums(
            kind, pixels[:, index] - origin, sums, sliding.largest, sliding.largest_fourth
        )
    return values


def _mean(coordinates: Float64Array, background: BoolArray) -> Float64Array:
    """Return the mean (p,) of the background pixels, without gross ones: they would take it far from all others."""
    if max(coordinates.max(), -coordinates.min()) > GROSS_DEVIATIONS:
        background = background & (np.abs(coordinates).max(axis=2) <= GROSS_DEVIATIONS)
    taken = coordinates if background.all() else coordinates[background][:, np.newaxis]
    mean: Float64Array = taken.sum(axis=(0, 1)) / max(int(background.sum()), 1)
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
