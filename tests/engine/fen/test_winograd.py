"""Winograd's filtering along the rows against the convolution by definition."""

from __future__ import annotations

import numpy as np
import pytest

from ferd_engine.fen import winograd


@pytest.mark.parametrize("filtering", winograd.FILTERINGS.values(), ids=lambda filtering: str(filtering.rows_out))
def test_each_output_row_is_that_of_the_definition(filtering: winograd.Filtering) -> None:
    random = np.random.RandomState(0)
    rows = random.normal(size=(filtering.rows_in, 5, 4))
    kernel = random.normal(size=(3, 3, 4, 2)).astype(np.float32)
    direct = np.zeros((filtering.rows_out, 3, 2))
    for dy in range(3):
        for dx in range(3):
            direct += rows[dy : dy + filtering.rows_out, dx : dx + 3] @ kernel[dy, dx].astype(np.float64)
    transformed = np.tensordot(filtering.input.astype(np.float64), rows, axes=1)
    kernels = filtering.transform_kernel(kernel).astype(np.float64)
    products = sum(np.einsum("rci,rio->rco", transformed[:, dx : dx + 3], kernels[:, dx]) for dx in range(3))
    result = np.tensordot(filtering.output.astype(np.float64), products, axes=1)
    # The kernels are rounded to float32.
    np.testing.assert_allclose(result, direct, rtol=0, atol=1e-5)


def test_rows_in_are_two_more_than_out() -> None:
    assert {rows: filtering.rows_in for rows, filtering in winograd.FILTERINGS.items()} == {4: 6, 6: 8}
    assert (winograd.MOST_ROWS_OUT, winograd.MOST_ROWS_IN) == (6, 8)


def test_rows_are_cut_so_that_few_are_left_over() -> None:
    cuts = {n: winograd.heights(n) for n in range(1, 60)}
    assert all(sum(cut) == n for n, cut in cuts.items())
    assert all(height in winograd.FILTERINGS for cut in cuts.values() for height in cut[:-1])
    # An even number of rows of four or more leaves none for the direct way.
    assert all(height in winograd.FILTERINGS for n in range(4, 60, 2) for height in cuts[n])
    assert (cuts[3], cuts[8], cuts[16], cuts[21]) == ([3], [4, 4], [6, 6, 4], [6, 6, 6, 3])
