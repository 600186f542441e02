"""Operations of many pixels with one row of channels, over lines that are long enough for numpy.

`np.maximum(pixels, row)` goes over the channels of one pixel at a time, unless these are more than numpy's buffer
holds, 8192 values: then the same operation takes half the time. So the row is repeated, and many pixels count as one.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .blas import Product

_LINE_VALUES = 8192


class Line:
    """A row (k,) of any dtype, ready for operations with C-contiguous pixels (n, k)."""

    def __init__(self, row: NDArray[Any]) -> None:
        self.row = row
        self._n_pixels = -(-_LINE_VALUES // max(len(row), 1))
        self._line = np.broadcast_to(row, (self._n_pixels, len(row))).reshape(-1)

    def steps(self, operation: np.ufunc, pixels: NDArray[Any], out: NDArray[Any]) -> list[Product]:
        """Return what stores operation(pixels, row) in `out`, C-contiguous too: at most two calls."""
        n_whole = len(pixels) // self._n_pixels * self._n_pixels
        steps: list[Product] = []
        if n_whole:
            shape = n_whole // self._n_pixels, len(self._line)
            steps.append(
                partial(operation, pixels[:n_whole].reshape(shape), self._line, out=out[:n_whole].reshape(shape))
            )
        if n_whole < len(pixels):
            steps.append(partial(operation, pixels[n_whole:], self.row, out=out[n_whole:]))
        return steps
