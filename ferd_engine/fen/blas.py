"""Float32 matrix products that accumulate in place, without copies and without the interpreter lock.

numpy's own product cannot add to its output, and scipy's wrapper holds the interpreter lock. scipy publishes the
address of its BLAS routine in `scipy.linalg.cython_blas` for compiled callers; ctypes calls it and releases the lock,
so that Python threads each run a single-threaded product on data that stays in their core's cache. Where the address
or the number of BLAS threads cannot be had, scipy's wrapper with the BLAS's own threads does the same work.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Product = Callable[[], None]
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

    capsule = getattr(cython_blas, "__pyx_capi__", {}).get("sgemm")
    if capsule is None:
        return None
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    signature: bytes = get_name(capsule)
    # The capsule's name is the C signature; it is called only where its integers are C's int.
    parts = [part.strip() for part in signature.decode().partition("(")[2].rstrip(")").split(",")]
    kinds = ["char" if p == "char *" else "int" if p == "int *" else "real" for p in parts]
    if kinds != ["char"] * 2 + ["int"] * 3 + ["real"] * 2 + ["int", "real", "int", "real", "real", "int"]:
        return None
    return _Sgemm(get_pointer(capsule, signature)).bind


class _Sgemm:
    """The Fortran routine sgemm at an address. Its scalars are passed by address and live as long as this object."""

    def __init__(self, address: int) -> None:
        self._routine = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)(address)
        self._flag = ctypes.c_char(b"N")
        self._scalars = {False: ctypes.c_float(0.0), True: ctypes.c_float(1.0)}
        self._integers: dict[int, ctypes.c_int] = {}

    def bind(self, a: Float32Array, b: Float32Array, c: Float32Array, accumulate: bool) -> Product:
        """Prepare a product; the arrays are kept alive with it."""
        _check(a, b, c)
        n, k, m = (self._integer(size) for size in (*a.shape, b.shape[1]))
        flag, one = ctypes.addressof(self._flag), ctypes.addressof(self._scalars[True])
        beta = ctypes.addressof(self._scalars[accumulate])
        arguments = (flag, flag, m, n, k, one, b.ctypes.data, m, a.ctypes.data, k, beta, c.ctypes.data, m)
        product = partial(self._routine, *arguments)
        # Addresses keep nothing alive; the attribute does.
        product.__dict__["operands"] = (self, a, b, c)
        return product

    def _integer(self, value: int) -> int:
        return ctypes.addressof(self._integers.setdefault(value, ctypes.c_int(value)))
