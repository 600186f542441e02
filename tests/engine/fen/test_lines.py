"""Operations with a row of channels, over lines of many pixels."""

from __future__ import annotations

import numpy as np
import pytest

from ferd_engine.fen.lines import Line


@pytest.mark.parametrize("n_channels", [1, 3, 128, 8192, 10000])
@pytest.mark.parametrize("n_pixels", [1, 63, 64, 65, 300])
def test_a_line_does_what_its_row_does(n_pixels: int, n_channels: int) -> None:
    random = np.random.RandomState(n_pixels)
    pixels = random.normal(size=(n_pixels, n_channels)).astype(np.float32)
    row = random.normal(size=n_channels).astype(np.float32)
    line = Line(row)
    for operation in (np.maximum, np.subtract):
        out = np.full_like(pixels, np.nan)
        steps = line.steps(operation, pixels, out)
        for step in steps:
            step()
        np.testing.assert_array_equal(out, operation(pixels, row))
        assert 1 <= len(steps) <= 2


def test_pixels_may_be_changed_in_place() -> None:
    pixels = np.arange(300 * 50, dtype=np.float32).reshape(300, 50)
    row = np.full(50, 40.0, np.float32)
    expected = np.maximum(pixels, row)
    for step in Line(row).steps(np.maximum, pixels, pixels):
        step()
    np.testing.assert_array_equal(pixels, expected)
