"""Scaling for FEN: one minimum and one maximum over all selected bands and valid pixels, to [-0.1, 0.1].

Jin, Dang, Zhu (2024): ((x - min) / (max - min) * 2 - 1) * 0.1. With `percentile` the 0.01 and 99.99 percentiles take
the place of minimum and maximum, without clipping.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cube import Float32Array
from .errors import InputError

LOW_PERCENT = 0.01
HIGH_PERCENT = 99.99
# Pixels fewer than this part of a scene say little of what its values are like.
RARE_PART = 1e-4
# So many values of a tail may wait for being sorted out.
_UNSORTED = 1 << 10
# Pixels are compared with each other first, value by value, which is twice as fast as within each.
_GROUP_PIXELS = 16
# What FEN's float32 holds with all its digits, a factor of 0.2 / range included.
_SMALLEST_RANGE = 1e-36
_LARGEST_RANGE = 1e36


@dataclass(frozen=True)
class Scaling:
    """The values that become -0.1 and 0.1."""

    low: float
    high: float

    def apply(self, values: NDArray[np.floating[Any]], out: Float32Array) -> None:
        """Scale values (rows, cols, bands) into float32 `out` of the same shape, which may be `values` itself.

        >>> scaled = np.empty((1, 1, 3), dtype=np.float32)
        >>> Scaling(0.0, 10.0).apply(np.array([[[0.0, 5.0, 10.0]]]), scaled)
        >>> [f"{value:.3f}" for value in scaled.ravel()]
        ['-0.100', '0.000', '0.100']
        """
        kind = values.dtype.type
        # Centred first: with a large offset and a small range, x * factor + shift would cancel.
        middle, factor = kind((self.low + self.high) / 2), kind(0.2 / (self.high - self.low))
        for row, scaled in zip(values, out):
            np.subtract(row, middle, out=scaled, casting="same_kind")
            scaled *= factor


class ValueRange:
    """Minimum and maximum of all values, over blocks in any order, and how much of them few pixels make.

    Kept beside them are the largest and the smallest values of single pixels, as many as `RARE_PART` of the raster.
    """

    def __init__(self, n_pixels_at_most: int = 0) -> None:
        self._low = np.inf
        self._high = -np.inf
        self._count = 0
        n_kept = int(np.ceil(n_pixels_at_most * RARE_PART)) + 2
        self._tails = (_Tail(n_kept, sign=1.0), _Tail(n_kept, sign=-1.0)) if n_pixels_at_most else ()

    def add(self, values: NDArray[np.floating[Any]]) -> None:
        """Take the values of valid pixels (n, bands), or of any shape where rare pixels are not asked for."""
        if not values.size:
            return
        if not self._tails:
            self._low, self._high = min(self._low, float(values.min())), max(self._high, float(values.max()))
            return
        self._count += len(values)
        self._low = min(self._low, self._tails[0].add_pixels(values))
        self._high = max(self._high, self._tails[1].add_pixels(values))

    def merge(self, other: ValueRange) -> None:
        """Take what `other` has seen."""
        self._low, self._high = min(self._low, other._low), max(self._high, other._high)
        self._count += other._count
        for tail, more in zip(self._tails, other._tails):
            tail.merge(more)

    def scaling(self) -> Scaling:
        """Return the scaling; `InputError` where all values are the same."""
        return _checked(self._low, self._high)

    def rare_range(self) -> float:
        """Return which part of the range would go with the most extreme pixels, fewer than `RARE_PART` at either end.

        0 for fewer than 10,001 pixels, of which that is none.
        """
        n_rare = int(np.ceil(self._count * RARE_PART)) - 1
        if not self._tails or n_rare < 1 or not self._low < self._high:
            return 0.0
        rest = self._tails[1].value_at(n_rare) - self._tails[0].value_at(n_rare)
        return 1.0 - max(rest, 0.0) / (self._high - self._low)


class TailRange:
    """The 0.01 and 99.99 percentiles of all values, exact, over blocks in any order.

    Only the two tails are kept: at most 0.01 % of the values each, known beforehand from the raster's size.
    """

    def __init__(self, n_values_at_most: int) -> None:
        n_kept = int(np.ceil(n_values_at_most * LOW_PERCENT / 100.0)) + 2
        self._tails = (_Tail(n_kept, sign=1.0), _Tail(n_kept, sign=-1.0))
        self._count = 0

    def add(self, values: NDArray[np.floating[Any]]) -> None:
        """Take the values of valid pixels, of any shape."""
        flat = values.reshape(-1)
        self._count += flat.size
        for tail in self._tails:
            tail.add(flat)

    def merge(self, other: TailRange) -> None:
        """Take what `other` has seen; both are for the same number of values."""
        self._count += other._count
        for tail, more in zip(self._tails, other._tails):
            tail.merge(more)

    def scaling(self) -> Scaling:
        """Return the scaling; `InputError` where both percentiles are the same."""
        if self._count == 0:
            return _checked(np.inf, -np.inf)
        # Rank as numpy.percentile's default (linear) has it; the high one is counted from the top.
        low_rank = (self._count - 1) * LOW_PERCENT / 100.0
        high_rank = (self._count - 1) * (100.0 - HIGH_PERCENT) / 100.0
        return _checked(self._tails[0].value_at(low_rank), self._tails[1].value_at(high_rank))


class _Tail:
    """The `n_kept` smallest of all values (of all values times -1 with sign -1)."""

    def __init__(self, n_kept: int, sign: float) -> None:
        self._n_kept = n_kept
        self._sign = sign
        self._kept: NDArray[np.float64] = np.empty(0)
        self._limit = np.inf

    def add_pixels(self, values: NDArray[np.floating[Any]]) -> float:
        """Take the smallest value of each pixel of values (n, bands), n at least 1, the largest with sign -1.

        Return that of all.
        """
        extreme = np.minimum if self._sign > 0 else np.maximum
        if not values.flags.c_contiguous:
            # Bands after one another: as they lie, pixels are compared with each other at once.
            found = extreme.reduce(values, axis=1)
            self.add(found)
            return float(extreme.reduce(found))
        n_groups = len(values) // _GROUP_PIXELS
        grouped = values[: n_groups * _GROUP_PIXELS].reshape(_GROUP_PIXELS, n_groups, values.shape[1])
        found = extreme.reduce(extreme.reduce(grouped, axis=0), axis=1)
        # Pixels are looked at one by one only where their group reaches into the tail, and where they make no group.
        reaching = self._is_beyond(found)
        if reaching.any():
            picked = grouped if reaching.all() else grouped[:, reaching]
            self.add(extreme.reduce(picked, axis=2).reshape(-1))
        rest = values[n_groups * _GROUP_PIXELS :]
        if len(rest):
            singles = extreme.reduce(rest, axis=1)
            self.add(singles)
            found = np.append(found, singles)
        return float(extreme.reduce(found))

    def add(self, flat: NDArray[np.floating[Any]]) -> None:
        below = flat[self._is_beyond(flat)]
        self._kept = np.concatenate([self._kept, self._sign * below.astype(np.float64)])
        # Sorted out only now and then, since a partition of the kept values costs more than a comparison.
        if self._kept.size > 2 * self._n_kept + _UNSORTED:
            self._shrink()

    def _is_beyond(self, values: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Say which values belong into the tail; of those at its limit enough are kept."""
        beyond: NDArray[np.bool_] = values < self._limit if self._sign > 0 else values > -self._limit
        return beyond

    def merge(self, other: _Tail) -> None:
        self._kept = np.concatenate([self._kept, other._kept])
        self._shrink()

    def _shrink(self) -> None:
        if self._kept.size > self._n_kept:
            self._kept = np.partition(self._kept, self._n_kept - 1)[: self._n_kept]
            self._limit = float(self._kept.max())

    def value_at(self, rank: float) -> float:
        self._shrink()
        ordered = np.sort(self._kept)
        below = int(rank)
        above = min(below + 1, ordered.size - 1)
        return self._sign * float(ordered[below] + (ordered[above] - ordered[below]) * (rank - below))


def _checked(low: float, high: float) -> Scaling:
    if not low <= high:
        raise InputError("No pixel is valid in all the bands used: check nodata, mask and bad bands of the raster.")
    if low == high:
        raise InputError(
            "All valid pixels have the same value in all the bands used: there is nothing to detect; check that it is "
            "the right file, and its nodata value."
        )
    if not _SMALLEST_RANGE < high - low < _LARGEST_RANGE:
        raise InputError(
            f"The values span {high - low:g}, which single precision does not hold: bring the bands to another unit, "
            "near 1."
        )
    return Scaling(low, high)
