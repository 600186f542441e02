"""The cubes that detectors read: the raster's own bands, or the same enhanced by FEN."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable

import numpy as np
from numpy.typing import NDArray

from .blocking import block_shape
from .context import RunContext
from .cube import BoolArray, Float32Array
from .fen.backend import Backend, Carry, Work
from .fen.workspace import GROUP_ROWS
from .overlap import one_ahead
from .progress import ProgressSpan
from .raster import Source
from .scaling import Scaling
from .scratch_file import PAGE_BYTES
from .tally import valid_mask
from .windows import Window, columns_of_tiles, expand, reflected, shifted, tiles

# What is read of a block at a time, so that a cancel need not wait for all of it; see `blocking`.
_PIECE_VALUES = 1 << 22
_PAGE_VALUES = PAGE_BYTES // np.dtype(np.float32).itemsize


class SourceCube:
    """The bands `numbers` of a source, read from the file each time."""

    def __init__(self, source: Source, numbers: tuple[int, ...]) -> None:
        self._source = source
        self._numbers = numbers
        self.n_rows = source.n_rows
        self.n_cols = source.n_cols
        self.n_bands = len(numbers)

    def read(self, window: Window) -> tuple[NDArray[np.floating[Any]], BoolArray]:
        """Return values, float32 or float64 as the raster needs, and validity of a window."""
        values, complete = self._source.read(window, self._numbers)
        if complete:
            return values, np.ones(window.shape, dtype=bool)
        valid = valid_mask(values)
        values[~valid] = 0.0
        return values, valid


@dataclass(frozen=True)
class _Scaled:
    """Scaled values of the window `core` with its halo, and validity of `outer`, what of these lies in the image."""

    core: Window
    outer: Window
    padded: Float32Array
    valid: BoolArray


class _Ring:
    """Arrays that are used in turn: fresh memory would cost more than the arithmetic on it.

    Three: of the scaled blocks two are being enhanced and one is filled; of the results one is with the caller.
    """

    SIZE = 3

    def __init__(self) -> None:
        self._memory: list[Float32Array] = [np.empty(0, dtype=np.float32) for _ in range(self.SIZE)]

    def next(self, shape: tuple[int, int, int], place: int = 0) -> Float32Array:
        """Return the memory that was given out longest ago as an array (rows, cols, bands); its values mean nothing.

        place : at which value of a file that begins with a page the array would begin: it lies in its page of memory as
        it would there, so that a scratch file takes it without a copy.
        """
        memory = self._memory.pop(0)
        n_values = math.prod(shape)
        if memory.size < n_values + _PAGE_VALUES:
            del memory
            memory = np.empty(n_values + _PAGE_VALUES, dtype=np.float32)
        self._memory.append(memory)
        start = (place - memory.ctypes.data // memory.itemsize) % _PAGE_VALUES
        return memory[start : start + n_values].reshape(shape)


class Enhancer:
    """FEN over a source, block by block; each pixel goes through the network once.

    Pixels without data stand in as the scene's mean spectrum where the network looks at the neighbours of valid ones:
    a hole then looks like background, not like an object with a sharp border.
    """

    def __init__(
        self,
        source: Source,
        numbers: tuple[int, ...],
        scaling: Scaling,
        mean: NDArray[np.float64],
        backend: Backend,
        halo_px: int,
    ) -> None:
        self._source = source
        self._numbers = numbers
        self._scaling = scaling
        self._mean = mean.astype(source.dtype)
        self._backend = backend
        self._halo_px = halo_px
        self._paddeds = _Ring()
        self._outs = _Ring()
        # The block that was scaled last, for the one below it.
        self._last: _Scaled | None = None

    def shape(self, context: RunContext, bytes_per_value: int, step: int = GROUP_ROWS) -> tuple[int, int]:
        """Return rows and columns of the blocks; `bytes_per_value` is what the caller needs beside each block.

        step : heights are multiples of it, by default of what FEN takes at once: a part of that would take longer, and
        differ in its last digits.
        """
        n_bands, halo = len(self._numbers), self._halo_px
        itemsize = np.dtype(self._source.dtype).itemsize

        def block_bytes(rows: int, cols: int) -> int:
            padded_rows, padded_cols = rows + 2 * halo, cols + 2 * halo
            scaled = padded_rows * padded_cols * (4 * _Ring.SIZE * n_bands + 2)
            # Where float32 does not hold the values as read, these beside the scaled ones; and what is valid.
            read_rows = min(padded_rows, self._piece_rows(cols))
            reading = read_rows * padded_cols * n_bands * ((0 if itemsize == 4 else itemsize) + 1)
            # The backend counts one result itself.
            results = rows * cols * n_bands * (4 * (_Ring.SIZE - 1) + bytes_per_value)
            return scaled + reading + self._backend.working_bytes(rows, cols) + results

        most_read = self._piece_rows(self._source.n_cols)
        return block_shape(self._source, n_bands, context.free_bytes, block_bytes, halo, step, most_read)

    def run(
        self,
        context: RunContext,
        bytes_per_value: int,
        step: int = GROUP_ROWS,
        rows: tuple[int, int] | None = None,
    ) -> Generator[tuple[Window, Float32Array, BoolArray], None, None]:
        """Yield (window, enhanced values (rows, cols, bands), validity) until the image, or its `rows`, are covered.

        While the caller works on a block the next is computed and the one after it read. The values are the caller's
        until it asks for the block after the next. Close the generator after an error: nothing runs on then.
        """
        progress = ProgressSpan(context.progress, 0.0, 1.0)
        start, stop = rows or (0, self._source.n_rows)
        n_pixels = (stop - start) * self._source.n_cols
        shape = self.shape(context, bytes_per_value, step)
        # An image of one block is cut for the threads as suits it best, since there is nothing to carry.
        carries = shape[0] < stop - start

        blocks: deque[_Scaled] = deque()

        def works(scaled: Iterable[tuple[Window, _Scaled]]) -> Iterator[Work]:
            carry = Carry()
            for core, block in scaled:
                if core.row_start == start:
                    carry = Carry()
                blocks.append(block)
                n_bands = len(self._numbers)
                out = self._outs.next((*core.shape, n_bands), core.row_start * self._source.n_cols * n_bands)
                yield Work(block.padded, out, carry if carries else None)

        done = 0
        place = Window(start, stop, 0, self._source.n_cols)
        windows = (shifted(part, place) for part in columns_of_tiles(*place.shape, *shape))
        with (
            closing(one_ahead(partial(self._scaled, check=progress.check), windows)) as scaled,
            closing(self._backend.enhance_each(works(scaled), progress.check)) as enhanced,
        ):
            for values in enhanced:
                block = blocks.popleft()
                progress.step(done / n_pixels, "FEN")
                yield block.core, values, block.valid[block.core.within(block.outer)]
                done += block.core.n_pixels
        progress.step(1.0, "FEN")

    def _scaled(self, core: Window, check: Callable[[], None]) -> _Scaled:
        """Return the scaled values of a window with its halo, mirrored at the image's edge; `check` may end it."""
        halo = self._halo_px
        outer = expand(core, halo, self._source.n_rows, self._source.n_cols)
        padded = self._paddeds.next((core.n_rows + 2 * halo, core.n_cols + 2 * halo, len(self._numbers)))
        valid = np.ones(outer.shape, dtype=bool)
        last, new = self._last, outer
        if last is not None and last.core.row_stop == core.row_start and last.core.col_start == core.col_start:
            # The halo's rows of both blocks are the same ones.
            padded[: 2 * halo] = last.padded[-2 * halo :]
            new = outer._replace(row_start=last.outer.row_stop)
            valid[: new.row_start - outer.row_start] = last.valid[outer.row_start - last.outer.row_start :]
        for piece in self._pieces(new):
            check()
            row, col = piece.row_start - core.row_start + halo, piece.col_start - core.col_start + halo
            self._read_scaled(
                piece, padded[row : row + piece.n_rows, col : col + piece.n_cols], valid[piece.within(outer)]
            )
        self._mirror(padded, core, outer)
        self._last = _Scaled(core, outer, padded, valid)
        return self._last

    def _piece_rows(self, cols: int) -> int:
        """Return how many rows of a window are read at a time: few of full rows, all of other windows."""
        if cols < self._source.n_cols:
            return self._source.n_rows
        return max(_PIECE_VALUES // (cols * len(self._numbers)), 1)

    def _pieces(self, window: Window) -> Iterator[Window]:
        """Cut full rows into low pieces, between which a run can be cancelled; other windows stay whole."""
        rows = max(min(window.n_rows, self._piece_rows(window.n_cols)), 1)
        return (shifted(piece, window) for piece in tiles(*window.shape, rows, window.n_cols))

    def _read_scaled(self, window: Window, scaled: Float32Array, valid: BoolArray) -> None:
        """Read a window into `scaled` (rows, cols, bands), the mean spectrum where invalid, and into `valid`."""
        values, complete = self._source.read(
            window, self._numbers, scaled if self._source.dtype == np.float32 else None
        )
        if not complete:
            valid[...] = valid_mask(values)
            values[~valid] = self._mean
        self._scaling.apply(values, scaled)

    def _mirror(self, padded: Float32Array, core: Window, outer: Window) -> None:
        """Fill what lies outside the image with its mirror image, columns first so that the corners follow."""
        halo = self._halo_px
        row_start, col_start = core.row_start - halo, core.col_start - halo
        rows = slice(outer.row_start - row_start, outer.row_stop - row_start)
        # The mirror image of a place within the halo lies within the halo's width of the edge: inside the outer window.
        mirrored = reflected(col_start, col_start + padded.shape[1], self._source.n_cols) - col_start
        for col, origin in enumerate(mirrored):
            if col != origin:
                padded[rows, col] = padded[rows, origin]
        mirrored = reflected(row_start, row_start + padded.shape[0], self._source.n_rows) - row_start
        for row, origin in enumerate(mirrored):
            if row != origin:
                padded[row] = padded[origin]
