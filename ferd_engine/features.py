"""The cubes that detectors read: the raster's own bands, or the same enhanced by FEN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blocking import block_shape, blocks
from .context import RunContext
from .cube import BoolArray, Float32Array
from .fen.backend import Backend
from .overlap import one_ahead
from .progress import ProgressSpan
from .raster import Source
from .scaling import Scaling
from .scan import valid_mask
from .windows import Window, expand, reflected


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
        # One block is read while the other is computed.
        self._buffers: list[Float32Array] = [np.empty((0, 0, 0), dtype=np.float32) for _ in range(2)]
        # One block is computed while the caller writes the other.
        self._outs: list[Float32Array] = [np.empty((0, 0, 0), dtype=np.float32) for _ in range(2)]

    def shape(self, context: RunContext, bytes_per_value: int) -> tuple[int, int]:
        """Return rows and columns of the blocks; `bytes_per_value` is what the caller needs beside each block."""
        n_bands, halo = len(self._numbers), self._halo_px
        itemsize = np.dtype(self._source.dtype).itemsize

        def block_bytes(rows: int, cols: int) -> int:
            # Two scaled blocks with their halo; where float32 does not hold the values as read, these beside one.
            per_padded = n_bands * (8 if itemsize == 4 else 8 + itemsize) + n_bands + 1
            reading = (rows + 2 * halo) * (cols + 2 * halo) * per_padded
            return reading + self._backend.working_bytes(rows, cols) + rows * cols * n_bands * bytes_per_value

        return block_shape(self._source, n_bands, context.free_bytes * 7 // 8, block_bytes, halo)

    def run(self, context: RunContext, bytes_per_value: int) -> Iterator[tuple[Window, Float32Array, BoolArray]]:
        """Yield (window, enhanced values (rows, cols, bands), validity) until the image is covered.

        The values are the caller's until it asks for the block after the next.
        """
        n_bands = len(self._numbers)
        progress = ProgressSpan(context.progress, 0.0, 1.0)
        windows = blocks(self._source, self.shape(context, bytes_per_value))
        for (done, window), (scaled, valid) in one_ahead(lambda block: self._scaled(block[1]), windows):
            progress.step(done, "FEN")
            self._outs.reverse()
            if self._outs[0].shape != (*window.shape, n_bands):
                self._outs[0] = np.empty((*window.shape, n_bands), dtype=np.float32)
            yield window, self._backend.enhance(scaled, self._outs[0], progress.check), valid
        progress.step(1.0, "FEN")

    def _scaled(self, core: Window) -> tuple[Float32Array, BoolArray]:
        """Return the scaled values of a window with its halo, mirrored at the image's edge, and the core's validity.

        The array is used again for the block after the next: fresh memory would cost more than the arithmetic on it.
        """
        halo = self._halo_px
        n_rows, n_cols = self._source.n_rows, self._source.n_cols
        outer = expand(core, halo, n_rows, n_cols)
        shape = (core.n_rows + 2 * halo, core.n_cols + 2 * halo, len(self._numbers))
        self._buffers.reverse()
        if self._buffers[0].shape != shape:
            self._buffers[0] = np.empty(shape, dtype=np.float32)
        padded = self._buffers[0]
        top, left = outer.row_start - core.row_start + halo, outer.col_start - core.col_start + halo
        inside = padded[top : top + outer.n_rows, left : left + outer.n_cols]
        values, complete = self._source.read(outer, self._numbers, inside if self._source.dtype == np.float32 else None)
        valid = np.ones(core.shape, dtype=bool)
        if not complete:
            outer_valid = valid_mask(values)
            values[~outer_valid] = self._mean
            valid = outer_valid[core.within(outer)].copy()
        self._scaling.apply(values, inside)
        self._mirror(padded, core, outer)
        return padded, valid

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
