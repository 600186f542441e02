"""The first pass over a raster: which bands are dead, how values are scaled, and the statistics of raw bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray

from .blocking import block_shape, blocks
from .context import RunContext
from .errors import InputError
from .overlap import one_ahead
from .progress import ProgressSpan
from .raster import Block, Source
from .scaling import Scaling, TailRange, ValueRange
from .statistics import Moments
from .windows import Window

_PROBE_PX = 16
# Sums of so few pixels keep six digits in float32 and take a tenth of the time of sums in float64; the mean spectrum
# only fills holes.
_SUM_PIXELS = 256


@dataclass(frozen=True)
class Scan:
    """What the first pass found for the bands `numbers`.

    `mean` (bands,) is over valid pixels, in the raster's units; `scaling` is None and `moments` empty where they were
    not asked for.
    """

    numbers: tuple[int, ...]
    dead: tuple[int, ...]
    n_valid: int
    mean: NDArray[np.float64]
    scaling: Scaling | None
    moments: Moments


class BandExtrema:
    """Smallest and largest valid value of each band, to find bands that are wholly nodata or constant."""

    def __init__(self, n_bands: int) -> None:
        self._low = np.full(n_bands, np.inf)
        self._high = np.full(n_bands, -np.inf)

    def add(self, values: NDArray[np.floating[Any]]) -> None:
        """Take values (rows, cols, bands), NaN where invalid."""
        if values.size:
            # fmin and fmax pass over NaN.
            self._low = np.fmin(self._low, np.fmin.reduce(values, axis=(0, 1)))
            self._high = np.fmax(self._high, np.fmax.reduce(values, axis=(0, 1)))

    def dead(self) -> NDArray[np.bool_]:
        """Return (bands,) whether no two valid values differ."""
        return ~(self._low < self._high)


def probe(source: Source, numbers: Sequence[int]) -> tuple[int, ...]:
    """Return the bands that show no two different valid values in five small windows: perhaps dead, perhaps not.

    A band that is not returned is surely alive, so that only the suspects need a look at every pixel.
    """
    extrema = BandExtrema(len(numbers))
    height, width = min(_PROBE_PX, source.n_rows), min(_PROBE_PX, source.n_cols)
    for down, right in ((0.5, 0.5), (0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)):
        row, col = int((source.n_rows - height) * down), int((source.n_cols - width) * right)
        extrema.add(source.read(Window(row, row + height, col, col + width), numbers).values)
    return tuple(number for number, dead in zip(numbers, extrema.dead()) if dead)


def scan(
    source: Source,
    usable: Sequence[int],
    pick: Callable[[Sequence[int]], tuple[int, ...]],
    *,
    scaling: str | None,
    with_moments: bool,
    context: RunContext,
) -> Scan:
    """Read the raster once and return what the later passes need.

    `pick` chooses the bands of the run out of those that are alive. Bands that a probe suspects to be dead are left out
    and watched; only where one of them turns out alive is the raster read a second time.
    `scaling` is minmax, percentile or None. Raises `InputError` where no band or pixel is left, or all values are the
    same.
    """
    suspects = probe(source, usable)
    for last_look in (False, True):
        alive = [number for number in usable if number not in suspects]
        sure = last_look or not suspects
        if sure and not alive:
            raise InputError(
                f"None of the {len(usable)} usable bands of {source.path or 'the cube'} has two different valid "
                "values: there is nothing to detect; check the file and its nodata value."
            )
        try:
            numbers = pick(alive) if alive else ()
        except InputError:
            if sure:
                raise
            numbers = ()
        found = _pass(source, numbers, suspects, scaling, with_moments, context)
        if numbers and found.dead == suspects:
            return found
        suspects = found.dead
    raise AssertionError("the second look knows which bands are dead")


def _pass(
    source: Source,
    numbers: tuple[int, ...],
    suspects: tuple[int, ...],
    scaling: str | None,
    with_moments: bool,
    context: RunContext,
) -> Scan:
    n_bands = len(numbers)
    n_values_at_most = source.n_rows * source.n_cols * n_bands
    value_range = TailRange(n_values_at_most) if scaling == "percentile" else ValueRange()
    extrema = BandExtrema(len(suspects))
    moments = Moments(n_bands)
    total, n_valid = np.zeros(n_bands), 0
    progress = ProgressSpan(context.progress, 0.0, 1.0)
    itemsize = np.dtype(source.dtype).itemsize
    n_read = n_bands + len(suspects)
    # Two blocks, the validity of one, and a copy of its valid pixels.
    shape = block_shape(
        source, n_read, context.free_bytes * 7 // 8, lambda rows, cols: rows * cols * n_read * (3 * itemsize + 2)
    )
    buffers = [np.empty((*shape, n_read), dtype=source.dtype) for _ in range(2)]

    def read(block: tuple[float, Window]) -> Block:
        window = block[1]
        buffers.reverse()
        return source.read(window, numbers + suspects, buffers[0][: window.n_rows, : window.n_cols])

    for (done, _), (values, complete) in one_ahead(read, blocks(source, shape)):
        progress.step(done, "Reading")
        extrema.add(values[:, :, n_bands:])
        pixels = _valid_pixels(values[:, :, :n_bands], complete)
        n_valid += len(pixels)
        for start in range(0, len(pixels), _SUM_PIXELS):
            total += pixels[start : start + _SUM_PIXELS].sum(axis=0)
        if scaling is not None and n_bands:
            value_range.add(pixels)
        if with_moments and n_bands:
            moments.add(pixels)
    if n_bands and n_valid == 0:
        raise InputError(
            f"No pixel of {source.path or 'the cube'} is valid in all {n_bands} bands used: check its nodata value, "
            "its bad bands and the mask."
        )
    dead = tuple(number for number, is_dead in zip(suspects, extrema.dead()) if is_dead)
    return Scan(
        numbers=numbers,
        dead=dead,
        n_valid=n_valid,
        mean=total / max(n_valid, 1),
        scaling=value_range.scaling() if scaling is not None and n_bands else None,
        moments=moments,
    )


def _valid_pixels(values: NDArray[np.floating[Any]], complete: bool) -> NDArray[np.floating[Any]]:
    """Return the pixels (n, bands) that are valid in all bands."""
    pixels = values.reshape(values.shape[0] * values.shape[1], values.shape[2])
    return pixels if complete else pixels[valid_mask(values).reshape(-1)]


def valid_mask(values: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
    """Return (rows, cols) whether a pixel of values (rows, cols, bands) is finite in every band."""
    valid: NDArray[np.bool_] = ~np.isnan(values).any(axis=2)
    return valid
