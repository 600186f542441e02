"""Winograd's minimal filtering along the rows: a 3x3 convolution with less than half the multiplications.

Source: Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016; F(6, 3) with the points 0, 1, -1,
2, -2, 1/2, -1/2 and infinity, and F(4, 3) without the halves. Six output rows need eight input rows d and, for each of
the three column taps, eight products in place of eighteen: y = A' [(G g) * (B' d)], with g the three row taps and * the
product along channels. Only rows are transformed, so that columns need no regrouping and rounding grows little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]


@dataclass(frozen=True)
class Filtering:
    """The transforms that make `rows_out` output rows of `rows_in` input rows.

    input : B' (rows_in, rows_in). output : A' (rows_out, rows_in). kernel : G (rows_in, 3).
    """

    input: Float32Array
    output: Float32Array
    kernel: Float64Array

    @property
    def rows_out(self) -> int:
        return len(self.output)

    @property
    def rows_in(self) -> int:
        return len(self.input)

    def transform_kernel(self, kernel: Float32Array) -> Float32Array:
        """Return the transformed kernel (rows_in, 3, in, out) of a kernel (3 rows, 3 columns, in, out)."""
        # Not by numpy's BLAS, which is another one inside QGIS: the weights must come out the same to the last bit.
        transformed = np.einsum("ij,jkab->ikab", self.kernel, kernel, dtype=np.float64)
        result: Float32Array = transformed.astype(np.float32)
        return result


FOUR = Filtering(
    np.array(
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ],
        dtype=np.float32,
    ),
    np.array(
        [
            [1, 1, 1, 1, 1, 0],
            [0, 1, -1, 2, -2, 0],
            [0, 1, 1, 4, 4, 0],
            [0, 1, -1, 8, -8, 1],
        ],
        dtype=np.float32,
    ),
    np.array(
        [
            [1 / 4, 0, 0],
            [-1 / 6, -1 / 6, -1 / 6],
            [-1 / 6, 1 / 6, -1 / 6],
            [1 / 24, 1 / 12, 1 / 6],
            [1 / 24, -1 / 12, 1 / 6],
            [0, 0, 1],
        ]
    ),
)
SIX = Filtering(
    np.array(
        [
            [1, 0, -21 / 4, 0, 21 / 4, 0, -1, 0],
            [0, 1, 1, -17 / 4, -17 / 4, 1, 1, 0],
            [0, -1, 1, 17 / 4, -17 / 4, -1, 1, 0],
            [0, 1 / 2, 1 / 4, -5 / 2, -5 / 4, 2, 1, 0],
            [0, -1 / 2, 1 / 4, 5 / 2, -5 / 4, -2, 1, 0],
            [0, 2, 4, -5 / 2, -5, 1 / 2, 1, 0],
            [0, -2, 4, 5 / 2, -5, -1 / 2, 1, 0],
            [0, -1, 0, 21 / 4, 0, -21 / 4, 0, 1],
        ],
        dtype=np.float32,
    ),
    np.array(
        [
            [1, 1, 1, 1, 1, 1, 1, 0],
            [0, 1, -1, 2, -2, 1 / 2, -1 / 2, 0],
            [0, 1, 1, 4, 4, 1 / 4, 1 / 4, 0],
            [0, 1, -1, 8, -8, 1 / 8, -1 / 8, 0],
            [0, 1, 1, 16, 16, 1 / 16, 1 / 16, 0],
            [0, 1, -1, 32, -32, 1 / 32, -1 / 32, 1],
        ],
        dtype=np.float32,
    ),
    np.array(
        [
            [1, 0, 0],
            [-2 / 9, -2 / 9, -2 / 9],
            [-2 / 9, 2 / 9, -2 / 9],
            [1 / 90, 1 / 45, 2 / 45],
            [1 / 90, -1 / 45, 2 / 45],
            [32 / 45, 16 / 45, 8 / 45],
            [32 / 45, -16 / 45, 8 / 45],
            [0, 0, 1],
        ]
    ),
)
FILTERINGS = {filtering.rows_out: filtering for filtering in (FOUR, SIX)}
MOST_ROWS_OUT, MOST_ROWS_IN = SIX.rows_out, SIX.rows_in


def heights(n_rows: int) -> list[int]:
    """Cut rows into sixes and fours, and at most three rows that no filtering takes."""
    sixes, rest = divmod(n_rows, 6)
    if rest == 2 and sixes:
        return [6] * (sixes - 1) + [4, 4]
    cut = [6] * sixes
    if rest >= 4:
        cut.append(4)
        rest -= 4
    return cut + [rest] * (rest > 0)
