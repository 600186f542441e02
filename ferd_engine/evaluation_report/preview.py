"""Small images of a score map and its truth, gathered while the rasters are read."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cube import BoolArray
from ..score_planes import Part
from ..statistics import Float64Array

FloatArray = NDArray[np.floating[Any]]

# Longer side of an image in cells.
_LONGEST = 480


class Preview:
    """The highest score of anomalies and of background in square cells of pixels, -inf where there is none.

    A cell keeps its highest score, so that a single pixel stays visible however small the image becomes.
    """

    def __init__(self, n_rows: int, n_cols: int) -> None:
        self.cell_px = max(-(-max(n_rows, n_cols) // _LONGEST), 1)
        shape = -(-n_rows // self.cell_px), -(-n_cols // self.cell_px)
        self.anomalies: FloatArray = np.full(shape, -np.inf)
        self.background: FloatArray = np.full(shape, -np.inf)

    def seen(self, parts: Iterable[Part]) -> Iterator[Part]:
        """Take parts of full rows that start with a cell, and pass them on; NaN is left out."""
        for part in parts:
            known = np.isfinite(part.scores) & np.isfinite(part.truth)
            rows = slice(part.window.row_start // self.cell_px, -(-part.window.row_stop // self.cell_px))
            is_anomaly = part.truth > 0
            for cells, chosen in ((self.anomalies, is_anomaly), (self.background, ~is_anomaly)):
                cells[rows] = self._highest(np.where(known & chosen, part.scores, -np.inf))
            yield part

    def _highest(self, values: FloatArray) -> FloatArray:
        across = np.maximum.reduceat(values, np.arange(0, values.shape[1], self.cell_px), axis=1)
        highest: FloatArray = np.maximum.reduceat(across, np.arange(0, values.shape[0], self.cell_px), axis=0)
        return highest


# From common to rare: dark blue over violet and orange to light yellow.
_RAMP = np.array([[13, 17, 50], [66, 32, 110], [142, 42, 110], [211, 72, 78], [246, 140, 58], [252, 240, 170]])
NOTHING = (214, 216, 222)


def ramp(levels: Float64Array) -> NDArray[np.uint8]:
    """Return colours (..., 3) of levels from 0 to 1."""
    place = np.clip(levels, 0.0, 1.0) * (len(_RAMP) - 1)
    lower = np.minimum(place.astype(np.intp), len(_RAMP) - 2)
    part = (place - lower)[..., None]
    colours: NDArray[np.uint8] = (_RAMP[lower] * (1.0 - part) + _RAMP[lower + 1] * part).round().astype(np.uint8)
    return colours


def png_uri(colours: NDArray[np.uint8]) -> str:
    """Return colours (rows, cols, 3) as a data URI of a PNG (ISO/IEC 15948), 8 bits a channel."""
    n_rows, n_cols = colours.shape[:2]
    # Each row starts with the number of its filter: 0, none.
    rows = np.concatenate([np.zeros((n_rows, 1), dtype=np.uint8), colours.reshape(n_rows, -1)], axis=1)
    header = struct.pack(">IIBBBBB", n_cols, n_rows, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b"")]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return "data:image/png;base64," + base64.b64encode(data).decode("ascii")


def painted(shape: tuple[int, int], layers: list[tuple[BoolArray, tuple[int, int, int]]]) -> NDArray[np.uint8]:
    """Return colours (rows, cols, 3): those of the last layer that covers a cell."""
    colours = np.empty((*shape, 3), dtype=np.uint8)
    colours[...] = NOTHING
    for where, colour in layers:
        colours[where] = colour
    return colours
