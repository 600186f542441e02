"""A scene as a finer sensor would have seen it: more bands of the same light, each with noise of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]

# Median of the absolute value of a standard normal variable.
_MEDIAN_OF_NORMAL = 0.6745


def finer(values: NDArray[np.floating[Any]], n_bands: int) -> Float32Array:
    """Return a scene (rows, cols, bands) with `n_bands` bands, NaN where invalid; equal scenes give equal results.

    Bands are interpolated linearly over the old bands' numbers. The mean of two bands has less noise than either, and
    no covariance of a real sensor has bands that depend on each other linearly: so the noise that was averaged away is
    added again, normal, with each band's standard deviation as its second differences along the spectrum show it.
    """
    n_there = values.shape[2]
    place = np.linspace(0.0, n_there - 1.0, n_bands)
    below = np.minimum(place.astype(int), n_there - 2)
    part = place - below
    mixed = (1.0 - part) * values[:, :, below] + part * values[:, :, below + 1]
    lost = 1.0 - (1.0 - part) ** 2 - part**2
    deviation = np.interp(place, np.arange(n_there), noise_levels(values)) * np.sqrt(lost)
    random = np.random.default_rng(n_bands)
    return np.asarray(mixed + deviation * random.standard_normal(mixed.shape), dtype=np.float32)


def noise_levels(values: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return each band's noise (bands,), from x[b - 1] - 2 x[b] + x[b + 1], whose variance is 6 times the noise's.

    The median over the pixels' deviations from the typical one keeps edges and features of few pixels out; the first
    and the last band take their neighbour's.
    """
    pixels = values[np.isfinite(values).all(axis=2)].astype(np.float64)
    second = np.diff(pixels, n=2, axis=1)
    spread = np.median(np.abs(second - np.median(second, axis=0)), axis=0) / _MEDIAN_OF_NORMAL
    return np.pad(spread / np.sqrt(6.0), 1, mode="edge")
