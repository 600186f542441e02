"""Float64 BLAS and LAPACK routines on row-major arrays, in place and without the interpreter lock.

scipy's wrappers hold the lock, and a BLAS's own threads gain little on matrices of a few hundred rows. So the routines
are called at their addresses (`published`), and Python threads work on different matrices at once. Where an address
cannot be used, scipy's wrappers do the same one at a time. numpy's own products are not used beside them: inside QGIS
on Linux another library answers for numpy's BLAS, a slow one.

A symmetric matrix is given by its upper triangle in row-major order (Fortran's lower one); what lies below the diagonal
is neither read nor written. Arrays are C-contiguous float64. Most routines take stacks, (..., rows, cols), too: one
call for many small matrices leaves the interpreter little to do between them.
"""

from __future__ import annotations

import ctypes
import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, cython_blas, cython_lapack, lapack

from .published import published_routine

Float64Array = NDArray[np.float64]

_syrk = published_routine(cython_blas, "dsyrk", "cciiddiddi")
_syr = published_routine(cython_blas, "dsyr", "ciddidi")
_syr2k = published_routine(cython_blas, "dsyr2k", "cciiddididdi")
_trmm = published_routine(cython_blas, "dtrmm", "cccciiddidi")
_trsm = published_routine(cython_blas, "dtrsm", "cccciiddidi")
_potrf = published_routine(cython_lapack, "dpotrf", "cidii")
_gemm = published_routine(cython_blas, "dgemm", "cciiiddididdi")

# BLAS takes every argument by address; these live as long as the program.
_letters = {letter: ctypes.c_char(letter.encode()) for letter in "LNT"}
_L, _N, _T = (ctypes.addressof(_letters[letter]) for letter in "LNT")
_scalars = {value: ctypes.c_double(value) for value in (-1.0, 0.0, 0.5, 1.0)}
_MINUS_ONE, _ZERO, _HALF, _ONE = (ctypes.addressof(_scalars[value]) for value in (-1.0, 0.0, 0.5, 1.0))


@cache
def _boxed(value: int) -> tuple[int, ctypes.c_int]:
    box = ctypes.c_int(value)
    return ctypes.addressof(box), box


def _size(value: int) -> int:
    return _boxed(value)[0]


def _data(array: Float64Array) -> int:
    if not array.flags.c_contiguous or array.dtype != np.float64:
        raise ValueError("LAPACK works in place on C-contiguous float64 arrays.")
    address: int = array.ctypes.data
    return address


def _addresses(stack: Float64Array) -> range:
    """Return the address of each matrix of a stack (..., rows, cols)."""
    start, step = _data(stack), 8 * stack.shape[-2] * stack.shape[-1]
    # An empty matrix has no step, and nothing to do.
    return range(start, start + 8 * stack.size, step) if stack.size else range(0)


def _matrices(stack: Float64Array) -> Float64Array:
    """Return a stack (..., rows, cols) as views (n, rows, cols)."""
    return stack.reshape(math.prod(stack.shape[:-2]), *stack.shape[-2:])


def runs_unlocked() -> bool:
    """Say whether the routines release the interpreter lock, so that threads gain from calling them."""
    return None not in (_syrk, _syr, _syr2k, _trmm, _trsm, _potrf, _gemm)


def add_gram(rows: Float64Array, gram: Float64Array, *, leaving: bool = False) -> None:
    """Add rows^T rows of rows (n, k) to gram (k, k), or take it away."""
    n, k = rows.shape
    if _syrk is None or _syr is None:
        blas.dsyrk(-1.0 if leaving else 1.0, rows.T, beta=1.0, c=gram.T, lower=1, overwrite_c=1)
        return
    sign = _MINUS_ONE if leaving else _ONE
    if n == 1:
        # A product of matrices would arrange its operands first, for a single row.
        _syr(_L, _size(k), sign, _data(rows), _size(1), _data(gram), _size(k))
        return
    _syrk(_L, _N, _size(k), _size(n), sign, _data(rows), _size(k), _ONE, _data(gram), _size(k))


def add_gram_differences(entering: Float64Array, leaving: Float64Array, gram: Float64Array) -> None:
    """Add entering^T entering - leaving^T leaving of rows (..., n, k) each to gram (..., k, k); both are overwritten.

    With u and v their sum and difference this is (u^T v + v^T u) / 2, one pass over the Gram matrix. Rows that are the
    same in both add exactly nothing.
    """
    n, k = entering.shape[-2:]
    np.subtract(entering, leaving, out=entering)
    leaving *= 2.0
    leaving += entering
    if _syr2k is None:
        for one, other, result in zip(_matrices(entering), _matrices(leaving), _matrices(gram)):
            blas.dsyr2k(0.5, one.T, other.T, beta=1.0, c=result.T, lower=1, overwrite_c=1)
        return
    size, count = _size(k), _size(n)
    for first, second, target in zip(_addresses(entering), _addresses(leaving), _addresses(gram)):
        _syr2k(_L, _N, size, count, _HALF, first, size, second, size, _ONE, target, size)


