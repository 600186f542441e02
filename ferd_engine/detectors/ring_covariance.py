"""Squared distances to the covariance of a ring, from its sums, or straight from its pixels where these lost digits."""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr, solve_triangular

from ..lapack import cholesky
from ..statistics import Float64Array
from .mahalanobis import RELATIVE_CUTOFF, Mahalanobis
from .shrinkage import ledoit_wolf, oas

# Smallest pivot, as a part of the largest sum of squares since the sums' last start, that leaves six digits.
SMALLEST_PIVOT = 1e-7
# A ring's pixel so many times as long as half of the others are hides them in the ring's covariance.
GROSS_LENGTH = 1e3
# A full shrinkage stays below 1 by this, so that one formula serves; the distances' relative error is as large.
_SHRINKAGE_GAP = 1e-9


def distances_from_sums(
    kind: str, pixels: Float64Array, sums: Float64Array, largest: Float64Array, largest_fourth: Float64Array
) -> Float64Array:
    """Return squared distances (m,) of pixels (m, p) to m rings, NaN where rounding cost more than last digits.

    `sums` (m, p + 2, p + 2), overwritten: those of (1, x, q) (1, x, q)^T over the pixels x of a ring, q = |x|^2, upper
    triangles with zeros below. `largest` (m,) is the largest sum of squares of a coordinate since their start,
    `largest_fourth` (m,) that of the fourth powers of the lengths. `kind` is empirical (N - 1), ledoit-wolf or oas
    (`shrinkage`).

    With S the sum of x x^T, s that of x and n pixels, the Cholesky factor of [[n, s^T], [s, S + r I]] holds that of
    S - s s^T / n + r I, the scatter around the ring's mean with a ridge r: no mean is subtracted from a matrix. With
    (1, z) of a pixel as a further column the factorisation solves for it as well; that column's end is the solution.
    """
    diagonals = np.einsum("mii->mi", sums)
    counts = diagonals[:, 0].copy()
    usable = counts >= 2.0
    if kind == "empirical":
        factors = counts - 1.0
    else:
        # Beside what has left, the sums that the shrinkage follows from must keep their digits too.
        usable &= diagonals[:, 1:-1].max(axis=1) > SMALLEST_PIVOT * largest
        usable &= diagonals[:, -1] > SMALLEST_PIVOT * largest_fourth
        shrinkage, level = _shrinkage(kind, sums, np.maximum(counts, 1.0))
        shrinkage = np.minimum(shrinkage, 1.0 - _SHRINKAGE_GAP)
        diagonals[:, 1:-1] += (counts * shrinkage * level / (1.0 - shrinkage))[:, None]
        factors = counts / (1.0 - shrinkage)
    sums[:, 0, -1] = 1.0
    sums[:, 1:-1, -1] = pixels
    # The last pivot is not asked for; this keeps it positive wherever the others are.
    diagonals[:, -1] = np.inf
    for index in np.flatnonzero(usable):
        usable[index] = cholesky(sums[index])
    usable &= (diagonals[:, 1:-1].min(axis=1) ** 2) > SMALLEST_PIVOT * largest
    squared = np.full(len(pixels), np.nan)
    centred = sums[:, 1:-1, -1]
    squared[usable] = factors[usable] * np.einsum("mi,mi->m", centred, centred)[usable]
    return squared


def _shrinkage(kind: str, sums: Float64Array, counts: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Return the shrinkage (m,) and the mean variance (m,) of the rings' covariances."""
    n_dims = sums.shape[1] - 2
    diagonals = np.einsum("mii->mi", sums)[:, 1:-1]
    means = sums[:, 0, 1:-1] / counts[:, None]
    thirds, fourths, lengths_sum = sums[:, 1:-1, -1], sums[:, -1, -1], sums[:, 0, -1]
    lengths = np.einsum("mi,mi->m", means, means)
    # Of the symmetric S only the upper triangle is there: what is left of the diagonal counts twice, the diagonal once.
    scatter = sums[:, 1:-1, 1:-1]
    products = np.matmul(means[:, None], scatter)[:, 0]
    squares = 2.0 * np.einsum("mij,mij->m", scatter, scatter) - np.einsum("mi,mi->m", diagonals, diagonals)
    form = 2.0 * np.einsum("mi,mi->m", products, means) - np.einsum("mi,mi->m", diagonals, means**2)
    squares = (squares - 2.0 * counts * form + (counts * lengths) ** 2) / counts**2
    traces = lengths_sum / counts - lengths
    levels = np.maximum(traces, 0.0) / n_dims
    if kind == "oas":
        return oas(counts, n_dims, traces, squares), levels
    central = fourths + 4.0 * form - 4.0 * np.einsum("mi,mi->m", means, thirds)
    central += 2.0 * lengths * lengths_sum - 3.0 * counts * lengths**2
    return ledoit_wolf(counts, n_dims, traces, squares, central / counts), levels


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
    if kind == "empirical" and len(ring) > ring.shape[1]:
        squared = _beside_gross(pixel, ring)
        if squared is not None:
            return squared, ring.shape[1]
    mean = ring.mean(axis=0)
    distance = Mahalanobis(mean, shrunk_covariance(kind, ring - mean))
    return float(distance.distances(pixel[None])[0]), distance.rank


def _beside_gross(pixel: Float64Array, ring: Float64Array) -> float | None:
    """Return the squared distance of a pixel (p,) to a ring (n, p) that holds far longer pixels; None without such.

    The covariance of such a ring has lost what its other pixels say. With the rows a = (1, x - origin) of the ring as A
    and that of the pixel, the squared distance is (n - 1) (a^T (A^T A)^-1 a - 1 / n), for which the triangle R of A's
    QR factors serves: with rows in falling order and pivoting of the columns each row keeps its own digits, whatever
    the others' length (Cox and Higham, Stability of Householder QR factorization for weighted least squares, 1998).
    The rank is that of the rows brought to one length, as no scaling of rows changes it; None where it is short.
    """
    origin = np.median(ring, axis=0)
    rows = np.column_stack([np.ones(len(ring)), ring - origin])
    lengths = np.abs(rows).max(axis=1)
    if lengths.max() < GROSS_LENGTH * np.median(lengths):
        return None
    levelled = rows / lengths[:, None]
    if np.linalg.matrix_rank(levelled / np.linalg.norm(levelled, axis=0), tol=RELATIVE_CUTOFF**0.5) < rows.shape[1]:
        return None
    triangle, order = qr(rows[np.argsort(-lengths, kind="stable")], mode="r", pivoting=True)
    solved = solve_triangular(triangle[: rows.shape[1]], np.append(1.0, pixel - origin)[order], trans="T")
    count = len(ring)
    return float(max((count - 1) * (solved @ solved - 1.0 / count), 0.0))
