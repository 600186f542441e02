"""Streamed statistics of pixels: count, mean, extrema and covariance, merged without loss.

Arithmetic is float64 throughout. Hyperspectral covariances have condition numbers of 1e8 and more, and a squared
Mahalanobis distance divides by the smallest eigenvalues: float32 partial sums (relative error 6e-8) would leave no
digit of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .accelerator import Accelerator
from .errors import RunError
from .lapack import add_gram
from .parallel import thread_count, threads

Float64Array = NDArray[np.float64]

# A part of this many values stays in the second-level cache between conversion, centring and the product.
PART_VALUES = 1 << 17
# More pixels of few bands are not multiplied faster, and a smaller cache holds these.
_PART_PIXELS = 640
# Fewer parts than this are not worth the start of threads.
_PARTS_PER_THREAD = 4

# At most so many times a band's scatter is taken away from it: more would cost digits.
_MOST_TAKEN = 1.0
# Sums and extrema are taken over lines of about so many values: a call for each pixel costs more than its additions.
_LINE_VALUES = 1 << 11

# So many pixels nearly always tell that the bands vary.
_FEW_PIXELS = 8

# What goes to an accelerator at once.
_DEVICE_VALUES = 1 << 24


def part_pixels(n_bands: int) -> int:
    """Return how many pixels make a part."""
    return min(max(PART_VALUES // n_bands, 1), _PART_PIXELS)


def is_small(pixels: NDArray[np.floating[Any]]) -> bool:
    """Say whether pixels (n, bands) are done before threads would have started."""
    return pixels.size < 2 * _PARTS_PER_THREAD * PART_VALUES


class Moments:
    """First and second moments of pixels of `n_bands` bands, added in parts of any size and order.

    Each part is centred on its own mean and merged by the pairwise update of Chan, Golub and LeVeque ("Updating
    formulae and a pairwise algorithm for computing sample variances", 1979, eq. 2.1): the scatter matrix grows by
    positive semi-definite terms alone, so nothing cancels, whatever the offset. For n = 2 + 2 pixels 1, 3 | 5, 7 of one
    band: scatter 2 + 2, means 2 and 6, merged 4 + (2 * 2 / 4) * (6 - 2)**2 = 20 = 3 * variance. A part whose mean is
    near that of those before it is centred on theirs, and the small term between the two means taken away.

    With an accelerator, that one makes the sums of each part.

    extrema : whether `minimum` and `maximum` may be asked for. Without them pixels are compared only until each band is
    known to vary, which saves a tenth of the time.
    """

    def __init__(self, n_bands: int, accelerator: Accelerator | None = None, *, extrema: bool = True) -> None:
        self._accelerator = accelerator
        self._extrema = extrema
        self.n_bands = n_bands
        self.count = 0
        # Whether these moments are final, as those of other rasters are: no gross pixel is then looked for.
        self.settled = False
        # The mean is kept as a pixel and the distance from it: beside a large offset its last digits would be lost.
        self._origin = np.zeros(n_bands)
        self._offset = np.zeros(n_bands)
        # Both infinite, minimum -inf, where all that is known of them is that the bands vary.
        self._minimum = np.full(n_bands, np.inf)
        self._maximum = np.full(n_bands, -np.inf)
        # Upper triangle alone.
        self._scatter = np.zeros((n_bands, n_bands))

    @staticmethod
    def working_bytes(n_bands: int) -> int:
        """Return the bytes that a `Moments` of `n_bands` bands takes while it adds pixels, on all threads."""
        return thread_count() * 8 * (n_bands * n_bands + 4 * n_bands + max(PART_VALUES, n_bands))

    @property
    def accelerated(self) -> bool:
        """Whether an accelerator makes the sums."""
        return self._accelerator is not None

    def add(self, pixels: NDArray[Any]) -> None:
        """Add pixels (n, n_bands), float32 or float64, finite; n may be 0. Without an accelerator also integers."""
        if self._accelerator is not None and len(pixels):
            self._take(self._accelerator, pixels)
            return
        if is_small(pixels):
            self._add(pixels)
            return
        with threads() as pool:
            lanes = [self] + [self._lane() for _ in range(pool.count - 1)]
            pool.map(lambda job: job[0]._add(job[1]), list(zip(lanes, np.array_split(pixels, pool.count))))
            for lane in lanes[1:]:
                self.merge(lane)

    def _lane(self) -> Moments:
        """Return moments of no pixel for a further thread, which need not find out again what is known of extrema."""
        lane = Moments(self.n_bands, extrema=self._extrema)
        lane._minimum[...], lane._maximum[...] = self._minimum, self._maximum
        return lane

    def _take(self, accelerator: Accelerator, pixels: NDArray[np.floating[Any]]) -> None:
        step = max(_DEVICE_VALUES // self.n_bands, 1)
        for start in range(0, len(pixels), step):
            sums = accelerator.sums(pixels[start : start + step])
            part = Moments(self.n_bands)
            part.count, part._origin = sums.n_pixels, sums.mean
            part._scatter, part._minimum, part._maximum = np.triu(sums.scatter), sums.minimum, sums.maximum
            self.merge(part)

    def _add(self, pixels: NDArray[np.floating[Any]]) -> None:
        step = part_pixels(self.n_bands)
        buffer = np.empty((min(step, len(pixels)) + 1, self.n_bands))
        for start in range(0, len(pixels), step):
            self._add_part(pixels[start : start + step], buffer)

    def _add_part(self, values: NDArray[np.floating[Any]], buffer: Float64Array) -> None:
        count = len(values)
        if self.knows_extrema:
            self._compare(values)
        part = buffer[:count]
        part[...] = values
        if self.count == 0:
            self._origin[...] = part[0]
        # Differences from a number nearby are exact, and small where parts are alike.
        centre = self.mean
        part -= centre
        mean = reduced_columns(np.add, part) / count
        taken = mean * np.sqrt(count)
        if (np.square(taken) > _MOST_TAKEN * self._scatter.diagonal()).any():
            part -= mean
        else:
            # Without a further pass over the part: no more is taken away than the sums were before.
            add_gram(taken[None], self._scatter, leaving=True)
        buffer[count] = self._merge_mean(count, (centre - self._origin) + mean)
        add_gram(buffer[: count + 1], self._scatter)

    def _compare(self, values: NDArray[np.floating[Any]]) -> None:
        if self._extrema or not (values[:_FEW_PIXELS] != values[0]).any(axis=0).all():
            np.minimum(self._minimum, reduced_columns(np.minimum, values), out=self._minimum)
            np.maximum(self._maximum, reduced_columns(np.maximum, values), out=self._maximum)
            if self._extrema or not self.varies().all():
                return
        self._minimum[...], self._maximum[...] = -np.inf, np.inf

    def merge(self, other: Moments) -> None:
        """Add the pixels that `other` has seen; it stays as it is."""
        if other.n_bands != self.n_bands:
            raise ValueError(f"Moments of {other.n_bands} bands cannot be merged into moments of {self.n_bands} bands.")
        if other.count == 0:
            return
        np.minimum(self._minimum, other._minimum, out=self._minimum)
        np.maximum(self._maximum, other._maximum, out=self._maximum)
        self._scatter += other._scatter
        if self.count == 0:
            self._origin[...] = other._origin
        between = self._merge_mean(other.count, other._offset + (other._origin - self._origin))
        add_gram(between[None], self._scatter)

    def _merge_mean(self, count: int, mean: Float64Array) -> Float64Array:
        """Take in the mean, counted from the origin, of so many pixels; return the row whose Gram matrix is missing."""
        total = self.count + count
        difference = mean - self._offset
        between: Float64Array = difference * np.sqrt(self.count * (count / total))
        self._offset += difference * (count / total)
        self.count = total
        return between

    def save(self, path: Path) -> None:
        """Write all that was added to an .npz file."""
        with path.open("wb") as file:
            np.savez(file, **self.as_arrays())

    def as_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all that was added, for `from_arrays`."""
        vectors = np.stack([self._origin, self._offset, self._minimum, self._maximum])
        return {"count": np.array(self.count), "vectors": vectors, "scatter": self._scatter}

    @classmethod
    def load(cls, path: Path) -> Moments:
        """Return the moments of a file that `save` wrote."""
        with np.load(path, allow_pickle=False) as stored:
            return cls.from_arrays(stored)

    @classmethod
    def from_arrays(cls, stored: Mapping[str, NDArray[Any]]) -> Moments:
        """Return the moments that `as_arrays` gave."""
        moments = cls(stored["scatter"].shape[0])
        moments.count, moments._scatter = int(stored["count"]), stored["scatter"]
        moments._origin, moments._offset, moments._minimum, moments._maximum = stored["vectors"]
        return moments

    @property
    def mean(self) -> Float64Array:
        """Mean (n_bands,) of the pixels; zeros without any."""
        return self._origin + self._offset

    @property
    def knows_extrema(self) -> bool:
        """Whether `minimum` and `maximum` are those of all pixels."""
        return not np.isneginf(self._minimum).any()

    @property
    def minimum(self) -> Float64Array:
        """Smallest value (n_bands,) of each band; inf without any pixel. Raises `RunError` where it was not kept."""
        return self._known(self._minimum)

    @property
    def maximum(self) -> Float64Array:
        """Largest value (n_bands,) of each band; -inf without any pixel. Raises `RunError` where it was not kept."""
        return self._known(self._maximum)

    def _known(self, extrema: Float64Array) -> Float64Array:
        if not self.knows_extrema:
            raise RunError("Extrema were asked of moments that were told to do without; please report this.")
        return extrema.copy()

    def varies(self) -> NDArray[np.bool_]:
        """Return (n_bands,) whether two values of a band differ."""
        return self._minimum < self._maximum

    def variances(self) -> Float64Array:
        """Return the variance (n_bands,) of each band, N - 1 in the denominator; zeros below two pixels."""
        variances: Float64Array = self._scatter.diagonal() / max(self.count - 1, 1)
        return variances

    def covariance(self) -> Float64Array:
        """Return the covariance (n_bands, n_bands) with N - 1 in the denominator, symmetric; zeros below two pixels.

        A band that is constant over all pixels has a variance of exactly 0.
        """
        covariance: Float64Array = np.triu(self._scatter) / max(self.count - 1, 1)
        # The rounding error of a large constant band's mean would otherwise pass for variance.
        constant = ~self.varies()
        if constant.any():
            covariance[constant] = 0.0
            covariance[:, constant] = 0.0
        diagonal = covariance.diagonal().copy()
        covariance += covariance.T
        np.fill_diagonal(covariance, diagonal)
        return covariance


def reduced_columns(operation: np.ufunc, values: NDArray[np.floating[Any]]) -> NDArray[Any]:
    """Return what an operation such as `np.add` makes (k,) of each column of values (n, k), n at least 1.

    float32 values are taken together by lines in float32, and the lines in float64.
    """
    n, k = values.shape
    n_lines = max(_LINE_VALUES // k, 1)
    n_whole = n // n_lines * n_lines
    if n_lines == 1 or n_whole == 0 or not values.flags.c_contiguous:
        found: NDArray[Any] = operation.reduce(values, axis=0)
        return found
    lines = operation.reduce(values[:n_whole].reshape(-1, n_lines * k), axis=0)
    found = operation.reduce(lines.reshape(n_lines, k), axis=0, dtype=np.float64)
    if n_whole < n:
        found = operation(found, operation.reduce(values[n_whole:], axis=0, dtype=np.float64))
    return found
