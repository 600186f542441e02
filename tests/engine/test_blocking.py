"""Block sizes: within the budget, covering the image, in steps that suit GeoTIFF tiles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferd_engine.blocking import block_shape
from ferd_engine.raster import ArraySource


class FlatSource(ArraySource):
    """A source of any size that holds `held` bytes for each row."""

    def __init__(self, n_rows: int, n_cols: int, tile: int = 1, held: int = 0) -> None:
        self.n_rows, self.n_cols, self.block_cols, self._held = n_rows, n_cols, tile, held

    def row_bytes(self, n_rows: int, n_bands: int) -> int:
        return n_rows * self._held


@given(
    st.integers(1, 900),
    st.integers(1, 3000),
    st.integers(2, 250),
    st.integers(1 << 20, 1 << 28),
    st.sampled_from([1, 16, 128, 256, 1000]),
    st.sampled_from([0, 4]),
    st.sampled_from([6, 16]),
    st.sampled_from([None, 13]),
)
def test_blocks_fit_the_budget_and_the_image(
    n_rows: int, n_cols: int, n_bands: int, budget: int, tile: int, halo_px: int, step: int, most_read: int | None
) -> None:
    source = FlatSource(n_rows, n_cols, tile, held=n_cols * n_bands * 2)

    def needs(rows: int, cols: int) -> int:
        return (rows + 2 * halo_px) * (cols + 2 * halo_px) * n_bands * 12

    rows, cols = block_shape(source, n_bands, budget, needs, halo_px, step, most_read)
    assert 1 <= rows <= n_rows
    assert 1 <= cols <= n_cols
    assert rows % step == 0 or rows == n_rows
    assert cols % 16 == 0 or cols == n_cols
    # Only the smallest block there is may go beyond the budget.
    if cols < n_cols:
        held = (rows + 2 * halo_px) * (cols + 2 * halo_px) * n_bands * 8
    else:
        held = source.row_bytes(min(rows + 2 * halo_px, most_read or n_rows + 2 * halo_px), n_bands)
    assert held + needs(rows, cols) <= budget or (rows <= max(step, 18) and cols <= 16)


@pytest.mark.parametrize(
    ("tile", "expected_cols"), [(1, 768), (256, 768), (64, 832)], ids=["strips", "tiles of 256", "tiles of 64"]
)
def test_narrow_blocks_are_whole_tiles(tile: int, expected_cols: int) -> None:
    # 16 full rows do not fit, 16 rows of half the width do.
    source = FlatSource(400, 1700, tile)
    assert block_shape(source, 10, 16 * 1700 * 100 - 1, lambda rows, cols: rows * cols * 100)[1] == expected_cols


def test_full_rows_in_small_steps_before_narrow_blocks() -> None:
    source = FlatSource(400, 1700)
    shapes = [
        block_shape(source, 10, rows * 1700 * 100, lambda rows, cols: rows * cols * 100, step=6)
        for rows in (36, 17, 6, 5)
    ]
    # 36 rows hold 61,200 pixels, 42 would be more than a block takes; 17 hold two whole groups; 5 hold none.
    assert shapes == [(36, 1700), (12, 1700), (6, 1700), (18, 256)]


def test_rows_that_are_read_in_pieces_count_once() -> None:
    source = FlatSource(400, 1700, held=1700 * 100)

    def shape(most_read: int | None) -> tuple[int, int]:
        return block_shape(source, 10, 40 * 1700 * 100, lambda rows, cols: rows * cols * 100, most_read=most_read)

    assert (shape(None), shape(8)) == ((16, 1700), (32, 1700))
