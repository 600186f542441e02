"""BLAS and LAPACK routines at the addresses that scipy publishes for compiled callers.

ctypes calls them and releases the interpreter lock, which scipy's own wrappers hold.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from types import ModuleType

Routine = Callable[..., None]

_KINDS = {"char *": "c", "int *": "i"}


def published_routine(module: ModuleType, name: str, kinds: str) -> Routine | None:
    """Return a Fortran routine of scipy's, or None where its signature is not the expected one.

    module : `scipy.linalg.cython_blas` or `cython_lapack`. kinds : one letter per argument: c for char, i for C's int,
    s for float32 and d for float64. The routine takes the address of every argument, as Fortran has it.
    """
    capsule = getattr(module, "__pyx_capi__", {}).get(name)
    if capsule is None:
        return None
    get_name, get_pointer = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    get_name.restype, get_name.argtypes = ctypes.c_char_p, [ctypes.py_object]
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    # The capsule's name is the routine's C signature. A BLAS of 64-bit integers or another order is not called.
    signature: bytes = get_name(capsule)
    types = [part.strip() for part in signature.decode().partition("(")[2].rstrip(")").split(",")]
    if "".join(map(_kind, types)) != kinds:
        return None
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(kinds))(get_pointer(capsule, signature))


def _kind(c_type: str) -> str:
    """Return the letter of a C type; scipy has types of its own for reals, which end in _s and _d."""
    if c_type.endswith(("_s *", "_d *")):
        return c_type[-3]
    return _KINDS.get(c_type, "?")
