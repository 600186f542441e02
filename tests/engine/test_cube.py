"""Scratch cubes: reading changes nothing of what is kept, in memory or in a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ferd_engine.cube import MaskedCube, ScratchCube
from ferd_engine.windows import Window, whole


@pytest.mark.parametrize("in_file", [False, True])
def test_invalid_pixels_are_finite_in_what_is_read_and_stay_invalid(in_file: bool, tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(6, 5, 3)).astype(np.float32)
    array[2, 3] = np.nan
    scratch = ScratchCube(6, 5, 3, tmp_path / "cube" if in_file else None)
    scratch.write(whole(6, 5), array)
    cube = MaskedCube(scratch)
    for window in (whole(6, 5), Window(0, 2, 0, 5), Window(1, 4, 2, 5)) * 2:
        expected = array[window.row_start : window.row_stop, window.col_start : window.col_stop]
        values, valid = cube.read(window)
        assert values.flags.c_contiguous
        np.testing.assert_array_equal(valid, ~np.isnan(expected[:, :, 0]))
        np.testing.assert_array_equal(values, np.nan_to_num(expected, nan=0.0))
    scratch.close()


def test_what_is_kept_is_given_without_a_copy_and_cannot_be_changed() -> None:
    scratch = ScratchCube(6, 5, 3)
    values = scratch.read_values(Window(2, 4, 0, 5))
    scratch.write(Window(3, 4, 0, 5), np.ones((1, 5, 3), dtype=np.float32))
    assert values[1].min() == 1.0
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 2.0
