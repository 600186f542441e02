"""Winograd's minimal filtering along the rows: a 3x3 convolution with half the multiplications.

Source: Lavin, Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, F(4, 3) with the points 0, 1, -1,
2, -2 and infinity. Four output rows need six input rows d and, for each of the three column taps, six products in
place of twelve: y = A' [(G g) * (B' d)], with g the three row taps and * the product along channels. Only rows are
transformed, so that columns need no regrouping and rounding grows little.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]

ROWS_OUT = 4
ROWS_IN = 6

# B' (6, 6), applied to six input rows.
INPUT_TRANSFORM: Float32Array = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    dtype=np.float32,
)
# A' (4, 6), giving four output rows.
OUTPUT_TRANSFORM: Float32Array = np.array(
    [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ],
    dtype=np.float32,
)
_KERNEL_TRANSFORM = np.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ]
)


def transform_kernel(kernel: Float32Array) -> Float32Array:
    """Return the transformed kernel (6, 3, in, out) of a kernel (3 rows, 3 columns, in, out), in float64 inside."""
    # Not by numpy's BLAS, which is another one inside QGIS: the weights must come out the same to the last bit.
    transformed: Float32Array = np.einsum("ij,jkab->ikab", _KERNEL_TRANSFORM, kernel, dtype=np.float64).astype(
        np.float32
    )
    return transformed
