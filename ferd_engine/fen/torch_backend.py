"""FEN on torch: on the CPU by its matrix products, on CUDA by its convolutions."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..threads import available_threads
from .backend import Carry, Work
from .blas import Product
from .engine import RowEngine
from .network import Architecture, Weights
from .torch_tiles import TorchTiles

Float32Array = NDArray[np.float32]


class TorchBackend:
    """FEN by torch, float32 without TF32. On the CPU each thread runs single-threaded products, as with numpy.

    With `bfloat16` products are of bfloat16 values: several times faster where the chip has units for them, and less
    exact; see `TorchTiles`.
    """

    name = "torch"

    def __init__(
        self,
        architecture: Architecture,
        weights: Weights,
        *,
        device: str = "auto",
        threads: int | None = None,
        bfloat16: bool = False,
    ) -> None:
        import torch

        if device == "cuda" and not torch.cuda.is_available():
            raise UsageError("The device cuda was chosen and torch finds no CUDA device: use --device cpu or auto.")
        self._torch = torch
        self._workers = threads or available_threads()
        self._precision = ", bfloat16" if bfloat16 else ""
        self._runner: RowEngine | TorchTiles
        if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
            self._where = torch.cuda.get_device_name()
            self._runner = TorchTiles(architecture, weights, torch.device("cuda"), bfloat16=bfloat16)
        elif bfloat16:
            self._where = f"CPU, {self._workers} threads"
            self._runner = TorchTiles(architecture, weights, torch.device("cpu"), bfloat16=True)
        else:
            self._where = f"CPU, {self._workers} threads"
            self._runner = RowEngine(architecture, weights, self._bind, self._workers, self._in_worker)

    def _in_worker(self) -> AbstractContextManager[object]:
        """Prepare a thread for a job: products on one thread, and nothing kept for gradients, which costs time."""
        self._torch.set_num_threads(1)
        return self._torch.inference_mode()

    def _bind(self, a: Float32Array, b: Float32Array, c: Float32Array, accumulate: bool) -> Product:
        """Prepare a product on the arrays' own memory; see `blas`."""
        torch = self._torch
        left, right, target = torch.from_numpy(a), torch.from_numpy(b), torch.from_numpy(c)
        if accumulate:
            return partial(target.addmm_, left, right)
        return partial(torch.mm, left, right, out=target)

    def describe(self) -> str:
        """Return one line for the log."""
        return f"torch {self._torch.__version__}, {self._where}{self._precision}"

    def enhance(
        self,
        block: Float32Array,
        out: Float32Array | None = None,
        check: Callable[[], None] | None = None,
        carry: Carry | None = None,
    ) -> Float32Array:
        """Return the enhanced block; see `Backend.enhance`."""
        with self._own_threads():
            return self._runner.enhance(block, out, check, carry)

    def enhance_each(
        self, works: Iterable[Work], check: Callable[[], None] | None = None
    ) -> Generator[Float32Array, None, None]:
        """Yield the results; see `Backend.enhance_each`."""
        with self._own_threads():
            yield from self._runner.enhance_each(works, check)

    @contextmanager
    def _own_threads(self) -> Iterator[None]:
        """Let torch use the threads of this backend, and give it the former number back."""
        # What the engine's threads set for themselves becomes the default of threads that others start later.
        threads = self._torch.get_num_threads()
        self._torch.set_num_threads(self._workers)
        try:
            yield
        finally:
            self._torch.set_num_threads(threads)

    def working_bytes(self, rows: int, cols: int) -> int:
        """Return an upper bound of what `enhance` allocates in main memory; see `Backend.working_bytes`."""
        return self._runner.working_bytes(rows, cols)
