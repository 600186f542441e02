"""Mahalanobis distances to a positive definite matrix, and to few pixels with a ridge by their Gram matrix."""

from __future__ import annotations

import numpy as np
from scipy.linalg import lapack as scipy_lapack

from ..errors import RunError
from ..lapack import cholesky, multiply_rows, row_gram, solve_rows
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


def own_squared(centred: Float64Array, ridge: float) -> Float64Array:
    """Return squared distances (m,) of m centred pixels (m, B), m < B, to their own covariance (m - 1) plus ridge * I.

    With G = Y Y^T and c = (m - 1) * ridge: (m - 1) diag(G (G + c I)^-1) = (m - 1) (1 - c diag((G + c I)^-1)), the
    push-through identity. One pixel has the distance 0.
    """
    m = len(centred)
    weight = max(m - 1, 1)
    factor = _gram_factor(centred, weight * ridge)
    rows = np.eye(m)
    solve_rows(factor, rows)
    inverse_diagonal = np.einsum("ij,ij->i", rows, rows)
    squared: Float64Array = weight * np.maximum(1.0 - weight * ridge * inverse_diagonal, 0.0)
    return squared


def other_squared(pixels: Float64Array, centred: Float64Array, ridge: float) -> Float64Array:
    """Return squared distances (k,) of pixels (k, B) to the covariance (n - 1) of n < B other pixels plus ridge * I.

    Both are centred on the mean of the others, `centred` (n, B). Woodbury's identity with N = centred, G = N N^T and
    c = (n - 1) * ridge gives (|z|^2 - (N z)^T (G + c I)^-1 N z) / ridge.
    """
    factor = _gram_factor(centred, max(len(centred) - 1, 1) * ridge)
    projected = pixels @ centred.T
    solve_rows(factor, projected)
    residual = np.einsum("ij,ij->i", pixels, pixels) - np.einsum("ij,ij->i", projected, projected)
    squared: Float64Array = np.maximum(residual, 0.0) / ridge
    return squared


def _gram_factor(rows: Float64Array, ridge: float) -> Float64Array:
    gram = np.empty((len(rows), len(rows)))
    row_gram(rows, gram)
    gram.flat[:: len(rows) + 1] += ridge
    if not cholesky(gram):
        raise RunError(NOT_DEFINITE)
    return gram