def row_gram(rows: Float64Array, gram: Float64Array) -> None:
    """Store rows rows^T of rows (..., n, k) in gram (..., n, n)."""
    n, k = rows.shape[-2:]
    if _syrk is None:
        for matrix, result in zip(_matrices(rows), _matrices(gram)):
            blas.dsyrk(1.0, matrix.T, beta=0.0, c=result.T, trans=1, lower=1, overwrite_c=1)
        return
    rank, size = _size(k), _size(n)
    for source, target in zip(_addresses(rows), _addresses(gram)):
        _syrk(_L, _T, size, rank, _ONE, source, rank, _ZERO, target, size)


def row_products(left: Float64Array, right: Float64Array) -> Float64Array:
    """Return left right^T (..., k, n) of rows left (..., k, m) and right (..., n, m)."""
    (k, m), n = left.shape[-2:], right.shape[-2]
    products = np.empty((*left.shape[:-1], n))
    if _gemm is None:
        for one, other, result in zip(_matrices(left), _matrices(right), _matrices(products)):
            result[...] = blas.dgemm(1.0, other.T, one.T, trans_a=1).T
        return products
    height, inner, width = _size(k), _size(m), _size(n)
    for one, other, result in zip(_addresses(left), _addresses(right), _addresses(products)):
        _gemm(_T, _N, width, height, inner, _ONE, other, inner, one, inner, _ZERO, result, width)
    return products


def window_products(blocks: Float64Array, windows: Float64Array, products: Float64Array, start: int) -> None:
    """Store [windows[i], ..., windows[i + w - 1]] blocks[i]^T, (w * m, m), from row `start` of products[i].

    For blocks (n, m, k), windows (n + w - 1, m, k) and products (n, rows, m).
    """
    n, m, k = blocks.shape
    height = (len(windows) - n + 1) * m
    if _gemm is None:
        flat = windows.reshape(-1, k)
        for index, (block, result) in enumerate(zip(blocks, products)):
            window = flat[index * m : index * m + height]
            result[start : start + height] = blas.dgemm(1.0, block.T, window.T, trans_a=1).T
        return
    size, inner, count = _size(m), _size(k), _size(height)
    # The last window begins w - 1 blocks before the end.
    for source, first, target in zip(_addresses(blocks), _addresses(windows), _addresses(products)):
        _gemm(_T, _N, size, count, inner, _ONE, source, inner, first, inner, _ZERO, target + 8 * start * m, size)


def combinations(weights: Float64Array, rows: Float64Array) -> Float64Array:
    """Return weights rows (m, k) of weights (m, n) and rows (n, k)."""
    m, (n, k) = len(weights), rows.shape
    combined = np.empty((m, k))
    if _gemm is None:
        combined[...] = blas.dgemm(1.0, rows.T, weights.T).T
        return combined
    size, count = _size(k), _size(n)
    _gemm(
        *(_N, _N, size, _size(m), count, _ONE, _data(rows), size, _data(weights), count),
        *(_ZERO, _data(combined), size),
    )
    return combined


def cholesky(matrix: Float64Array) -> bool:
    """Replace matrices (..., n, n) by their upper factors R, matrix = R^T R; False if one is not positive definite."""
    n = matrix.shape[-1]
    if _potrf is None:
        failures = [lapack.dpotrf(one.T, lower=1, clean=0, overwrite_a=1)[1] for one in _matrices(matrix)]
        return not any(failures)
    status, size = ctypes.c_int(0), _size(n)
    definite = True
    for address in _addresses(matrix):
        _potrf(_L, size, address, size, ctypes.addressof(status))
        definite = definite and status.value == 0
    return definite


def solve_rows(factor: Float64Array, rows: Float64Array, *, back: bool = False) -> None:
    """Replace each row r of rows (..., k, n) by R^-T r, for the upper factor R (..., n, n) of `cholesky`.

    Squared lengths of the results are r^T matrix^-1 r. With `back` rows become R^-1 r: both, one after the other, give
    matrix^-1 r.
    """
    k, n = rows.shape[-2:]
    if _trsm is None:
        for one, solved in zip(_matrices(factor), _matrices(rows)):
            blas.dtrsm(1.0, one.T, solved.T, lower=1, trans_a=int(back), overwrite_b=1)
        return
    size, count = _size(n), _size(k)
    for one, solved in zip(_addresses(factor), _addresses(rows)):
        _trsm(_L, _L, _T if back else _N, _N, size, count, _ONE, one, size, solved, size)


def multiply_rows(rows: Float64Array, upper: Float64Array) -> None:
    """Replace rows (k, n) by rows @ upper, for an upper triangular matrix (n, n)."""
    k, n = rows.shape
    if _trmm is None:
        blas.dtrmm(1.0, upper.T, rows.T, lower=1, overwrite_b=1)
        return
    _trmm(_L, _L, _N, _N, _size(n), _size(k), _ONE, _data(upper), _size(n), _data(rows), _size(n))
