"""A source with some pixels taken out by a mask raster."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..windows import Window
from .gdal_setup import gdal_exceptions, osr
from .source import Block, FloatArray, Source


class MaskedSource:
    """A source in which pixels are invalid where the mask's first band is 0 or nodata."""

    def __init__(self, source: Source, mask: Source) -> None:
        check_grid(source, mask, "mask")
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


def check_grid(source: Source, other: Source, what: str) -> None:
    """Refuse a raster of another size or place than the source's; one without a place is taken as it is."""
    if (other.n_rows, other.n_cols) != (source.n_rows, source.n_cols):
        raise InputError(
            f"The {what} {other.path} has {other.n_rows} rows and {other.n_cols} columns, but the input has "
            f"{source.n_rows} and {source.n_cols}: give a {what} on the input's grid."
        )
    ours, theirs = source.georeference.geotransform, other.georeference.geotransform
    if ours is None or theirs is None:
        return
    pixel = max(abs(ours[1]) + abs(ours[2]), abs(ours[4]) + abs(ours[5]))
    # A hundredth of a pixel: rounding of coordinates in headers, not a shift.
    if not np.allclose(ours, theirs, rtol=0.0, atol=0.01 * pixel):
        raise InputError(
            f"The {what} {other.path} has the input's size but lies elsewhere: give a {what} on the input's grid."
        )
    if not _same_system(source, other):
        raise InputError(
            f"The {what} {other.path} has the input's numbers in another projection: give a {what} on the input's grid."
        )


def _same_system(source: Source, other: Source) -> bool:
    """Say whether both projections put the image's corners to the same places, within half a pixel.

    One projection has many spellings, so that they are compared by what they do; one that is missing is the other's.
    """
    ours, theirs = source.georeference.projection, other.georeference.projection
    if not ours or not theirs or ours == theirs:
        return True
    x, dx_col, dx_row, y, dy_col, dy_row = source.georeference.geotransform or (0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    corners = [
        (x + col * dx_col + row * dx_row, y + col * dy_col + row * dy_row)
        for col in (0, source.n_cols)
        for row in (0, source.n_rows)
    ]
    with gdal_exceptions():
        try:
            systems = [osr.SpatialReference(text) for text in (ours, theirs)]
            for system in systems:
                # As a geotransform has it, east before north.
                system.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
            if systems[0].IsSame(systems[1]):
                return True
            moved = osr.CoordinateTransformation(*systems).TransformPoints(corners)
        except RuntimeError:
            return False
    half_px = 0.5 * max(abs(dx_col) + abs(dx_row), abs(dy_col) + abs(dy_row))
    return bool(np.abs(np.array(moved)[:, :2] - corners).max() < half_px)
