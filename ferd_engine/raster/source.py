"""What the engine reads: a raster or an array behind one protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ..bands import BandInfo
from ..windows import Window

FloatArray = NDArray[np.floating[Any]]


class Block(NamedTuple):
    """Values (rows, cols, bands) of a window, C-contiguous float32 or float64, in the raster's scaled units.

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
    # Rows that the file stores together: reading multiples of it touches each byte once.
    block_rows: int
    files: tuple[str, ...]

    def read(self, window: Window, numbers: Sequence[int]) -> Block:
        """Read the bands with these numbers (from 1, in this order); `RunError` where the file cannot be read."""

    def close(self) -> None:
        """Release the file or the array."""


def mark_invalid(values: FloatArray) -> bool:
    """Turn infinities into NaN, in place; return whether every value was finite."""
    finite = np.isfinite(values)
    if finite.all():
        return True
    np.copyto(values, np.nan, where=~finite)
    return False
