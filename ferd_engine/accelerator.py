"""The GPU as detectors see it: the computations that they hand to it, and the choice whether there is one."""

from __future__ import annotations

import ctypes
import logging
import sys
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import MissingPackageError, UsageError

Float64Array = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
logger = logging.getLogger("ferd")

_DRIVERS = {"win32": "nvcuda.dll"}


class Sums(NamedTuple):
    """Number, mean (B,), scatter around it (B, B), smallest and largest value (B,) of some pixels."""

    n_pixels: int
    mean: Float64Array
    scatter: Float64Array
    minimum: Float64Array
    maximum: Float64Array


class Accelerator(Protocol):
    """Computes in float64 what the passes of detectors spend their time on.

    Arrays come from and go to main memory. Results agree with those of the processor to 1e-9 of a distance for
    covariances of a condition number up to 1e6, and are held to 1e-6 of a score in the tests.
    """

    def describe(self) -> str:
        """Return one line for the log."""

    def sums(self, pixels: NDArray[np.floating[Any]]) -> Sums:
        """Return the sums of pixels (n, B), n at least 1."""

    def whiten(self, pixels: NDArray[np.floating[Any]], mean: Float64Array, root: Float64Array) -> Float64Array:
        """Return (pixels - mean) root of pixels (n, B) and root (B, rank)."""

    def distances(self, pixels: NDArray[np.floating[Any]], mean: Float64Array, root: Float64Array) -> Float64Array:
        """Return the squared lengths (n,) of what `whiten` returns."""

    def own_squared(self, blocks: Float64Array, valid: BoolArray, ridge: float) -> Float64Array:
        """Return what `metric.own_squared` does, for blocks (n, m, B)."""

    def others_squared(
        self, blocks: Float64Array, others: Float64Array, valid: BoolArray, ridge: float
    ) -> Float64Array:
        """Return squared distances (n, m) of the pixels of n blocks to the covariance of others plus ridge * I.

        `blocks` (n, m, B); `others` (n, k, B), overwritten, k <= B; `valid` (n, k) says which of them count, distances
        of a block where none does mean nothing.
        """

    def ring_distances(
        self, kind: str, pixels: Float64Array, around: Float64Array, taken: BoolArray, places: NDArray[np.intp]
    ) -> Float64Array:
        """Return the squared distances (m,) of pixels (m, p) to their rings.

        The ring of each pixel is `around[places]`, `places` (m, n) in `around` (k, p); those of `taken` (k,) count.
        `kind` is empirical, ledoit-wolf or oas. NaN where rounding may have cost more than last digits.
        """

    def ring_residuals(
        self, pixels: Float64Array, around: Float64Array, places: NDArray[np.intp], penalty: float, floor: float
    ) -> Float64Array:
        """Return what the rings of pixels (m, p) cannot represent of them, as `crd.Crd` says: lengths (m,).

        The ring of each pixel is `around[places]`, `places` (m, n) in `around` (k, p), whose pixels are 0 where they do
        not count. The last of the p values is the appended 1, which takes no part in the length.
        """


def open_accelerator(backend: str = "auto", device: str = "auto") -> Accelerator | None:
    """Return the CUDA device that the options of a run lead to, the same as for FEN; None for the processor.

    backend numpy and device cpu mean the processor; auto takes the GPU where torch and a device are there. On the
    processor LAPACK is faster than torch for detectors, so backend torch alone changes nothing without a GPU.
    Raises `UsageError` where the device cuda is asked for and absent, `MissingPackageError` where torch is.
    """
    if device == "cpu":
        return None
    if backend == "numpy":
        if device == "cuda":
            raise UsageError("The numpy backend has no device cuda: choose --backend torch, or --device cpu.")
        return None
    # Loading torch takes seconds, which a run on a machine without a GPU need not spend.
    if device == "auto" and "torch" not in sys.modules and not _driver_found():
        return None
    try:
        import torch
    except ImportError as error:
        if device == "auto":
            return None
        raise MissingPackageError(
            "The device cuda needs the package torch, which is not installed: add it with: "
            'python -m pip install "torch>=2.6"'
        ) from error
    if not torch.cuda.is_available():
        if device == "auto":
            return None
        raise UsageError("The device cuda was chosen and torch finds no CUDA device: use --device cpu or auto.")
    from .torch_accelerator import TorchAccelerator

    accelerator = TorchAccelerator("cuda")
    logger.info("Detectors run on %s.", accelerator.describe())
    return accelerator


def _driver_found() -> bool:
    """Say whether NVIDIA's driver can be loaded; it comes with the card, not with torch."""
    try:
        ctypes.CDLL(_DRIVERS.get(sys.platform, "libcuda.so.1"))
    except OSError:
        return False
    return True
