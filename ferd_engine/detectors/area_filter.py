"""Area openings and closings of an image with holes: what is small is levelled to its surroundings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..cube import BoolArray
from ..statistics import Float64Array

# What a pixel takes while it is filtered, and a batch of maxima that grow at once.
PIXEL_BYTES = 96
BATCH_BYTES = 2 << 20
# A place beside a maximum: its number and rank, twice while one is added, and its comparisons with four others.
_PLACE_BYTES = 36
# Maxima have room for so many pixels at first, and for so many times as many whenever that is not enough.
_FIRST_AREA = 8
_GROWTH = 4

_Places = NDArray[np.intp]


def area_opening(image: Float64Array, valid: BoolArray, area: int) -> Float64Array:
    """Return the area opening (rows, cols) of an image; invalid pixels keep their value and belong to no region.

    Vincent, "Grayscale area openings and closings, their efficient implementation and applications", Mathematical
    Morphology and its Applications to Signal Processing (1993): each pixel is lowered to the highest level at which it
    lies in a region of `area` pixels or more, 4-connected and nowhere below that level. A region of valid pixels that
    has fewer in all is lowered to its minimum. The closing is the negative of the opening of the negative.

    Ranks stand for values, with ties broken by position, which changes no level. A maximum grows by the highest pixel
    beside it until it has `area` pixels, or meets one above itself: from the level of that meeting on, its region is
    that of the higher maximum. A pixel that leads up to a maximum is cut off at the maximum's level. No pixel matters
    `area` or more rows or columns away.
    """
    n_cols = image.shape[1] + 2
    values = image[valid]
    order = np.argsort(values, kind="stable")
    levels = values[order]
    inside = np.empty(len(order), dtype=np.intp)
    inside[order] = np.arange(len(order))
    del values, order
    padded = np.full((image.shape[0] + 2, n_cols), -1, dtype=np.int32)
    padded[1:-1, 1:-1][valid] = inside
    ranks, steps = padded.reshape(-1), np.array([-n_cols, -1, 1, n_cols])
    places = np.flatnonzero(ranks >= 0)
    upwards = _tops(_highest_beside(ranks, steps))
    maxima = places[upwards[places] == places]
    number = np.empty(len(ranks), dtype=np.int32)
    number[maxima] = np.arange(len(maxima))
    lowest, met = _grown(ranks, maxima, steps, area)
    onward = np.where(met >= 0, number[upwards[met]], np.arange(len(maxima)))
    opened = image.copy()
    opened[valid] = levels[np.minimum(inside, _lowest(lowest, onward)[number[upwards[places]]])]
    return opened


def _highest_beside(ranks: NDArray[np.int32], steps: _Places) -> _Places:
    """Return which place is the highest of each one and of those beside it."""
    to, inner = np.arange(len(ranks)), slice(steps[-1], len(ranks) - steps[-1])
    highest = ranks[inner].copy()
    for step in steps.tolist():
        beside = ranks[inner.start + step : inner.stop + step]
        higher = np.flatnonzero(beside > highest)
        highest[higher] = beside[higher]
        to[inner.start + higher] = inner.start + step + higher
    # A place outside is the way to none.
    outside = np.flatnonzero(ranks < 0)
    to[outside] = outside
    return to


def _tops(upwards: _Places) -> _Places:
    """Return where a walk ends that goes from each place to another one, until one leads to itself."""
    while not np.array_equal(further := upwards[upwards], upwards):
        upwards = further
    return upwards


def _lowest(levels: _Places, onward: _Places) -> _Places:
    """Return the lowest level on the walk from each maximum to others, until one leads to itself."""
    while True:
        levels, further = np.minimum(levels, levels[onward]), onward[onward]
        if np.array_equal(further, onward):
            return levels
        onward = further


def _grown(ranks: NDArray[np.int32], maxima: _Places, steps: _Places, area: int) -> tuple[_Places, _Places]:
    """Return the lowest rank that each maximum grows to, and the higher place that it meets, -1 for none.

    It ends with `area` pixels, or where nothing is left beside it. Most end after few pixels: those that do not begin
    anew, with room for more.
    """
    lowest, met = np.empty(len(maxima), dtype=np.intp), np.full(len(maxima), -1)
    growing, most = np.arange(len(maxima)), min(_FIRST_AREA, area)
    while True:
        batch = max(BATCH_BYTES // (_PLACE_BYTES * (4 * most + 1)), 1)
        parts = np.split(growing, range(batch, len(growing), batch))
        growing = np.concatenate([part[_grow(ranks, maxima, steps, most, part, lowest, met)] for part in parts])
        if most == area or not len(growing):
            return lowest, met
        most = min(_GROWTH * most, area)


def _grow(
    ranks: NDArray[np.int32],
    maxima: _Places,
    steps: _Places,
    most: int,
    part: _Places,
    lowest: _Places,
    met: _Places,
) -> _Places:
    """Let a part of the maxima grow to `most` pixels, store what `_grown` returns, and return which still grow."""
    # Of those that still grow: which they are, all places seen so far, and the ranks of those that are not taken yet.
    growing, places = np.arange(len(part)), maxima[part]
    lowest[part] = ranks[places]
    seen = np.concatenate([places[:, None], places[:, None] + steps], axis=1)
    waiting = ranks[seen]
    waiting[:, 0] = -1
    for _ in range(most - 1):
        if not len(growing):
            break
        column = waiting.argmax(axis=1)[:, None]
        rank = np.take_along_axis(waiting, column, axis=1)[:, 0]
        place = np.take_along_axis(seen, column, axis=1)[:, 0]
        is_higher = rank > ranks[places[growing]]
        met[part[growing[is_higher]]] = place[is_higher]
        goes_on = (rank >= 0) & ~is_higher
        growing, seen, waiting = growing[goes_on], seen[goes_on], waiting[goes_on]
        rank, place, column = rank[goes_on], place[goes_on], column[goes_on]
        lowest[part[growing]] = np.minimum(lowest[part[growing]], rank)
        np.put_along_axis(waiting, column, -1, axis=1)
        beside = place[:, None] + steps
        is_new = ~(beside[:, :, None] == seen[:, None, :]).any(axis=2)
        seen = np.concatenate([seen, beside], axis=1)
        waiting = np.concatenate([waiting, np.where(is_new, ranks[beside], np.int32(-1))], axis=1)
    return growing
