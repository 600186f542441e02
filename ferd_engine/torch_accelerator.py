"""Detectors on a device of torch, in float64: batches of products, Cholesky factors and triangular solutions.

A ring's covariance is made afresh from its pixels, without sums that move from pixel to pixel: a GPU multiplies faster
than it could wait for one sum after the other, and nothing drifts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from .accelerator import BoolArray, Float64Array, Sums
from .errors import RunError

if TYPE_CHECKING:
    import torch

# What a batch may take on the device.
_BATCH_BYTES = 256 << 20
# Smallest squared pivot, as a part of the largest variance, that leaves six digits.
_SMALLEST_PIVOT = 1e-9
# A full shrinkage stays below 1 by this, as in `ring_covariance`.
_SHRINKAGE_GAP = 1e-9

Method = TypeVar("Method", bound=Callable[..., Any])


def _tells_of_memory(method: Method) -> Method:
    """Let a method say what to do where the device's memory does not suffice."""

    @wraps(method)
    def told(*arguments: Any) -> Any:
        try:
            return method(*arguments)
        except RuntimeError as error:
            if "out of memory" not in str(error):
                raise
            raise RunError("The GPU has too little free memory for this detector: use --device cpu.") from error

    return cast(Method, told)


class TorchAccelerator:
    """An `Accelerator` on a device of torch; `cpu` gives the same results, for tests.

    TF32 does not touch float64. Raises `RunError` with advice where the device's memory does not suffice.
    """

    def __init__(self, device: str) -> None:
        import torch

        self._torch = torch
        self._device = torch.device(device)

    def describe(self) -> str:
        """Return one line for the log."""
        where = self._torch.cuda.get_device_name() if self._device.type == "cuda" else "CPU"
        return f"torch {self._torch.__version__}, {where}, float64"

    def _there(self, array: NDArray[Any]) -> torch.Tensor:
        """Return an array on the device; numbers as float64, from which narrower ones are made there."""
        # torch warns of arrays that are read-only, as cubes in memory give them.
        array = np.ascontiguousarray(array) if array.flags.writeable else array.copy()
        tensor = self._torch.from_numpy(array).to(self._device)
        return tensor if tensor.dtype == self._torch.bool else tensor.double()

    @_tells_of_memory
    def sums(self, pixels: NDArray[np.floating[Any]]) -> Sums:
        """Return sums of pixels; see `Accelerator.sums`."""
        values = self._there(pixels)
        mean = values[0] + (values - values[0]).mean(dim=0)
        centred = values - mean
        # What the mean's own rounding leaves goes into the mean, so that nothing of it weighs on the scatter.
        rest = centred.mean(dim=0)
        centred -= rest
        parts = (mean + rest, centred.T @ centred, values.amin(dim=0), values.amax(dim=0))
        return Sums(len(values), *(_array(part) for part in parts))

    @_tells_of_memory
    def whiten(self, pixels: NDArray[np.floating[Any]], mean: Float64Array, root: Float64Array) -> Float64Array:
        """Return coordinates; see `Accelerator.whiten`."""
        return _array((self._there(pixels) - self._there(mean)) @ self._there(root))

    @_tells_of_memory
    def distances(self, pixels: NDArray[np.floating[Any]], mean: Float64Array, root: Float64Array) -> Float64Array:
        """Return squared distances; see `Accelerator.distances`."""
        here, matrix = self._there(mean), self._there(root)
        step = max(_BATCH_BYTES // (32 * pixels.shape[1]), 1)
        parts = [
            _array((self._there(pixels[start : start + step]) - here).matmul(matrix).square().sum(dim=1))
            for start in range(0, len(pixels), step)
        ]
        return np.concatenate(parts) if parts else np.empty(0)

    @_tells_of_memory
    def own_squared(self, blocks: Float64Array, valid: BoolArray, ridge: float) -> Float64Array:
        """Return squared distances to the own block; see `Accelerator.own_squared`."""
        pixels, known = self._there(blocks), self._there(valid)
        centred = _known(pixels - _means(pixels, known), known)
        factors, weights = _gram_factors(centred, known, ridge)
        identity = self._torch.eye(blocks.shape[1], dtype=self._torch.float64, device=self._device).expand_as(factors)
        inverse = self._torch.linalg.solve_triangular(factors, identity, upper=False)
        diagonals = inverse.square().sum(dim=1)
        return _array(weights * (1.0 - weights * ridge * diagonals).clamp_min(0.0))

    @_tells_of_memory
    def others_squared(
        self, blocks: Float64Array, others: Float64Array, valid: BoolArray, ridge: float
    ) -> Float64Array:
        """Return squared distances to the blocks around; see `Accelerator.others_squared`."""
        pixels, around, known = self._there(blocks), self._there(others), self._there(valid)
        means = _means(around, known)
        around = _known(around - means, known)
        pixels = pixels - means
        factors, _ = _gram_factors(around, known, ridge)
        projected = self._torch.linalg.solve_triangular(factors, around @ pixels.mT, upper=False)
        residuals = pixels.square().sum(dim=2) - projected.square().sum(dim=1)
        return _array(residuals.clamp_min(0.0) / ridge)

    @_tells_of_memory
    def ring_distances(
        self, kind: str, pixels: Float64Array, around: Float64Array, taken: BoolArray, places: NDArray[np.intp]
    ) -> Float64Array:
        """Return squared distances to rings; see `Accelerator.ring_distances`."""
        (m, n), p, squared = places.shape, pixels.shape[1], np.empty(len(pixels))
        here, all_around, all_taken = self._there(pixels), self._there(around), self._there(taken)
        indices = self._torch.from_numpy(places).to(self._device)
        step = max(_BATCH_BYTES // (8 * p * (3 * n + 3 * p)), 1)
        for start in range(0, m, step):
            part = slice(start, start + step)
            rings, known = all_around[indices[part]], all_taken[indices[part]]
            squared[part] = _array(self._ring_batch(kind, here[part], rings, known))
        return squared

    @_tells_of_memory
    def ring_residuals(
        self, pixels: Float64Array, around: Float64Array, places: NDArray[np.intp], penalty: float, floor: float
    ) -> Float64Array:
        """Return what rings do not represent; see `Accelerator.ring_residuals`."""
        (m, n), p, residuals = places.shape, pixels.shape[1], np.empty(len(pixels))
        here, all_around = self._there(pixels), self._there(around)
        indices = self._torch.from_numpy(places).to(self._device)
        step = max(_BATCH_BYTES // (8 * n * (2 * p + 3 * n)), 1)
        for start in range(0, m, step):
            part = slice(start, start + step)
            rings, middle = all_around[indices[part]], here[part, :, None]
            products, gram = rings @ middle, rings @ rings.mT
            squares = gram.diagonal(dim1=1, dim2=2)
            distances = (squares - 2.0 * products[:, :, 0] + middle.square().sum(dim=1)).clamp_min(0.0)
            raised = squares + penalty * distances + floor * squares.sum(dim=1, keepdim=True)
            squares.copy_(self._torch.where(squares > 0.0, raised, 1.0))
            weights = products.cholesky_solve(_factors(gram))
            left = middle - rings.mT @ weights
            residuals[part] = _array(left[:, :-1].square().sum(dim=(1, 2)).sqrt())
        return residuals

    def _ring_batch(self, kind: str, pixels: torch.Tensor, ring: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        counts = known.sum(dim=1).double()
        means = _means(ring, known)
        centred = _known(ring - means, known)
        divisors = (counts - 1.0 if kind == "empirical" else counts).clamp_min(1.0)
        covariance = (centred.mT @ centred) / divisors[:, None, None]
        if kind != "empirical":
            shrinkage, level = _shrinkage(kind, centred, covariance, counts)
            covariance *= (1.0 - shrinkage)[:, None, None]
            covariance.diagonal(dim1=1, dim2=2).add_((shrinkage * level)[:, None])
        factors, failed = self._torch.linalg.cholesky_ex(covariance)
        difference = (pixels[:, None] - means).mT
        solved = self._torch.linalg.solve_triangular(factors, difference, upper=False)
        squared = solved.square().sum(dim=(1, 2))
        variances = covariance.diagonal(dim1=1, dim2=2)
        pivots = factors.diagonal(dim1=1, dim2=2).square()
        sound = (failed == 0) & (counts >= 2.0) & (pivots > _SMALLEST_PIVOT * variances).all(dim=1)
        return self._torch.where(sound, squared, self._torch.nan)


def _array(tensor: torch.Tensor) -> Float64Array:
    array: Float64Array = tensor.cpu().numpy()
    return array


def _means(pixels: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Return the means (n, 1, B) of the known ones (n, k) among pixels (n, k, B)."""
    counts = known.sum(dim=1).clamp_min(1)[:, None, None]
    return _known(pixels, known).sum(dim=1, keepdim=True) / counts


def _known(pixels: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Return pixels (n, k, B) with 0 for those that are not known (n, k), whatever stands there."""
    return pixels.masked_fill(~known[:, :, None], 0.0)


def _factors(matrices: torch.Tensor) -> torch.Tensor:
    """Return the lower Cholesky factors of matrices (n, k, k); raises `RunError` if one is not positive definite."""
    from torch.linalg import cholesky_ex

    from .detectors.metric import NOT_DEFINITE

    factors, failed = cholesky_ex(matrices)
    if failed.any():
        raise RunError(NOT_DEFINITE)
    lower: torch.Tensor = factors
    return lower


def _gram_factors(centred: torch.Tensor, known: torch.Tensor, ridge: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the lower factors (n, k, k) of Y Y^T + (count - 1) ridge I, and count - 1 (n, 1), at least 1."""
    weights = (known.sum(dim=1, keepdim=True).double() - 1.0).clamp_min(1.0)
    gram = centred @ centred.mT
    gram.diagonal(dim1=1, dim2=2).add_(weights * ridge)
    factors = _factors(gram)
    return factors, weights


def _shrinkage(
    kind: str, centred: torch.Tensor, covariance: torch.Tensor, counts: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the shrinkage (m,), below 1, and the mean variance (m,); the rules are those of `shrinkage`."""
    from .detectors.shrinkage import ledoit_wolf, oas

    n_bands = covariance.shape[1]
    traces = covariance.diagonal(dim1=1, dim2=2).sum(dim=1)
    squares = covariance.square().sum(dim=(1, 2))
    if kind == "oas":
        share = oas(_array(counts), n_bands, _array(traces), _array(squares))
    else:
        fourth = centred.square().sum(dim=2).square().sum(dim=1) / counts.clamp_min(1.0)
        share = ledoit_wolf(_array(counts), n_bands, _array(traces), _array(squares), _array(fourth))
    shrinkage = centred.new_tensor(np.minimum(share, 1.0 - _SHRINKAGE_GAP))
    return shrinkage, traces / n_bands
