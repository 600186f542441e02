"""Squared Mahalanobis distances by one triangular product per pixel, also to a covariance without full rank."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from ..accelerator import Accelerator
from ..context import RunContext
from ..lapack import multiply_rows, row_products
from ..parallel import threads
from ..statistics import PART_VALUES, Float64Array, Moments, is_small, part_pixels

# Eigenvalues of the correlation matrix below this part of the largest one count as zero. float32 values that depend on
# each other linearly leave about 1e-13 to 1e-12 by their own rounding; int16 reflectances leave 1e-8 and more.
RELATIVE_CUTOFF = 1e-12
# Below this many pixels per band an estimated covariance tells little of the smallest eigenvalues.
PIXELS_PER_BAND = 5

_PARTS_PER_JOB = 2


class Mahalanobis:
    """(x - mean)^T covariance^+ (x - mean) for pixels x, in float64.

    The covariance is scaled to the correlation matrix first, so that neither the verdict on its rank nor, for pixels
    in its range, the distance depends on the bands' units. With full rank, the correlation is L L^T (Cholesky) and the
    distance the squared length of L^-1 z, z = (x - mean) / standard deviation. Otherwise ^+ is the pseudo-inverse of
    the correlation, with eigenvalues up to `RELATIVE_CUTOFF` of the largest left out, and bands of variance 0 left out.
    For every pixel that the covariance was estimated from, this equals the pseudo-inverse of the covariance itself:
    x - mean = covariance a gives a^T covariance a both ways.

    The relative error grows with the condition number of the correlation, about 1e-16 times it: 1e-8 for 1e8.
    """

    def __init__(self, mean: Float64Array, covariance: Float64Array) -> None:
        self.mean = np.asarray(mean, dtype=np.float64)
        self.n_bands = len(self.mean)
        deviation = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        varies = deviation > 0.0
        # A band without variance gets the factor 0 and so takes no part.
        inverse_deviation = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=varies)
        correlation = np.asfortranarray(covariance * np.outer(inverse_deviation, inverse_deviation))
        self._triangle = _inverse_cholesky(correlation) if varies.all() else None
        self.rank = self.n_bands
        if self._triangle is not None:
            self._triangle *= inverse_deviation[:, None]
            return
        self._project(_inverse_root(correlation).T * inverse_deviation)

    @classmethod
    def of_components(cls, mean: Float64Array, covariance: Float64Array, n_components: int) -> Mahalanobis:
        """Return the distance within the leading principal components: at most as many as the covariance has rank."""
        distance = cls(mean, np.zeros_like(covariance))
        distance._project(_inverse_root(covariance)[:, -n_components:].T)
        return distance

    def save(self, path: Path) -> None:
        """Write the mean and the root to an .npz file, for `load`."""
        with path.open("wb") as file:
            np.savez(file, mean=self.mean, root=self.root, triangular=self._triangle is not None)

    @classmethod
    def load(cls, path: Path) -> Mahalanobis:
        """Return the distance of a file that `save` wrote, to the last bit."""
        with np.load(path, allow_pickle=False) as stored:
            distance = cls(stored["mean"], np.zeros((len(stored["mean"]),) * 2))
            if stored["triangular"]:
                distance._triangle, distance.rank = stored["root"], distance.n_bands
            else:
                distance._project(stored["root"].T)
        return distance

    def _project(self, projection: Float64Array) -> None:
        self._projection = np.ascontiguousarray(projection)
        self._triangle = None
        self.rank = len(projection)

    @property
    def root(self) -> Float64Array:
        """The matrix (n_bands, rank) by which `whiten` multiplies centred pixels."""
        root: Float64Array = self._projection.T if self._triangle is None else self._triangle
        return root

    def distances(self, pixels: NDArray[np.floating[Any]], accelerator: Accelerator | None = None) -> Float64Array:
        """Return the squared distances (n,) of pixels (n, n_bands), float32 or float64."""
        return self.begin_distances(pixels, accelerator)()

    def begin_distances(
        self, pixels: NDArray[np.floating[Any]], accelerator: Accelerator | None = None
    ) -> Callable[[], Float64Array]:
        """Begin what `distances` does, and return what waits for its result. Threads go on only within `threads`."""
        if accelerator is not None:
            return partial(accelerator.distances, pixels, self.mean, self.root)
        distances = np.empty(len(pixels))
        if is_small(pixels):
            self._store_distances((pixels, distances))
            return lambda: distances
        with threads() as pool:
            # More jobs than threads: one of them may share its core with what reads the next block.
            n_rounds = max(round(pixels.size / (_PARTS_PER_JOB * PART_VALUES * pool.count)), 1)
            n_jobs = n_rounds * pool.count
            jobs = zip(np.array_split(pixels, n_jobs), np.array_split(distances, n_jobs))
            wait = pool.begin(self._store_distances, jobs)

        def waited() -> Float64Array:
            wait()
            return distances

        return waited

    def _store_distances(self, job: tuple[NDArray[np.floating[Any]], Float64Array]) -> None:
        pixels, distances = job
        step = part_pixels(self.n_bands)
        buffer = np.empty((min(step, len(pixels)), self.n_bands))
        for start in range(0, len(pixels), step):
            values = pixels[start : start + step]
            whitened = self._whiten(values, buffer[: len(values)])
            np.einsum("ij,ij->i", whitened, whitened, out=distances[start : start + step])

    def whiten(self, pixels: NDArray[np.floating[Any]], accelerator: Accelerator | None = None) -> Float64Array:
        """Return coordinates (n, rank) of pixels (n, n_bands), in which `distances` are squared lengths."""
        if accelerator is not None:
            return accelerator.whiten(pixels, self.mean, self.root)
        return self._whiten(pixels, np.empty(pixels.shape))

    def weights(self, pixel: Float64Array) -> Float64Array:
        """Return w = covariance^+ (pixel - mean) (n_bands,) of a pixel (n_bands,): w^T (x - mean) filters for it."""
        coordinates = self.whiten(pixel[None])[0]
        if self._triangle is None:
            projected: Float64Array = coordinates @ self._projection
            return projected
        weights: Float64Array = self._triangle @ coordinates
        return weights

    def _whiten(self, pixels: NDArray[np.floating[Any]], buffer: Float64Array) -> Float64Array:
        buffer[...] = pixels
        buffer -= self.mean
        if self._triangle is None:
            return row_products(buffer, self._projection)
        multiply_rows(buffer, self._triangle)
        return buffer


def tell_uncertain(background: Mahalanobis, moments: Moments, context: RunContext) -> None:
    """Warn where the pixels that `moments` saw are too few or dependent for their distance."""
    if background.rank < moments.n_bands:
        context.warn(
            f"The covariance of {moments.n_bands} bands and {moments.count} pixels has only rank {background.rank}: "
            "its pseudo-inverse was used, which ignores deviations that no background pixel shows."
        )
    if moments.count < PIXELS_PER_BAND * moments.n_bands:
        context.warn(
            f"{moments.count} pixels are fewer than {PIXELS_PER_BAND} per band ({moments.n_bands} bands): the "
            "covariance is uncertain; take fewer bands or a larger scene."
        )


def _inverse_cholesky(correlation: Float64Array) -> Float64Array | None:
    """Return the upper triangle L^-T of a correlation L L^T, or None where its rank is in doubt."""
    factor, failed = lapack.dpotrf(correlation, lower=1, clean=1)
    if failed:
        return None
    norm = np.abs(correlation).sum(axis=0).max()
    reciprocal_condition, _ = lapack.dpocon(factor, norm, uplo="L")
    # The 1-norm condition is never below the ratio of eigenvalues, but LAPACK's estimate of it may be a few times.
    if reciprocal_condition < 10.0 * RELATIVE_CUTOFF:
        return None
    # Fortran's lower triangle is the upper one of the rows.
    inverse: Float64Array = lapack.dtrtri(factor, lower=1, overwrite_c=1)[0].T
    return inverse


def _inverse_root(correlation: Float64Array) -> Float64Array:
    """Return P (n_bands, rank) with P P^T the pseudo-inverse of the correlation."""
    eigenvalues, eigenvectors = np.linalg.eigh(correlation)
    kept = eigenvalues > RELATIVE_CUTOFF * max(eigenvalues[-1], 0.0)
    root: Float64Array = eigenvectors[:, kept] / np.sqrt(eigenvalues[kept])
    return root
