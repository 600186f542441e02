"""The passes over the whole image that a covariance may ask for before its distance is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Callable, Protocol

import numpy as np

from ..context import RunContext
from ..cube import Cube, Float32Array, FloatArray, StoredValues
from ..order_statistics import kth_smallest
from ..progress import ProgressSpan
from ..statistics import Float64Array, Moments
from ..windows import Window
from .blocks import blocks, score_valid
from .gross import without_gross
from .mahalanobis import Mahalanobis


class ImagePasses(Protocol):
    """Passes over the background pixels of an image, however it is read."""

    def without_gross(self, moments: Moments) -> Moments:
        """Return the moments without gross pixels where these hide the others, as `gross.without_gross` does."""

    def fourth_powers(self, mean: Float64Array) -> float:
        """Return the sum over the pixels of |x - mean|^4."""

    def nearest(self, distance: Mahalanobis, k: int) -> Moments:
        """Return the moments of the k pixels nearest by a distance in float32, and of all that are as near."""


class CubePasses:
    """The passes over a cube on this machine: `nearest` reads it twice, `fourth_powers` once."""

    def __init__(self, cube: Cube, context: RunContext) -> None:
        self._cube, self._context = cube, context

    def without_gross(self, moments: Moments) -> Moments:
        """Return what `ImagePasses` says."""
        return without_gross(self._cube, moments, self._context)

    def fourth_powers(self, mean: Float64Array) -> float:
        """Return what `ImagePasses` says."""
        return fourth_powers(self._cube, mean, self._context)

    def nearest(self, distance: Mahalanobis, k: int) -> Moments:
        """Return what `ImagePasses` says."""
        cube, context = self._cube, self._context
        plane = context.scratch_cube(cube.n_rows, cube.n_cols, 1)

        def parts() -> Iterator[FloatArray]:
            for window in blocks(cube, 16, context.free_bytes // 4):
                yield plane.read_values(window)

        try:
            with context.part(0.0, 0.5):
                store_distances(cube, distance, plane.write, context)
            cutoff = kth_smallest(parts, k)
            with context.part(0.5, 1.0):
                return near_moments(cube, plane, cutoff, context)
        finally:
            plane.close()


def fourth_powers(cube: Cube, mean: Float64Array, context: RunContext) -> float:
    """Return the sum over the valid pixels of |x - mean|^4; reads the cube once."""
    total = 0.0
    for window in _blocks(cube, context):
        values, valid = cube.read(window)
        centred = values[valid] - mean
        total += float(np.square(np.einsum("ij,ij->i", centred, centred)).sum())
    return total


def store_distances(
    cube: Cube, distance: Mahalanobis, write: Callable[[Window, Float32Array], None], context: RunContext
) -> None:
    """Give the distances (rows, cols, 1) of each block to `write`, NaN where invalid; reads the cube once."""
    for window in _blocks(cube, context):
        write(window, score_valid(*cube.read(window), distance.distances)[:, :, None])


def near_moments(cube: Cube, plane: StoredValues, cutoff: float, context: RunContext) -> Moments:
    """Return the moments of the pixels whose stored distance is at most the cutoff; reads the cube once."""
    near = Moments(cube.n_bands)
    for window in _blocks(cube, context):
        near.add(cube.read(window)[0][plane.read_values(window)[:, :, 0] <= cutoff])
    return near


def _blocks(cube: Cube, context: RunContext) -> Iterator[Window]:
    span = ProgressSpan(context.progress, 0.0, 1.0)
    # A block, its valid pixels in float64 and their centred copy.
    for window in blocks(cube, 24 * cube.n_bands + 16, context.free_bytes // 2):
        span.step(window.row_start / cube.n_rows, "Covariance")
        yield window
