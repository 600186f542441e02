"""Rasters and arrays in, score rasters and enhanced cubes out."""

from __future__ import annotations

from contextlib import ExitStack, closing

from ..errors import UsageError
from .address import gdal_name
from .array_source import ArraySource, Mat73Source, open_array_file
from .gdal_source import GdalSource
from .masked_source import with_mask
from .source import Block, Georeference, PlainSource, Source, check_raster

__all__ = [
    "ArraySource",
    "Block",
    "GdalSource",
    "Georeference",
    "Mat73Source",
    "PlainSource",
    "Source",
    "open_mask",
    "open_masked",
    "open_source",
]


def open_source(path: str, variable: str | None = None, budget_bytes: int | None = None) -> Source:
    """Open any GDAL raster, or a .mat or .npy cube; `InputError` says why it cannot be used.

    An address (https, s3, gs, az) is read by GDAL, byte range by byte range. With a memory budget, a file that can only
    be read in larger pieces is refused.
    """
    path = gdal_name(path)
    if variable is not None and not path.lower().endswith(".mat"):
        raise UsageError(f"--variable names an array of a .mat file, but {path} is none: drop the option.")
    if path.lower().endswith((".mat", ".npy")):
        return open_array_file(path, variable, budget_bytes)
    source = GdalSource(path)
    if budget_bytes is not None:
        source.check_block(budget_bytes)
    return source


def open_mask(path: str, budget_bytes: int | None = None) -> Source:
    """Open a raster for `with_mask`; see `open_source`."""
    check_raster(path, " --mask reads a mask; --mask-out writes one of the anomalies.")
    return open_source(path, budget_bytes=budget_bytes)


def open_masked(path: str, variable: str | None, mask: str | None) -> Source:
    """Open a raster, behind the mask raster where there is one; neither stays open where they do not go together."""
    with ExitStack() as opened:
        source = opened.enter_context(closing(open_source(path, variable)))
        if mask is not None:
            source = with_mask(source, open_mask(mask))
        opened.pop_all()
    return source
