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
        """Return squared distances (...,) of pixels (..., B)."""
        if self._accelerator is not None and self._inverse is not None:
            flat = pixels.reshape(-1, pixels.shape[-1])
            return self._accelerator.distances(flat, self._mean, np.triu(self._inverse)).reshape(pixels.shape[:-1])
        rows = pixels - self._mean
        flat = rows.reshape(-1, pixels.shape[-1])
        if self._inverse is None:
            solve_rows(self._factor, flat)
        else:
            multiply_rows(flat, self._inverse)
        squared: Float64Array = np.einsum("...j,...j->...", rows, rows)
        return squared


def own_squared(blocks: Float64Array, valid: BoolArray, ridge: float) -> Float64Array:
    """Return squared distances (..., m) of the pixels of blocks to their own block's covariance plus ridge * I.

    `blocks` (..., m, B), m < B; `valid` (..., m) says which pixels count, the others are 0 and their distances mean
    nothing. With the centred pixels Y of a block of k, G = Y Y^T and c = (k - 1) * ridge, the push-through identity
    gives (k - 1) diag(G (G + c I)^-1) = (k - 1) (1 - c diag((G + c I)^-1)). One pixel alone has the distance 0.
    """
    counts = valid.sum(axis=-1, keepdims=True)
    means = blocks.sum(axis=-2, keepdims=True)
    means /= np.maximum(counts, 1)[..., None]
    centred = blocks - means
    if not valid.all():
        # They add nothing to a distance then.
        centred[~valid] = 0.0
    weights = np.maximum(counts - 1.0, 1.0)
    # Zeros, since the elimination takes all of it along.
    grams = np.zeros((*valid.shape, valid.shape[-1]))
    row_gram(centred, grams)
    np.einsum("...ii->...i", grams)[...] += weights * ridge
    diagonals = _inverse_diagonals(grams.reshape(-1, *grams.shape[-2:])).reshape(valid.shape)
    squared: Float64Array = weights * np.maximum(1.0 - weights * ridge * diagonals, 0.0)
    return squared


def _inverse_diagonals(matrices: Float64Array) -> Float64Array:
    """Return the diagonals (n, m) of the inverses of positive definite matrices (n, m, m), upper triangles.

    For a matrix R^T R, elimination turns [matrix, I] into [R, R^-T], whose squares add up to the diagonal. Each step is
    taken for all matrices at once: for such small ones a call of LAPACK costs more than its work.
    """
    n, m = matrices.shape[:2]
    work = np.zeros((m, 2 * m, n))
    work[:, :m] = matrices.transpose(1, 2, 0)
    inverses = work[:, m:]
    np.einsum("iin->in", inverses)[...] = 1.0
    for step in range(m):
        row = work[step, step : m + step + 1]
        if not (row[0] > 0.0).all():
            raise RunError(NOT_DEFINITE)
        row /= np.sqrt(row[0])
        work[step + 1 :, step + 1 : m + step + 1] -= row[1 : m - step, None] * row[1:]
    diagonals: Float64Array = np.einsum("kin,kin->ni", inverses, inverses)
    return diagonals
