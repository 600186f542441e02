"""What the first pass counts of the blocks of a raster: extrema, range, sums and moments, merged over its readers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .scaling import TailRange, ValueRange
from .statistics import Moments, reduced_columns

# Sums of so few pixels keep six digits in float32, and so do those of so many values, which `reduced_columns` adds in
# several sums. That takes a tenth of the time of sums in float64; the mean spectrum only fills holes.
_SUM_VALUES = 1 << 19
_SUM_PIXELS = 256


class BandExtrema:
    """Smallest and largest valid value of each band, to find bands that are wholly nodata or constant."""

    def __init__(self, n_bands: int) -> None:
        self._low = np.full(n_bands, np.inf)
        self._high = np.full(n_bands, -np.inf)

    def add(self, values: NDArray[Any]) -> None:
        """Take real numbers (rows, cols, bands), NaN where invalid."""
        if values.size:
            # fmin and fmax pass over NaN.
            self._low = np.fmin(self._low, np.fmin.reduce(values, axis=(0, 1)))
            self._high = np.fmax(self._high, np.fmax.reduce(values, axis=(0, 1)))

    def merge(self, other: BandExtrema) -> None:
        """Take what `other` has seen of the same bands."""
        self._low = np.fmin(self._low, other._low)
        self._high = np.fmax(self._high, other._high)

    def dead(self) -> NDArray[np.bool_]:
        """Return (bands,) whether no two valid values differ."""
        return ~(self._low < self._high)


class Tally:
    """What is counted of the blocks of the first pass: bands of the run first, then those that are only watched.

    fills_others : whether the mean, which only fills holes, is wanted even if this raster has none.
    """

    def __init__(
        self,
        n_bands: int,
        n_suspects: int,
        value_range: ValueRange | TailRange | None,
        moments: Moments | None,
        *,
        fills_others: bool = True,
    ) -> None:
        self._n_bands = n_bands
        self._fills_others = fills_others
        self.extrema = BandExtrema(n_suspects)
        self.value_range = value_range
        self.moments = moments
        self.total = np.zeros(n_bands)
        self.n_valid = 0

    def add(self, values: NDArray[np.floating[Any]], complete: bool) -> None:
        """Take values (rows, cols, bands), NaN where invalid."""
        self.extrema.add(values[:, :, self._n_bands :])
        pixels = _valid_pixels(values[:, :, : self._n_bands], complete)
        if self._n_bands:
            step = max(_SUM_VALUES // self._n_bands, _SUM_PIXELS)
            for start in range(0, len(pixels), step):
                self.total += reduced_columns(np.add, pixels[start : start + step])
        self._add_pixels(pixels)

    @property
    def takes_stored(self) -> bool:
        """Whether `add_stored` can be used: an accelerator's sums want floats."""
        return self.moments is None or not self.moments.accelerated

    def add_stored(self, rows: NDArray[np.integer[Any]]) -> None:
        """Take pixels (bands, n) of a `PlainSource`."""
        self.extrema.add(rows[self._n_bands :].T[None])
        pixels = rows[: self._n_bands].T
        if self._fills_others:
            self.total += pixels.astype(np.float32 if rows.dtype.itemsize < 4 else np.float64).sum(axis=0)
        self._add_pixels(pixels)

    def _add_pixels(self, pixels: NDArray[Any]) -> None:
        self.n_valid += len(pixels)
        if self.value_range is not None:
            self.value_range.add(pixels)
        if self.moments is not None and self._n_bands:
            self.moments.add(pixels)

    def merge(self, other: Tally) -> None:
        """Take what `other`, made alike, has counted."""
        self.extrema.merge(other.extrema)
        self.total += other.total
        self.n_valid += other.n_valid
        if self.value_range is not None:
            # Made alike, both are of one kind.
            self.value_range.merge(other.value_range)  # type: ignore[arg-type]
        if self.moments is not None and other.moments is not None:
            self.moments.merge(other.moments)


def _valid_pixels(values: NDArray[np.floating[Any]], complete: bool) -> NDArray[np.floating[Any]]:
    """Return the pixels (n, bands) that are valid in all bands."""
    pixels = values.reshape(values.shape[0] * values.shape[1], values.shape[2])
    return pixels if complete else pixels[valid_mask(values).reshape(-1)]


def valid_mask(values: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Return (rows, cols) whether a pixel of values (rows, cols, bands) is finite in every band."""
    valid: NDArray[np.bool_] = ~np.isnan(values).any(axis=2)
    return valid
