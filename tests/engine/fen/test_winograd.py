"""Winograd's filtering along the rows against the convolution by definition."""

from __future__ import annotations

import numpy as np

from ferd_engine.fen import winograd


def test_four_rows_from_six_and_half_the_products() -> None:
    random = np.random.RandomState(0)
    rows, kernel = random.normal(size=(6, 5, 4)), random.normal(size=(3, 3, 4, 2)).astype(np.float32)
    direct = np.zeros((4, 3, 2))
    for dy in range(3):
        for dx in range(3):
            direct += rows[dy : dy + 4, dx : dx + 3] @ kernel[dy, dx].astype(np.float64)
    transformed = np.tensordot(winograd.INPUT_TRANSFORM.astype(np.float64), rows, axes=1)
    kernels = winograd.transform_kernel(kernel).astype(np.float64)
    products = sum(np.einsum("rci,rio->rco", transformed[:, dx : dx + 3], kernels[:, dx]) for dx in range(3))
    result = np.tensordot(winograd.OUTPUT_TRANSFORM.astype(np.float64), products, axes=1)
    np.testing.assert_allclose(result, direct, rtol=0, atol=1e-5)
