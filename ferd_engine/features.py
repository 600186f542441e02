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
from .progress import ProgressSpan
from .raster import Source
from .scaling import Scaling
from .scan import Scan, valid_mask
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

    def __init__(self, source: Source, scanned: Scan, backend: Backend, halo_px: int) -> None:
        assert scanned.scaling is not None
        self._source = source
        self._numbers = scanned.numbers
        self._scaling: Scaling = scanned.scaling
        self._mean = scanned.mean.astype(source.dtype)
        self._backend = backend
        self._halo_px = halo_px

    def block_bytes(self, rows: int, cols: int) -> int:
        """Return what a block of this size takes at most, from reading to the enhanced values."""
        n_padded = (rows + 2 * self._halo_px) * (cols + 2 * self._halo_px)
        itemsize = np.dtype(self._source.dtype).itemsize
        # Values as read, their validity, and the scaled copy with its mirrored border.
        reading = n_padded * len(self._numbers) * (itemsize + 1 + 2 * 4)
        return reading + self._backend.working_bytes(rows, cols)

    def shape(self, context: RunContext, bytes_per_value: int) -> tuple[int, int]:
        """Return rows and columns of the blocks; the caller needs `bytes_per_value` for what it does with each block."""
        n_bands = len(self._numbers)
        return block_shape(
            self._source,
            context.free_bytes * 3 // 4,
            lambda rows, cols: self.block_bytes(rows, cols) + rows * cols * n_bands * bytes_per_value,
        )

    def run(self, context: RunContext, bytes_per_value: int) -> Iterator[tuple[Window, Float32Array, BoolArray]]:
        """Yield (window, enhanced values (rows, cols, bands), validity) until the image is covered."""
        progress = ProgressSpan(context.progress, 0.0, 1.0)
        for done, window in blocks(self._source, self.shape(context, bytes_per_value)):
            progress.step(done, "FEN")
            scaled, valid = self._scaled(window)
            yield window, self._backend.enhance(scaled), valid

    def _scaled(self, core: Window) -> tuple[Float32Array, BoolArray]:
        """Return the scaled values of a window with its halo, mirrored at the image's edge, and the core's validity."""
        halo = self._halo_px
        n_rows, n_cols = self._source.n_rows, self._source.n_cols
        outer = expand(core, halo, n_rows, n_cols)
        values, complete = self._source.read(outer, self._numbers)
        inner = core.within(outer)
        valid = np.ones(core.shape, dtype=bool)
        if not complete:
            outer_valid = valid_mask(values)
            values[~outer_valid] = self._mean
            valid = outer_valid[inner].copy()
        scaled = self._scaling.apply(values)
        if outer.n_rows < core.n_rows + 2 * halo:
            rows = reflected(core.row_start - halo, core.row_stop + halo, n_rows) - outer.row_start
            scaled = self._mirror(scaled, rows, axis=0)
        if outer.n_cols < core.n_cols + 2 * halo:
            cols = reflected(core.col_start - halo, core.col_stop + halo, n_cols) - outer.col_start
            scaled = self._mirror(scaled, cols, axis=1)
        return np.ascontiguousarray(scaled), valid

    @staticmethod
    def _mirror(values: Float32Array, indices: NDArray[np.intp], axis: int) -> Float32Array:
        # The mirror image of a pixel near the edge lies within the halo's width of it, so within the outer window.
        return np.take(values, indices, axis=axis)
