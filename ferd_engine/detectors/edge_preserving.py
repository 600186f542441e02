"""Smoothing that stops at edges: averages over distances that grow with the differences of a guide."""

from __future__ import annotations

import math

import numpy as np

from ..cube import BoolArray, FloatArray
from ..parallel import Threads
from ..statistics import Float64Array

_N_ROUNDS = 3
# What a pixel takes beside image and guide: two spacings and two results, and in each thread sums, weights, distances.
PIXEL_BYTES = 32
THREAD_PIXEL_BYTES = 56


def radii(sigma: float) -> list[float]:
    """Return the radius of each round in pixels, for a spatial standard deviation.

    Gastal and Oliveira, eq. 14: the deviation of each round is half of that of the one before, and the radius is
    sqrt(3) deviations.
    """
    first = 3.0 * sigma * 2.0 ** (_N_ROUNDS - 1) / math.sqrt(4.0**_N_ROUNDS - 1.0)
    return [first / 2.0**index for index in range(_N_ROUNDS)]


def reach(sigma: float) -> int:
    """Return how many rows and columns away a pixel can matter."""
    return sum(math.ceil(radius) - 1 for radius in radii(sigma))


def smooth(
    image: Float64Array, guide: FloatArray, valid: BoolArray, sigma: float, range_sigma: float, pool: Threads
) -> Float64Array:
    """Return an image (rows, cols), 0 where invalid, averaged along rows and columns over a guide's domain transform.

    Gastal and Oliveira, "Domain transform for edge-aware image and video processing", ACM Transactions on Graphics 30
    (2011), by normalised convolution: neighbours in a row or column lie 1 + sigma / range_sigma * |difference| apart,
    the differences summed over the bands of the guide (rows, cols, n). Weights fall linearly to 0 at the radius, where
    the paper has a box, so that no rounding decides on a pixel. The rounds go along rows and then columns, and again
    along columns and then rows; the mean of both makes flips and transposes of the image those of the result. Nothing
    is averaged across an invalid pixel.
    """
    image = np.where(valid, image, 0.0)
    ratio = sigma / range_sigma
    lines = (guide, valid), (guide.swapaxes(0, 1), valid.T)
    of_rows, of_cols = pool.map(lambda line: _spacing(*line, ratio), lines)

    def smoothed(rows_first: bool) -> Float64Array:
        result = image if rows_first else image.T
        for radius in radii(sigma):
            for spacing in (of_rows, of_cols) if rows_first else (of_cols, of_rows):
                result = _along_rows(result, spacing, radius).T
        return result if rows_first else result.T

    first, second = pool.map(smoothed, (True, False))
    first += second
    first *= 0.5
    return first


def _spacing(guide: FloatArray, valid: BoolArray, ratio: float) -> Float64Array:
    """Return how far each pixel lies from the next one of its row (rows, cols - 1); inf where one is invalid."""
    spacing = np.ones((len(guide), max(guide.shape[1] - 1, 0)))
    for band in range(guide.shape[2]):
        spacing += ratio * np.abs(np.diff(guide[:, :, band], axis=1))
    spacing[~(valid[:, 1:] & valid[:, :-1])] = np.inf
    return spacing


def _along_rows(image: Float64Array, spacing: Float64Array, radius: float) -> Float64Array:
    """Return the averages (rows, cols) of an image along its rows."""
    image = np.ascontiguousarray(image)
    sums, weights = image.copy(), np.ones(image.shape)
    distance = np.zeros(image.shape)
    for step in range(1, min(math.ceil(radius), image.shape[1])):
        # From each pixel to the one `step` columns on.
        distance = distance[:, :-1] + spacing[:, step - 1 :]
        weight = np.maximum(1.0 - distance / radius, 0.0)
        sums[:, :-step] += weight * image[:, step:]
        sums[:, step:] += weight * image[:, :-step]
        weights[:, :-step] += weight
        weights[:, step:] += weight
    sums /= weights
    return sums
