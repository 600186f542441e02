"""Squared distances to the covariance of a ring, from its sums, or straight from its pixels where these lost digits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..lapack import cholesky, solve_rows
from ..statistics import Float64Array
from .mahalanobis import Mahalanobis
from .shrinkage import ledoit_wolf, oas

# Smallest pivot, as a part of the largest sum of squares since the sums' last start, that leaves six digits.
SMALLEST_PIVOT = 1e-7
# A full shrinkage stays below 1 by this, so that one formula serves; the distances' relative error is as large.
_SHRINKAGE_GAP = 1e-9


class RingSums(NamedTuple):
    """Sums over the rings of m pixels, of rows (1, x, q) with x (p,) the coordinates of a pixel and q = |x|^2.

    `grams` (m, p + 1, p + 1) upper triangles, zeros below: sums of (1, x) (1, x)^T; `thirds` (m, p): sums of q x;
    `fourths` (m,): sums of q^2; `largest` (m,): the largest diagonal element of the sums since their last start.
    """

    grams: Float64Array
    thirds: Float64Array
    fourths: Float64Array
    largest: Float64Array


def distances_from_sums(kind: str, pixels: Float64Array, sums: RingSums) -> Float64Array:
    """Return squared distances (m,) of pixels (m, p), NaN where rounding may have cost more than the last digits.

    `kind` is empirical (N - 1), ledoit-wolf or oas (`shrinkage`). With S the sum of x x^T, s that of x and n pixels,
    the Cholesky factor of [[n, s^T], [s, S + r I]] holds that of S - s s^T / n + r I, the scatter around the ring's
    mean with a ridge r, and solving for (1, x) gives the centred pixel: no mean is subtracted from a matrix.
    `sums.grams` is overwritten.
    """
    grams = sums.grams
    n_dims = grams.shape[1] - 1
    diagonals = np.einsum("mii->mi", grams)
    counts = diagonals[:, 0].copy()
    if kind == "empirical":
        factors = counts - 1.0
    else:
        shrinkage, level = _shrinkage(kind, sums, np.maximum(counts, 1.0))
        shrinkage = np.minimum(shrinkage, 1.0 - _SHRINKAGE_GAP)
        diagonals[:, 1:] += (counts * shrinkage * level / (1.0 - shrinkage))[:, None]
        factors = counts / (1.0 - shrinkage)
    usable = counts >= 2.0
    for index in np.flatnonzero(usable):
        usable[index] = cholesky(grams[index])
    rows = np.empty((len(pixels), 1, n_dims + 1))
    rows[:, 0, 0] = 1.0
    rows[:, 0, 1:] = pixels
    squared = np.full(len(pixels), np.nan)
    usable &= (diagonals[:, 1:].min(axis=1) ** 2) > SMALLEST_PIVOT * sums.largest
    for index in np.flatnonzero(usable):
        solve_rows(grams[index], rows[index])
    centred = rows[usable, 0, 1:]
    squared[usable] = factors[usable] * np.einsum("mi,mi->m", centred, centred)
    return squared


def _shrinkage(kind: str, sums: RingSums, counts: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return the shrinkage (m,) and the mean variance (m,) of the rings' covariances."""
    grams = sums.grams
    n_dims = grams.shape[1] - 1
    diagonals = np.einsum("mii->mi", grams)[:, 1:]
    first = grams[:, 0].copy()
    means = first[:, 1:] / counts[:, None]
    lengths = np.einsum("mi,mi->m", means, means)
    # Of the symmetric S only the upper triangle is there: what is left of the diagonal counts twice, the diagonal once.
    # The first rows make room for zeros meanwhile, so that the matrices are used whole, without a copy.
    grams[:, 0] = 0.0
    products = np.matmul(np.pad(means, ((0, 0), (1, 0)))[:, None], grams)[:, 0, 1:]
    flat = grams.reshape(len(grams), -1)
    squares = 2.0 * np.einsum("mi,mi->m", flat, flat) - np.einsum("mi,mi->m", diagonals, diagonals)
    grams[:, 0] = first
    form = 2.0 * np.einsum("mi,mi->m", products, means) - np.einsum("mi,mi->m", diagonals, means**2)
    squares = (squares - 2.0 * counts * form + (counts * lengths) ** 2) / counts**2
    sums_of_squares = diagonals.sum(axis=1)
    traces = sums_of_squares / counts - lengths
    levels = np.maximum(traces, 0.0) / n_dims
    if kind == "oas":
        return oas(counts, n_dims, traces, squares), levels
    fourths = sums.fourths + 4.0 * form - 4.0 * np.einsum("mi,mi->m", means, sums.thirds)
    fourths += 2.0 * lengths * sums_of_squares - 3.0 * counts * lengths**2
    return ledoit_wolf(counts, n_dims, traces, squares, fourths / counts), levels


def shrunk_covariance(kind: str, centred: Float64Array) -> Float64Array:
    """Return the covariance (p, p) of centred pixels (n, p): empirical with N - 1, shrunk ones with N."""
    count, n_dims = centred.shape
    covariance: Float64Array = centred.T @ centred / (max(count - 1, 1) if kind == "empirical" else count)
    if kind == "empirical":
        return covariance
    trace, squares = float(np.trace(covariance)), float(np.vdot(covariance, covariance))
    if kind == "oas":
        shrinkage = float(oas(count, n_dims, trace, squares))
    else:
        fourth = float(np.square(np.einsum("ij,ij->i", centred, centred)).mean())
        shrinkage = float(ledoit_wolf(count, n_dims, trace, squares, fourth))
    covariance *= 1.0 - shrinkage
    covariance.flat[:: n_dims + 1] += shrinkage * trace / n_dims
    return covariance


def distance_from_pixels(kind: str, pixel: Float64Array, ring: Float64Array) -> tuple[float, int]:
    """Return the squared distance of a pixel (p,) to those of its ring (n, p), and the rank of their covariance.

    Without full rank the pseudo-inverse is taken, as `Mahalanobis` has it; rank 0, with the distance 0, says that the
    ring has fewer than two pixels or no variance.
    """
    if len(ring) < 2:
        return 0.0, 0
    mean = ring.mean(axis=0)
    distance = Mahalanobis(mean, shrunk_covariance(kind, ring - mean))
    return float(distance.distances(pixel[None])[0]), distance.rank
