"""A source with some pixels taken out by a mask raster."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..windows import Window
from .source import Block, FloatArray, Source


class MaskedSource:
    """A source in which pixels are invalid where the mask's first band is 0 or nodata."""

    def __init__(self, source: Source, mask: Source) -> None:
        if (mask.n_rows, mask.n_cols) != (source.n_rows, source.n_cols):
            raise InputError(
                f"The mask {mask.path} has {mask.n_rows} rows and {mask.n_cols} columns, but the input has "
                f"{source.n_rows} and {source.n_cols}: give a mask on the input's grid."
            )
        _check_same_place(source, mask)
        self._source = source
        self._mask = mask
        self.path = source.path
        self.n_rows, self.n_cols = source.n_rows, source.n_cols
        self.bands = source.bands
        self.georeference = source.georeference
        self.dtype = source.dtype
        self.block_rows = source.block_rows
        self.block_cols = source.block_cols
        self.files = source.files + mask.files

    def read(self, window: Window, numbers: Sequence[int], out: FloatArray | None = None) -> Block:
        """Read a window, NaN where masked."""
        values, complete = self._source.read(window, numbers, out)
        flag = self._mask.read(window, (1,)).values[:, :, 0]
        outside = np.isnan(flag) | (flag == 0)
        if not outside.any():
            return Block(values, complete)
        values[outside] = np.nan
        return Block(values, False)

    def row_bytes(self, n_rows: int, n_bands: int) -> int:
        """Return what both hold, and one plane of flags."""
        flags = n_rows * self.n_cols * 8
        return self._source.row_bytes(n_rows, n_bands) + self._mask.row_bytes(n_rows, 1) + flags

    def reopened(self) -> MaskedSource:
        """Open both once more."""
        return MaskedSource(self._source.reopened(), self._mask.reopened())

    def close(self) -> None:
        """Close both."""
        self._source.close()
        self._mask.close()


def with_mask(source: Source, mask: Source) -> MaskedSource:
    """Return the source behind the mask; the mask is closed where it does not fit."""
    try:
        return MaskedSource(source, mask)
    except InputError:
        mask.close()
        raise


def _check_same_place(source: Source, mask: Source) -> None:
    """Refuse a mask of the right size that lies elsewhere; one without a place is taken as it is."""
    ours, theirs = source.georeference.geotransform, mask.georeference.geotransform
    if ours is None or theirs is None:
        return
    pixel = max(abs(ours[1]) + abs(ours[2]), abs(ours[4]) + abs(ours[5]))
    # A hundredth of a pixel: rounding of coordinates in headers, not a shift.
    if not np.allclose(ours, theirs, rtol=0.0, atol=0.01 * pixel):
        raise InputError(
            f"The mask {mask.path} has the input's size but lies elsewhere: give a mask on the input's grid."
        )
