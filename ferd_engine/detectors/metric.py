"""Mahalanobis distances to a positive definite matrix, and to few pixels with a ridge by their Gram matrix."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack as scipy_lapack

from ..accelerator import Accelerator
from ..cube import BoolArray
from ..errors import RunError
from ..lapack import cholesky, multiply_rows, row_gram, solve_rows
from ..statistics import Float64Array

NOT_DEFINITE = (
    "A covariance with its ridge is not positive definite, which only values that are not finite can cause: check the "
    "nodata value of the raster."
)


class Metric:
    """(x - mean)^T matrix^-1 (x - mean) by the Cholesky factor of a positive definite matrix (B, B), overwritten.

    many : whether the distances of more pixels than bands will be asked for. Raises `RunError` for any other matrix.
    """

    def __init__(
        self, mean: Float64Array, matrix: Float64Array, *, many: bool, accelerator: Accelerator | None = None
    ) -> None:
        self._mean, self._accelerator = mean, accelerator
        if not cholesky(matrix):
            raise RunError(NOT_DEFINITE)
        # Then the inverse factor pays: a product with it is three times as fast as a solution.
        self._inverse = scipy_lapack.dtrtri(matrix.T, lower=1)[0].T if many or accelerator else None
        self._factor = matrix

    def squared(self, pixels: Float64Array) -> Float64Array:
        """Return squared distances (n,) of pixels (n, B)."""
        if self._accelerator is not None and self._inverse is not None:
            return self._accelerator.distances(pixels, self._mean, np.triu(self._inverse))
        rows = pixels - self._mean
        if self._inverse is None:
            solve_rows(self._factor, rows)
        else:
            multiply_rows(rows, self._inverse)
        squared: Float64Array = np.einsum("ij,ij->i", rows, rows)
        return squared


def own_squared(blocks: Float64Array, valid: BoolArray, ridge: float) -> Float64Array:
    """Return squared distances (n, m) of the pixels of n blocks to their own block's covariance plus ridge * I.

    `blocks` (n, m, B), m < B; `valid` (n, m) says which pixels count, distances of others mean nothing. With the
    centred pixels Y of a block of k, G = Y Y^T and c = (k - 1) * ridge, the push-through identity gives
    (k - 1) diag(G (G + c I)^-1) = (k - 1) (1 - c diag((G + c I)^-1)). One pixel alone has the distance 0.
    """
    centred = blocks - _means(blocks, valid)
    factors, weights = _gram_factors(centred, valid, ridge)
    rows = np.empty_like(factors)
    rows[...] = np.eye(blocks.shape[1])
    solve_rows(factors, rows)
    inverse_diagonals = np.einsum("nij,nij->ni", rows, rows)
    squared: Float64Array = weights * np.maximum(1.0 - weights * ridge * inverse_diagonals, 0.0)
    return squared


def _means(pixels: Float64Array, valid: BoolArray) -> Float64Array:
    """Return the means (n, 1, B) of the valid ones among pixels (n, k, B), whose other ones are set to 0."""
    if not valid.all():
        pixels[~valid] = 0.0
    means: Float64Array = pixels.sum(axis=1, keepdims=True)
    means /= np.maximum(valid.sum(axis=1), 1)[:, None, None]
    return means


def _gram_factors(centred: Float64Array, valid: BoolArray, ridge: float) -> tuple[Float64Array, Float64Array]:
    """Return the factors (n, k, k) of Y Y^T + (count - 1) * ridge * I, and count - 1 (n, 1), at least 1.

    Pixels (n, k, B) that do not count are set to 0: then they add nothing to a distance.
    """
    if not valid.all():
        centred[~valid] = 0.0
    weights = np.maximum(valid.sum(axis=1, keepdims=True) - 1.0, 1.0)
    factors = np.empty((*valid.shape, valid.shape[1]))
    row_gram(centred, factors)
    diagonals = np.einsum("nii->ni", factors)
    diagonals += weights * ridge
    if not cholesky(factors):
        raise RunError(NOT_DEFINITE)
    return factors, weights
