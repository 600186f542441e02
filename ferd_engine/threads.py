"""How many threads a run may use, and how many the BLAS of scipy uses beside them.

Nothing here imports numpy before it is asked to: the command line sets the libraries' variables first.
"""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from pathlib import Path
from threading import Lock

logger = logging.getLogger("ferd")

# What the BLAS libraries read when they are loaded.
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

_THREAD_SYMBOLS = ("openblas_{}_num_threads", "scipy_openblas_{}_num_threads", "openblas_{}_num_threads64_")
_limit: ContextVar[int | None] = ContextVar("ferd_thread_limit", default=None)


def thread_limit() -> int | None:
    """Return how many threads the run around may use; None where nobody said."""
    return _limit.get()


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Hold the engine's own threads and BLAS to this many; None leaves them as they are.

    For BLAS this needs threadpoolctl for libraries that are loaded already. The command line sets the libraries' own
    variables before it loads them, so it needs nothing.
    """
    if threads is None:
        yield
        return
    token = _limit.set(threads)
    try:
        with _limited_blas(threads):
            yield
    finally:
        _limit.reset(token)


@contextmanager
def _limited_blas(threads: int) -> Iterator[None]:
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        logger.info("threadpoolctl is not installed: the number of threads holds for libraries loaded from now on.")
        yield
        return
    with threadpool_limits(limits=threads):
        yield


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
