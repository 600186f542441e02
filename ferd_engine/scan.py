"""The first pass over a raster: which bands are dead, how values are scaled, and the statistics of raw bands."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Callable

import numpy as np
from numpy.typing import NDArray

from .accelerator import Accelerator
from .blocking import block_shape
from .context import RunContext
from .errors import InputError
from .overlap import one_ahead
from .parallel import threads
from .progress import SharedProgress
from .raster import Block, PlainSource, Source
from .scaling import Scaling, TailRange, ValueRange
from .statistics import Moments
from .tally import BandExtrema, Tally
from .windows import Window, shifted, tiles

_PROBE_PX = 16
_PROBE_VALUES = 1 << 21
# Smaller images are read before threads are at work; more than this many readers would only keep a disk's head moving.
_VALUES_FOR_THREADS = 1 << 22
_MOST_READERS = 4
# The height of the blocks of this pass; see `blocking`.
_LOW_BLOCK_BYTES = 16 << 20
_LOW_BLOCK_ROWS = 16


@dataclass(frozen=True)
class Scan:
    """What the first pass found for the bands `numbers`.

    `mean` (bands,) is over valid pixels, in the raster's units, or 0 where the raster cannot have holes, which it is
    for; `scaling` is None and `moments` empty where they were not asked for.
    """

    numbers: tuple[int, ...]
    dead: tuple[int, ...]
    n_valid: int
    mean: NDArray[np.float64]
    scaling: Scaling | None
    moments: Moments
    # The part of the scaling's range that fewer than 0.01 % of the pixels make up.
    rare_range: float = 0.0


@dataclass(frozen=True)
class Wanted:
    """What a pass over an image of `n_pixels` pixels counts.

    numbers : the bands of the run. suspects : bands of which only the extrema are taken, since they may be dead.
    scaling : minmax or percentile where the range of values is wanted, else None. with_moments : whether the moments
    are wanted; with_extrema : with the extrema of each band. n_ranged : the pixels of all rasters whose ranges will be
    merged, where they are more than this image's. fills_others : whether holes of other rasters are to be filled too.
    """

    numbers: tuple[int, ...]
    suspects: tuple[int, ...]
    scaling: str | None
    with_moments: bool
    n_pixels: int
    n_ranged: int = 0
    with_extrema: bool = True
    fills_others: bool = True

    @property
    def n_values(self) -> int:
        return self.n_pixels * len(self.numbers)

    def new_tally(self, accelerator: Accelerator | None) -> Tally:
        """Return a tally of no pixel, whose moments are taken by the accelerator where there is one."""
        value_range: ValueRange | TailRange | None = None
        if self.scaling is not None and self.numbers:
            n_ranged = max(self.n_ranged, self.n_pixels)
            tails = self.scaling == "percentile"
            value_range = TailRange(n_ranged * len(self.numbers)) if tails else ValueRange(n_ranged)
        moments = None
        if self.with_moments:
            moments = Moments(len(self.numbers), accelerator, extrema=self.with_extrema)
        return Tally(len(self.numbers), len(self.suspects), value_range, moments, fills_others=self.fills_others)


Pass = Callable[[Source, Wanted, RunContext], Tally]
"""Reads the whole image once and counts what is wanted."""


def probe(source: Source, numbers: Sequence[int]) -> tuple[int, ...]:
    """Return the bands that show no two different valid values in five small windows: perhaps dead, perhaps not.

    A band that is not returned is surely alive, so that only the suspects need a look at every pixel.
    """
    extrema = BandExtrema(len(numbers))
    # Fewer pixels of very many bands, so that the look stays a small one.
    side = max(min(_PROBE_PX, int((_PROBE_VALUES / max(len(numbers), 1)) ** 0.5)), 2)
    height, width = min(side, source.n_rows), min(side, source.n_cols)
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
    with_extrema: bool = True,
    context: RunContext,
    take: Pass | None = None,
) -> Scan:
    """Read the raster once and return what the later passes need.

    `pick` chooses the bands of the run out of those that are alive. Bands that a probe suspects to be dead are left out
    and watched; only where one of them turns out alive is the raster read a second time.
    `scaling` is minmax, percentile or None; `with_extrema` says whether moments come with the extrema of each band.
    `take` reads the image, by default `tally_image`.
    Raises `InputError` where no band or pixel is left, or all values are the same.
    """
    suspects = probe(source, usable)
    for last_look in (False, True):
        suspected = set(suspects)
        alive = [number for number in usable if number not in suspected]
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
        n_pixels = source.n_rows * source.n_cols
        wanted = Wanted(
            numbers, suspects, scaling, with_moments, n_pixels, with_extrema=with_extrema, fills_others=False
        )
        found = _found(source, wanted, (take or tally_image)(source, wanted, context))
        if numbers and found.dead == suspects:
            return found
        suspects = found.dead
    raise AssertionError("the second look knows which bands are dead")


def tally_image(source: Source, wanted: Wanted, context: RunContext) -> Tally:
    """Count what is wanted of the whole image, on several threads."""
    with threads() as pool, ExitStack() as stack:
        ranges = _row_ranges(source, pool.count if wanted.n_values >= _VALUES_FOR_THREADS else 1)
        shape = _shape(source, wanted, context.free_bytes // len(ranges))
        progress = SharedProgress(context.progress, wanted.n_pixels)

        def tallied(rows: tuple[int, int]) -> Tally:
            reader = source if rows[0] == 0 else source.reopened()
            if reader is not source:
                stack.callback(reader.close)
            with progress.stops_all():
                return _tally_rows(reader, wanted, rows, shape, progress, wanted.new_tally(context.accelerator))

        first, *rest = pool.map(tallied, ranges)
    for other in rest:
        first.merge(other)
    return first


def tally_rows(source: Source, wanted: Wanted, rows: tuple[int, int], context: RunContext) -> Tally:
    """Count what is wanted of the rows [start, stop) alone."""
    progress = SharedProgress(context.progress, wanted.n_pixels)
    shape = _shape(source, wanted, context.free_bytes)
    return _tally_rows(source, wanted, rows, shape, progress, wanted.new_tally(context.accelerator))


def _shape(source: Source, wanted: Wanted, free_bytes: int) -> tuple[int, int]:
    """Return rows and columns of the blocks: low ones of full rows, where the memory holds these.

    High blocks would have fresh memory for buffers, and the first touch of its pages takes a quarter of the pass.
    """
    n_read = len(wanted.numbers) + len(wanted.suspects)
    itemsize = np.dtype(source.dtype).itemsize
    # Two blocks, the validity of one, and a copy of its valid pixels.
    rows, cols = block_shape(
        source, n_read, free_bytes * 7 // 8, lambda rows, cols: rows * cols * n_read * (3 * itemsize + 2)
    )
    if cols == source.n_cols:
        low = max(_LOW_BLOCK_BYTES // (cols * n_read * itemsize) // _LOW_BLOCK_ROWS, 1) * _LOW_BLOCK_ROWS
        rows = min(rows, low)
    return rows, cols


def _tally_rows(
    source: Source,
    wanted: Wanted,
    rows: tuple[int, int],
    shape: tuple[int, int],
    progress: SharedProgress,
    tally: Tally,
) -> Tally:
    numbers = wanted.numbers + wanted.suspects
    if isinstance(source, PlainSource) and source.is_plain(numbers) and tally.takes_stored:
        for start in range(*rows, shape[0]):
            stop = min(start + shape[0], rows[1])
            if not progress.step((stop - start) * source.n_cols, "Reading"):
                break
            for pixels in source.stored_rows(start, stop, numbers):
                tally.add_stored(pixels)
        return tally
    with closing(_read(source, numbers, rows, shape)) as read:
        for window, (values, complete) in read:
            if not progress.step(window.n_pixels, "Reading"):
                break
            tally.add(values, complete)
    return tally


def _found(source: Source, wanted: Wanted, tally: Tally) -> Scan:
    numbers = wanted.numbers
    if numbers and tally.n_valid == 0:
        raise InputError(
            f"No pixel of {source.path or 'the cube'} is valid in all {len(numbers)} bands used: check its nodata "
            "value, its bad bands and the mask."
        )
    return Scan(
        numbers=numbers,
        dead=tuple(number for number, is_dead in zip(wanted.suspects, tally.extrema.dead()) if is_dead),
        n_valid=tally.n_valid,
        mean=tally.total / max(tally.n_valid, 1),
        scaling=None if tally.value_range is None else tally.value_range.scaling(),
        moments=tally.moments or Moments(len(numbers)),
        rare_range=tally.value_range.rare_range() if isinstance(tally.value_range, ValueRange) else 0.0,
    )


def _row_ranges(source: Source, count: int) -> list[tuple[int, int]]:
    """Cut the image into up to `count` ranges [start, stop) of rows, whole blocks of the file in each."""
    n_blocks = -(-source.n_rows // source.block_rows)
    count = max(min(count, _MOST_READERS, n_blocks), 1)
    cuts = [n_blocks * index // count * source.block_rows for index in range(count)] + [source.n_rows]
    return list(zip(cuts, cuts[1:]))


def _read(
    source: Source, numbers: tuple[int, ...], rows: tuple[int, int], shape: tuple[int, int]
) -> Generator[tuple[Window, Block], None, None]:
    """Yield the blocks of a range of rows; one is read while the caller works on the one before."""
    buffers = [np.empty((*shape, len(numbers)), dtype=source.dtype) for _ in range(2)]
    start, stop = rows

    def read(window: Window) -> Block:
        buffers.reverse()
        return source.read(window, numbers, buffers[0][: window.n_rows, : window.n_cols])

    windows = tiles(stop - start, source.n_cols, *shape)
    return one_ahead(read, (shifted(window, Window(start, stop, 0, source.n_cols)) for window in windows))
