"""Rows that are kept between windows: right for any order, each read once for windows that go down the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferd_engine.raster.row_cache import RowCache
from ferd_engine.windows import expand, tiles

N_COLS = 3


class Rows:
    """An image whose row r holds the value 100 * band + r; counts how often a row is read."""

    def __init__(self, n_rows: int) -> None:
        self.count = np.zeros(n_rows, dtype=int)

    def load(self, start: int, stop: int, numbers: Sequence[int]) -> np.ndarray:
        assert 0 <= start < stop <= len(self.count)
        self.count[start:stop] += 1
        values = 100 * np.array(numbers)[:, None, None] + np.arange(start, stop)[None, :, None]
        return np.repeat(values, N_COLS, axis=2)


def read(cache: RowCache, start: int, stop: int, numbers: Sequence[int]) -> dict[int, np.ndarray]:
    found = {row: stored.copy() for row, stored in cache.read(start, stop, numbers)}
    assert sorted(found) == list(range(start, stop))
    for row, stored in found.items():
        assert stored.shape == (len(numbers), N_COLS)
        assert (stored == 100 * np.array(numbers)[:, None] + row).all()
    return found


@given(st.integers(1, 60), st.integers(1, 20), st.data())
def test_any_order_of_windows_and_bands(n_rows: int, unit_rows: int, data: st.DataObject) -> None:
    cache = RowCache(Rows(n_rows).load, n_rows, unit_rows)
    for _ in range(6):
        start = data.draw(st.integers(0, n_rows - 1))
        numbers = data.draw(st.sampled_from([(1,), (1, 2), (2, 1)]))
        read(cache, start, data.draw(st.integers(start + 1, n_rows)), numbers)


@pytest.mark.parametrize("halo_px", [0, 4])
@pytest.mark.parametrize("height", [1, 16, 33])
@pytest.mark.parametrize("unit_rows", [1, 8, 64])
def test_windows_that_go_down_read_each_row_once(unit_rows: int, height: int, halo_px: int) -> None:
    rows = Rows(101)
    cache = RowCache(rows.load, 101, unit_rows)
    for window in tiles(101, N_COLS, height, N_COLS):
        outer = expand(window, halo_px, 101, N_COLS)
        read(cache, outer.row_start, outer.row_stop, (1, 2))
    assert (rows.count == 1).all()


@pytest.mark.parametrize("height", [1, 16, 33])
@pytest.mark.parametrize("unit_rows", [1, 8, 64])
def test_no_more_rows_are_held_than_announced(unit_rows: int, height: int) -> None:
    halo_px = 4
    cache = RowCache(Rows(200).load, 200, unit_rows)
    for window in tiles(200, N_COLS, height, N_COLS):
        outer = expand(window, halo_px, 200, N_COLS)
        read(cache, outer.row_start, outer.row_stop, (1,))
        held = sum(rows.stored.shape[1] for rows in cache._held)
        assert held <= cache.most_rows(height + 2 * halo_px)


def test_rows_between_two_far_windows_are_not_read() -> None:
    rows = Rows(100)
    cache = RowCache(rows.load, 100, 8)
    read(cache, 0, 10, (1,))
    read(cache, 80, 90, (1,))
    assert (rows.count[:16] == 1).all()
    assert (rows.count[80:96] == 1).all()
    assert rows.count.sum() == 32
