"""Mahalanobis distances to a positive definite matrix, and to few pixels with a ridge by their Gram matrix."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack as scipy_lapack

from ..cube import BoolArray
from ..errors import RunError
from ..lapack import cholesky, multiply_rows, row_gram, row_products, solve_rows
from ..statistics import Float64Array

NOT_DEFINITE = (
    "A covariance with its ridge is not positive definite, which only values that are not finite can cause: check the "
    "nodata value of the raster."
)


class Metric:
    """(x - mean)^T matrix^-1 (x - mean) by the Cholesky factor of a positive definite matrix (B, B), overwritten."""

    def __init__(self, mean: Float64Array, matrix: Float64Array, *, many: bool) -> None:
        self._mean = mean
        if not cholesky(matrix):
            raise RunError(NOT_DEFINITE)
        # For more pixels than bands the inverse factor pays: its product is three times as fast as a solution.
        self._inverse = scipy_lapack.dtrtri(matrix.T, lower=1)[0].T if many else None
        self._factor = matrix

    def squared(self, pixels: Float64Array) -> Float64Array:
        """Return squared distances (n,) of pixels (n, B)."""
        rows = pixels - self._mean
        if self._inverse is None:
            solve_rows(self._factor, rows)
        else:
            multiply_rows(rows, self._inverse)
        squared: Float64Array = np.einsum("ij,ij->i", rows, rows)
        return squared


def own_squared(blocks: Float64Array, valid: BoolArray, ridge: float) -> Float64Array:
    """Return squared distances (n, m) of the pixels of n blocks to their own block's covariance plus ridge * I.

    `blocks` (n, m, B), m < B, is overwritten; `valid` (n, m) says which pixels count, distances of others mean nothing.
    With the centred pixels Y of a block of k, G = Y Y^T and c = (k - 1) * ridge, the push-through identity gives
    (k - 1) diag(G (G + c I)^-1) = (k - 1) (1 - c diag((G + c I)^-1)). One pixel alone has the distance 0.
    """
    counts = valid.sum(axis=1)
    if not valid.all():
        blocks[~valid] = 0.0
    blocks -= blocks.sum(axis=1, keepdims=True) / np.maximum(counts, 1)[:, None, None]
    if not valid.all():
        blocks[~valid] = 0.0
    weights = np.maximum(counts - 1.0, 1.0)[:, None]
    grams = np.stack([row_products(block, block) for block in blocks])
    diagonal = np.einsum("njj->nj", grams)
    diagonal += weights * ridge
    inverse_diagonal = np.einsum("njj->nj", np.linalg.inv(grams))
    squared: Float64Array = weights * np.maximum(1.0 - weights * ridge * inverse_diagonal, 0.0)
    return squared


def other_squared(pixels: Float64Array, centred: Float64Array, ridge: float) -> Float64Array:
    """Return squared distances (k,) of pixels (k, B) to the covariance (n - 1) of n < B other pixels plus ridge * I.

    Both are centred on the mean of the others, `centred` (n, B). Woodbury's identity with N = centred, G = N N^T and
    c = (n - 1) * ridge gives (|z|^2 - (N z)^T (G + c I)^-1 N z) / ridge.
    """
    n = len(centred)
    factor = np.empty((n, n))
    row_gram(centred, factor)
    factor.flat[:: n + 1] += max(n - 1, 1) * ridge
    if not cholesky(factor):
        raise RunError(NOT_DEFINITE)
    projected = row_products(pixels, centred)
    solve_rows(factor, projected)
    residual = np.einsum("ij,ij->i", pixels, pixels) - np.einsum("ij,ij->i", projected, projected)
    squared: Float64Array = np.maximum(residual, 0.0) / ridge
    return squared
