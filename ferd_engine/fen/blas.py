"""Float32 matrix products that accumulate in place, without copies and without the interpreter lock.

numpy's own product cannot add to its output, and scipy's wrapper holds the interpreter lock. So scipy's BLAS routine is
called at its address (`published`), and Python threads each run a single-threaded product on data that stays in their
core's cache. Where the address or the number of BLAS threads cannot be had, scipy's wrapper with the BLAS's own threads
does the same work.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from ..published import Routine, published_routine

Float32Array = NDArray[np.float32]
# A prepared step: a product, or what is done with its result.
Product = Callable[[], object]

# OpenBLAS has a quick way for up to so many multiplications. Matrices of few rows and very many columns, as Winograd's
# transforms multiply them, take a third of the time by it, cut into parts of their columns.
_SMALL_PRODUCT = 1_000_000
_FEW_ROWS = 8

# bind(a, b, c, accumulate) prepares c = a b or c += a b for C-contiguous float32 (n, k), (k, m) and (n, m).
Binder = Callable[[Float32Array, Float32Array, Float32Array, bool], Product]


def _check(a: Float32Array, b: Float32Array, c: Float32Array) -> None:
    """Raise `ValueError` unless the three may be handed to BLAS by address."""
    if a.shape[1] != b.shape[0] or c.shape != (a.shape[0], b.shape[1]) or c.size == 0:
        raise ValueError(f"matrices of shapes {a.shape}, {b.shape} and {c.shape} make no product")
    if not all(x.flags.c_contiguous and x.flags.aligned and x.dtype == np.float32 for x in (a, b, c)):
        raise ValueError("products need aligned C-contiguous float32 matrices")


def bind_wrapped(a: Float32Array, b: Float32Array, c: Float32Array, accumulate: bool) -> Product:
    """Prepare a product through scipy's wrapper: row-major c = a b is column-major c' = b' a'."""
    from scipy.linalg.blas import sgemm

    _check(a, b, c)
    return partial(sgemm, 1.0, b.T, a.T, beta=1.0 if accumulate else 0.0, c=c.T, overwrite_c=1)


@lru_cache(maxsize=1)
def direct_binder() -> Binder | None:
    """Return a binder of products that release the interpreter lock, or None where scipy's BLAS is not as expected."""
    from scipy.linalg import cython_blas

    routine = published_routine(cython_blas, "sgemm", "cciiissisissi")
    return None if routine is None else _Sgemm(routine).bind


def _one_after_another(products: list[Product]) -> None:
    for product in products:
        product()


class _Sgemm:
    """The Fortran routine sgemm. Its scalars are passed by address and live as long as this object."""

    def __init__(self, routine: Routine) -> None:
        self._routine = routine
        self._flag = ctypes.c_char(b"N")
        self._scalars = {False: ctypes.c_float(0.0), True: ctypes.c_float(1.0)}
        self._integers: dict[int, ctypes.c_int] = {}

    def bind(self, a: Float32Array, b: Float32Array, c: Float32Array, accumulate: bool) -> Product:
        """Prepare a product; the arrays are kept alive with it."""
        _check(a, b, c)
        if len(a) > _FEW_ROWS:
            return self._bind(a, b, c, accumulate)
        n_parts = min(-(-a.size * b.shape[1] // _SMALL_PRODUCT), b.shape[1])
        cuts = [b.shape[1] * index // n_parts for index in range(n_parts + 1)]
        parts = [self._bind(a, b[:, i:j], c[:, i:j], accumulate) for i, j in zip(cuts, cuts[1:])]
        return parts[0] if n_parts == 1 else partial(_one_after_another, parts)

    def _bind(self, a: Float32Array, b: Float32Array, c: Float32Array, accumulate: bool) -> Product:
        # The columns may be a part of wider matrices.
        n, k, m, b_step, c_step = map(self._integer, (*a.shape, b.shape[1], b.strides[0] // 4, c.strides[0] // 4))
        flag, one = ctypes.addressof(self._flag), ctypes.addressof(self._scalars[True])
        beta = ctypes.addressof(self._scalars[accumulate])
        arguments = (flag, flag, m, n, k, one, b.ctypes.data, b_step, a.ctypes.data, k, beta, c.ctypes.data, c_step)
        product = partial(self._routine, *arguments)
        # Addresses keep nothing alive; the attribute does.
        product.__dict__["operands"] = (self, a, b, c)
        return product

    def _integer(self, value: int) -> int:
        return ctypes.addressof(self._integers.setdefault(value, ctypes.c_int(value)))
