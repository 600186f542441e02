"""Window arithmetic: covering, growing, cutting and mirroring, for any size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferd_engine.windows import Window, expand, reflected, tiles, whole

sizes = st.integers(1, 60)
steps = st.integers(1, 80)


@given(sizes, sizes, steps, steps)
def test_tiles_cover_once_and_only_once_in_row_major_order(n_rows: int, n_cols: int, height: int, width: int) -> None:
    count = np.zeros((n_rows, n_cols), dtype=int)
    windows = list(tiles(n_rows, n_cols, height, width))
    for window in windows:
        assert 0 < window.n_rows <= height
        assert 0 < window.n_cols <= width
        count[window.row_start : window.row_stop, window.col_start : window.col_stop] += 1
    assert (count == 1).all()
    assert windows == sorted(windows, key=lambda w: (w.row_start, w.col_start))


def test_ragged_tiles() -> None:
    assert list(tiles(5, 7, 4, 3)) == [
        *(Window(0, 4, 0, 3), Window(0, 4, 3, 6), Window(0, 4, 6, 7)),
        *(Window(4, 5, 0, 3), Window(4, 5, 3, 6), Window(4, 5, 6, 7)),
    ]


@given(sizes, sizes, st.data(), st.integers(0, 70))
def test_expand_holds_exactly_the_pixels_near_the_window(
    n_rows: int, n_cols: int, data: st.DataObject, halo_px: int
) -> None:
    row, col = data.draw(st.integers(0, n_rows - 1)), data.draw(st.integers(0, n_cols - 1))
    window = Window(row, data.draw(st.integers(row + 1, n_rows)), col, data.draw(st.integers(col + 1, n_cols)))
    grown = expand(window, halo_px, n_rows, n_cols)
    near = [r for r in range(n_rows) if window.row_start - halo_px <= r < window.row_stop + halo_px]
    assert (grown.row_start, grown.row_stop) == (near[0], near[-1] + 1)
    near = [c for c in range(n_cols) if window.col_start - halo_px <= c < window.col_stop + halo_px]
    assert (grown.col_start, grown.col_stop) == (near[0], near[-1] + 1)
    image = np.arange(n_rows * n_cols).reshape(n_rows, n_cols)
    large = image[grown.row_start : grown.row_stop, grown.col_start : grown.col_stop]
    small = image[window.row_start : window.row_stop, window.col_start : window.col_stop]
    assert np.array_equal(large[window.within(grown)], small)


@given(st.integers(1, 30), st.integers(0, 70), st.integers(0, 70))
def test_reflected_is_what_numpy_pads(length: int, before: int, after: int) -> None:
    # One side at a time: for both at once NumPy before 1.26 reflects what it has just padded on the other side.
    left = np.pad(np.arange(length), (before, 0), mode="reflect")
    right = np.pad(np.arange(length), (0, after), mode="reflect")
    expected = np.concatenate([left, right[length:]])
    assert reflected(-before, length + after, length).tolist() == expected.tolist()


@pytest.mark.parametrize(("start", "stop"), [(3, 9), (-12, -5), (20, 31), (5, 5)])
def test_reflected_of_a_part_is_the_part_of_the_whole(start: int, stop: int) -> None:
    assert reflected(start, stop, 4).tolist() == reflected(-40, 40, 4)[start + 40 : stop + 40].tolist()


def test_shape_and_pixels() -> None:
    window = Window(2, 7, 1, 4)
    assert (window.shape, window.n_pixels, whole(5, 3)) == ((5, 3), 15, Window(0, 5, 0, 3))
