"""FEN on numpy and scipy's BLAS alone, which every QGIS has."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable
from contextlib import nullcontext

import numpy as np
import scipy
from numpy.typing import NDArray

from ..threads import available_threads, can_set_threads, single_threaded
from . import blas
from .backend import Carry, Work
from .engine import RowEngine
from .network import Architecture, Weights

Float32Array = NDArray[np.float32]
logger = logging.getLogger("ferd")


class NumpyBackend:
    """FEN by BLAS products, one Python thread per core where the BLAS can be held to one thread each."""

    name = "numpy"

    def __init__(self, architecture: Architecture, weights: Weights, *, threads: int | None = None) -> None:
        direct = blas.direct_binder()
        self._own_threads = direct is not None and can_set_threads()
        if threads is not None and not self._own_threads:
            logger.warning(
                "The number of threads of this BLAS cannot be set from here: set OPENBLAS_NUM_THREADS, MKL_NUM_THREADS "
                "or VECLIB_MAXIMUM_THREADS before the start instead."
            )
        self._workers = (threads or available_threads()) if self._own_threads else 1
        self._engine = RowEngine(architecture, weights, direct or blas.bind_wrapped, self._workers)

    def describe(self) -> str:
        """Return one line for the log."""
        threads = f"{self._workers} threads" if self._own_threads else "the BLAS's own threads"
        return f"numpy {np.__version__}, BLAS of scipy {scipy.__version__}, {threads}"

    def enhance(
        self,
        block: Float32Array,
        out: Float32Array | None = None,
        check: Callable[[], None] | None = None,
        carry: Carry | None = None,
    ) -> Float32Array:
        """Return the enhanced block; see `Backend.enhance`."""
        with single_threaded() if self._own_threads else nullcontext():
            return self._engine.enhance(block, out, check, carry)

    def enhance_each(
        self, works: Iterable[Work], check: Callable[[], None] | None = None
    ) -> Generator[Float32Array, None, None]:
        """Yield the results; see `Backend.enhance_each`."""
        with single_threaded() if self._own_threads else nullcontext():
            yield from self._engine.enhance_each(works, check)

    def working_bytes(self, rows: int, cols: int) -> int:
        """Return an upper bound of what `enhance` allocates; see `Backend.working_bytes`."""
        return self._engine.working_bytes(rows, cols)
