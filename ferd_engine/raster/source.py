"""What the engine reads: a raster or an array behind one protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..bands import BandInfo
from ..errors import InputError
from ..windows import Window
from .address import is_plain_path

FloatArray = NDArray[np.floating[Any]]


class Block(NamedTuple):
    """Values (rows, cols, bands) of a window, float32 or float64, in the raster's scaled units.

    NaN marks each value that is nodata, masked or not finite; `complete` says that there is none.
    """

    values: FloatArray
    complete: bool


@dataclass(frozen=True)
class Georeference:
    """Where the pixels lie: copied from input to output as it is."""

    projection: str = ""
    geotransform: tuple[float, ...] | None = None
    gcps: tuple[Any, ...] = ()
    gcp_projection: str = ""
    rpc: dict[str, str] = field(default_factory=dict)


class Source(Protocol):
    """A raster of n_rows x n_cols pixels that is read by windows."""

    path: str
    n_rows: int
    n_cols: int
    bands: tuple[BandInfo, ...]
    georeference: Georeference
    # float32 where that holds the raster's own type exactly, else float64.
    dtype: DTypeLike
    # Rows and columns that the file stores together.
    block_rows: int
    block_cols: int
    files: tuple[str, ...]

    def read(self, window: Window, numbers: Sequence[int], out: FloatArray | None = None) -> Block:
        """Read the bands with these numbers (from 1, in this order); `RunError` where the file cannot be read.

        Values go to `out` (rows, cols, bands) of the source's dtype where it is given, else to a fresh C-contiguous
        array.
        """

    def row_bytes(self, n_rows: int, n_bands: int) -> int:
        """Return what the source holds itself, beside `out`, while full rows are read in windows of `n_rows`."""

    def reopened(self) -> Source:
        """Return a source of the same raster for another thread: one to be closed, or itself if it may be shared."""

    def close(self) -> None:
        """Release the file or the array."""


@runtime_checkable
class PlainSource(Source, Protocol):
    """A source that can give rows as the file stores them, which takes less than half the time of `read`."""

    def is_plain(self, numbers: Sequence[int]) -> bool:
        """Say whether the bands hold integers of one type that are valid and in the raster's units as they are."""

    def stored_rows(self, start: int, stop: int, numbers: Sequence[int]) -> Iterator[NDArray[np.integer[Any]]]:
        """Yield the pixels (bands, n) of the rows [start, stop), some whole rows at a time.

        Their values mean nothing after the next read. Only where the bands are plain; errors are those of `read`.
        """


def path_exists(path: str) -> bool:
    """Say whether there is a file or folder of this name; for a name that the system does not allow there is none."""
    try:
        return Path(path).exists()
    except OSError:
        return False


def check_file(path: str) -> None:
    """Raise `InputError` where there is no file of this name."""
    if not path_exists(path) or not Path(path).is_file():
        raise _missing(path)


def check_raster(path: str, hint: str = "") -> None:
    """Raise `InputError`, with the hint behind it, where a path of the file system leads to neither file nor folder.

    Whether there is anything at an address, or behind a name of GDAL's, is found out when it is opened.
    """
    if is_plain_path(path) and not path_exists(path):
        raise _missing(path, hint)


def _missing(path: str, hint: str = "") -> InputError:
    return InputError(f"There is no file {path}: check the path.{hint}")


def target(out: FloatArray | None, shape: tuple[int, ...], dtype: DTypeLike) -> FloatArray:
    """Return `out`, or a fresh array where there is none."""
    return np.empty(shape, dtype=dtype) if out is None else out


def mark_invalid(values: FloatArray) -> bool:
    """Turn infinities into NaN, in place; return whether every value was finite."""
    finite = np.isfinite(values)
    if finite.all():
        return True
    np.copyto(values, np.nan, where=~finite)
    return False
