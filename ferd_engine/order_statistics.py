"""Exact order statistics of more values than fit into memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray

_HALF = 16
_BINS = 1 << _HALF


def kth_smallest(parts: Callable[[], Iterable[NDArray[np.floating[Any]]]], k: int) -> float:
    """Return the k-th smallest (from 1) of float32 values that `parts()` gives in arrays, twice; NaN are passed over.

    The bits of a float32, read as an integer and turned so that they keep its order, are counted by their high half,
    then, among those that share the high half found, by their low half: two passes and 512 KiB, whatever the number.
    Raises `ValueError` where there are fewer than k values.

    >>> kth_smallest(lambda: [np.array([5, -1, 3], dtype=np.float32)], 2)
    3.0
    """
    return kth_of_counts(lambda high: counts_of(parts(), high), k)


def kth_of_counts(counts: Callable[[int | None], NDArray[np.int64]], k: int) -> float:
    """Return what `kth_smallest` does; `counts(high)` gives the `counts_of` all values, in sums of any order."""
    high, below = _bin_of(k, counts(None))
    low, _ = _bin_of(k - below, counts(high))
    return float(_value(high << _HALF | low))


def counts_of(parts: Iterable[NDArray[np.floating[Any]]], high: int | None = None) -> NDArray[np.int64]:
    """Return how many float32 values (65536,) have each high half; with `high`, each low half beside that one."""
    counts = np.zeros(_BINS, dtype=np.int64)
    for keys in map(_ordered, parts):
        halves = keys >> _HALF if high is None else keys[keys >> _HALF == high] & (_BINS - 1)
        counts += np.bincount(halves, minlength=_BINS)
    return counts


def _bin_of(k: int, counts: NDArray[np.int64]) -> tuple[int, int]:
    """Return the bin that holds the k-th value, and how many values lie in the bins before it."""
    reached = np.cumsum(counts)
    if not 1 <= k <= reached[-1]:
        raise ValueError(f"The {k}-th of {reached[-1]} values does not exist.")
    found = int(np.searchsorted(reached, k))
    return found, int(reached[found] - counts[found])


def _ordered(values: NDArray[np.floating[Any]]) -> NDArray[np.uint32]:
    """Return integers in the order of float32 values, without NaN."""
    flat = np.asarray(values, dtype=np.float32).reshape(-1)
    # -0 and 0 are one value.
    bits = (flat[~np.isnan(flat)] + np.float32(0.0)).view(np.uint32)
    # Positive numbers lie above all negative ones, whose bits run backwards.
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def _value(key: int) -> np.float32:
    bits = key ^ (1 << 31) if key >> 31 else ~key & 0xFFFFFFFF
    value: np.float32 = np.array([bits], dtype=np.uint32).view(np.float32)[0]
    return value
