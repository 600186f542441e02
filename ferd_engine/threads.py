"""The number of threads that BLAS may use while a run lasts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger("ferd")

# What the BLAS libraries read when they are loaded.
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Hold BLAS to this many threads; None leaves it as it is.

    Needs threadpoolctl for libraries that are loaded already. The command line sets the libraries' own variables before
    it loads them, so it needs nothing.
    """
    if threads is None:
        yield
        return
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        logger.info("threadpoolctl is not installed: the number of threads holds for libraries loaded from now on.")
        yield
        return
    with threadpool_limits(limits=threads):
        yield
