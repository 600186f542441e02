"""Float32 matrix products that accumulate in place, without copies and without the interpreter lock.

numpy's own product cannot add to its output, and scipy's wrapper holds the interpreter lock. scipy publishes the
address of its BLAS routine in `scipy.linalg.cython_blas` for compiled callers; ctypes calls it and releases the lock,
so that Python threads each run a single-threaded product on data that stays in their core's cache. Where the address
or the number of BLAS threads cannot be had, scipy's wrapper with the BLAS's own threads does the same work.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
# gemm(a, b, c, accumulate): c = a b, or c += a b, for C-contiguous float32 (n, k), (k, m) and (n, m).
Gemm = Callable[[Float32Array, Float32Array, Float32Array, bool], None]

_THREAD_SYMBOLS = ("openblas_{}_num_threads", "scipy_openblas_{}_num_threads", "openblas_{}_num_threads64_")


def wrapped_gemm(a: Float32Array, b: Float32Array, c: Float32Array, accumulate: bool) -> None:
    """Multiply through scipy's wrapper: row-major c = a b is column-major c' = b' a'."""
    from scipy.linalg.blas import sgemm

    sgemm(1.0, b.T, a.T, beta=1.0 if accumulate else 0.0, c=c.T, overwrite_c=1)


@lru_cache(maxsize=1)
def direct_gemm() -> Gemm | None:
    """Return a product that releases the interpreter lock, or None where scipy's BLAS has another interface."""
    from scipy.linalg import cython_blas

    capsule = getattr(cython_blas, "__pyx_capi__", {}).get("sgemm")
    if capsule is None:
        return None
    get_name = ctypes.pythonapi.PyCapsule_GetName
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    signature: bytes = get_name(capsule)
    # The capsule's name is the C signature; only the one with 32-bit integers and single precision is called.
    parts = [part.strip() for part in signature.decode().partition("(")[2].rstrip(")").split(",")]
    kinds = ["char" if p == "char *" else "int" if p == "int *" else "real" for p in parts]
    if kinds != ["char"] * 2 + ["int"] * 3 + ["real"] * 2 + ["int", "real", "int", "real", "real", "int"]:
        return None
    pointer = get_pointer(capsule, signature)
    routine = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 13)(pointer)
    return _bind(routine)


def _bind(routine: Callable[..., Any]) -> Gemm:
    no_transpose = ctypes.c_char(b"N")
    scalars = {value: ctypes.c_float(value) for value in (0.0, 1.0)}
    flag = ctypes.addressof(no_transpose)
    zero, one = ctypes.addressof(scalars[0.0]), ctypes.addressof(scalars[1.0])

    # BLAS takes integers by address; they live as long as the program, one per size.
    @cache
    def integer(value: int) -> tuple[int, ctypes.c_int]:
        box = ctypes.c_int(value)
        return ctypes.addressof(box), box

    def gemm(a: Float32Array, b: Float32Array, c: Float32Array, accumulate: bool) -> None:
        n, k = a.shape
        m = b.shape[1]
        if not (
            b.shape[0] == k
            and c.shape == (n, m)
            and a.flags.c_contiguous
            and b.flags.c_contiguous
            and c.flags.c_contiguous
            and a.dtype == b.dtype == c.dtype == np.float32
        ):
            raise ValueError("gemm needs C-contiguous float32 matrices of matching shapes")
        if n == 0:
            return
        rows, inner, cols = integer(n)[0], integer(k)[0], integer(m)[0]
        beta = one if accumulate else zero
        routine(
            *(flag, flag, cols, rows, inner, one, b.ctypes.data, cols),
            *(a.ctypes.data, inner, beta, c.ctypes.data, cols),
        )

    # The boxed scalars must outlive the function that uses their addresses.
    gemm.__dict__["scalars"] = (no_transpose, scalars)
    return gemm


@lru_cache(maxsize=1)
def _thread_control() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Return getter and setter of the BLAS's thread count, or None where the BLAS offers none that we know."""
    from scipy.linalg import _fblas

    home = Path(_fblas.__file__)
    site = home.parents[2]
    # On Windows a library's symbols are not found through the extension that uses it, so the wheel's copy is named.
    bundled = sorted(str(p) for folder in ("scipy.libs", "scipy/.dylibs") for p in (site / folder).glob("*openblas*"))
    for path in [str(home), *bundled]:
        try:
            library = ctypes.CDLL(path)
        except OSError:
            continue
        for pattern in _THREAD_SYMBOLS:
            getter = getattr(library, pattern.format("get"), None)
            setter = getattr(library, pattern.format("set"), None)
            if getter is not None and setter is not None:
                getter.restype, getter.argtypes = ctypes.c_int, []
                setter.restype, setter.argtypes = None, [ctypes.c_int]
                return getter, setter
    return None


def can_set_threads() -> bool:
    """Say whether the number of BLAS threads can be set in this process."""
    return _thread_control() is not None


_lock = Lock()
_single_users = 0
_threads_before = 1


@contextmanager
def single_threaded() -> Iterator[None]:
    """Keep the BLAS at one thread while any caller is inside, and give the former number back afterwards."""
    global _single_users, _threads_before
    control = _thread_control()
    if control is None:
        yield
        return
    getter, setter = control
    with _lock:
        if _single_users == 0:
            _threads_before = getter()
            setter(1)
        _single_users += 1
    try:
        yield
    finally:
        with _lock:
            _single_users -= 1
            if _single_users == 0:
                setter(_threads_before)


def available_threads() -> int:
    """Return how many CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(len(os.sched_getaffinity(0)), 1)
    return os.cpu_count() or 1
