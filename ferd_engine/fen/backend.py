"""What a backend does, and how one is chosen."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingPackageError, UsageError
from ..options import BACKENDS, DEVICES, PRECISIONS

if TYPE_CHECKING:
    from .bundle import Model

TORCH_HINT = 'add it with: python -m pip install "torch>=2.6"'


@dataclass
class Carry:
    """What a backend keeps from a block for the one right below it; only the backend that fills it reads it."""

    state: Any = None


class Work(NamedTuple):
    """A block to enhance, where its result goes, and what it carries on; see `Backend.enhance`."""

    block: NDArray[np.float32]
    out: NDArray[np.float32]
    carry: Carry | None = None


class Backend(Protocol):
    """A FEN ready to run on blocks of an image."""

    @property
    def name(self) -> str:
        """Return "numpy" or "torch"."""

    def describe(self) -> str:
        """Return one line for the log: library, version, device and threads."""

    def enhance(
        self,
        block: NDArray[np.float32],
        out: NDArray[np.float32] | None = None,
        check: Callable[[], None] | None = None,
        carry: Carry | None = None,
    ) -> NDArray[np.float32]:
        """Return the enhanced block: head output plus scaled input.

        block : float32, C-contiguous, (rows + 2 halo, cols + 2 halo, B), scaled, finite; the halo of
            `architecture.halo_px` pixels holds the neighbours, mirrored at the image's edge. It is not changed.
        out : where the result goes, C-contiguous float32 (rows, cols, B); a fresh array without it.
        check : called many times a second, in any thread; what it raises ends the call, as for a cancelled run.
        carry : one for blocks of the same columns that follow each other downwards without a gap, given with each of
            them: rows that two of them share are then computed once. The result is the same.
        Returns (rows, cols, B) float32.
        """

    def enhance_each(
        self, works: Iterable[Work], check: Callable[[], None] | None = None
    ) -> Generator[NDArray[np.float32], None, None]:
        """Yield the result of each work in order, while the next one is computed.

        The next work is asked for before the last one's result is waited for, so that no thread waits at a block's
        end. Close the generator after an error: nothing runs on then. `check` is as for `enhance`.
        """

    def working_bytes(self, rows: int, cols: int) -> int:
        """Return an upper bound of what `enhance` allocates for a block of this core size, its result included."""


def torch_installed() -> bool:
    """Say whether torch can be found, without importing it."""
    return importlib.util.find_spec("torch") is not None


def require_torch(purpose: str) -> None:
    """Raise `MissingPackageError` with what to do where torch is not installed."""
    if not torch_installed():
        raise MissingPackageError(f"{purpose} needs the package torch, which is not installed: {TORCH_HINT}")


def open_backend(
    model: Model,
    backend: str = "auto",
    device: str = "auto",
    threads: int | None = None,
    precision: str = "float32",
) -> Backend:
    """Return a backend for the model.

    backend : "auto" takes torch where it can be imported, else NumPy.
    device : "auto", "cpu" or "cuda"; NumPy runs on the CPU alone.
    threads : CPU threads, by default all that this process may use.
    precision : "float32", or "bf16", which torch alone computes with.
    Raises `UsageError` for unknown or unfitting options and `MissingPackageError` where torch is asked for and absent.
    """
    if backend not in BACKENDS:
        raise UsageError(f"There is no backend {backend!r}: choose auto, numpy or torch.")
    if device not in DEVICES:
        raise UsageError(f"There is no device {device!r}: choose auto, cpu or cuda.")
    if threads is not None and threads < 1:
        raise UsageError(f"The number of threads is {threads}: give 1 or more.")
    if precision not in PRECISIONS:
        raise UsageError(f"There is no precision {precision!r}: choose float32 or bf16.")
    bfloat16 = precision == "bf16"
    if bfloat16 and backend == "numpy":
        raise UsageError("The numpy backend computes in float32 only: choose --backend torch for --precision bf16.")
    wants_torch = backend == "torch" or bfloat16 or (backend == "auto" and torch_installed())
    if wants_torch:
        require_torch("The torch backend")
        from .torch_backend import TorchBackend

        return TorchBackend(model.architecture, model.weights, device=device, threads=threads, bfloat16=bfloat16)
    if device == "cuda":
        if backend == "numpy":
            raise UsageError("The numpy backend has no device cuda: choose --backend torch, or --device cpu.")
        require_torch("The device cuda")
    from .numpy_backend import NumpyBackend

    return NumpyBackend(model.architecture, model.weights, threads=threads)
