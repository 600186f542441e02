"""Scaling against numpy.percentile and the formula, over blocks in any order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferd_engine.errors import InputError
from ferd_engine.scaling import Scaling, TailRange, ValueRange


def split(values: np.ndarray, n_blocks: int, seed: int) -> list[np.ndarray]:
    """Return the values in blocks of random length and order, some of them empty."""
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.integers(0, len(values) + 1, n_blocks - 1))
    blocks = np.split(values, cuts)
    rng.shuffle(blocks)  # type: ignore[arg-type]
    return blocks


def tails(blocks: list[np.ndarray], n_values_at_most: int) -> Scaling:
    found = TailRange(n_values_at_most)
    for block in blocks:
        found.add(block)
    return found.scaling()


def assert_numpys(found: Scaling, values: np.ndarray) -> None:
    """Compare with numpy.percentile, whose fractional rank is itself rounded at the last digit of the count."""
    expected = np.percentile(values.astype(np.float64), [0.01, 99.99])
    np.testing.assert_allclose([found.low, found.high], expected, rtol=1e-15, atol=5e-16 * values.size * np.ptp(values))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60_000), st.integers(1, 12), st.integers(0, 2**32 - 1), st.booleans())
def test_percentiles_are_numpys(n_values: int, n_blocks: int, seed: int, ties: bool) -> None:
    values = np.random.default_rng(seed).normal(1e4, 500.0, n_values)
    if ties:
        values = np.rint(values / 400.0)
        values[:2] = 0.0, 100.0
    assert_numpys(tails(split(values, n_blocks, seed), n_values), values)


@pytest.mark.parametrize("order", ["rising", "falling", "random"])
def test_percentiles_when_the_tails_are_cut_many_times(order: str) -> None:
    values = np.random.default_rng(1).permutation(1_500_000).astype(np.float32)
    if order != "random":
        values = np.sort(values)[:: 1 if order == "rising" else -1]
    found = tails(np.array_split(values, 40), values.size)
    assert_numpys(found, values)


def test_percentiles_when_most_pixels_turn_out_invalid() -> None:
    # The raster's size is an upper bound; the rank follows from what was valid.
    values = np.random.default_rng(2).normal(size=30_011)
    assert_numpys(tails([values], 40 * values.size), values)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 5000), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_minmax_over_any_blocks(n_values: int, n_blocks: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=n_values).astype(np.float32)
    found = ValueRange()
    for block in split(values, n_blocks, seed):
        found.add(block)
    assert found.scaling() == Scaling(float(values.min()), float(values.max()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("low", "high"), [(0.0, 10000.0), (-5.0, -1.0), (1e6, 1e6 + 4.0)])
def test_scaled_values_are_the_formula(dtype: str, low: float, high: float) -> None:
    values = np.random.default_rng(0).uniform(low, high, (5, 7, 3)).astype(dtype)
    expected = ((values.astype(float) - low) / (high - low) * 2 - 1) * 0.1
    scaled = np.empty(values.shape, dtype=np.float32)
    Scaling(low, high).apply(values, scaled)
    np.testing.assert_allclose(scaled, expected, atol=3e-8)


def test_scaling_in_place() -> None:
    values = np.array([[[2.0], [4.0], [6.0]]], dtype=np.float32)
    Scaling(2.0, 6.0).apply(values, values)
    np.testing.assert_allclose(values.ravel(), [-0.1, 0.0, 0.1], atol=1e-9)


@pytest.mark.parametrize("make", [ValueRange, lambda: TailRange(100)])
def test_nothing_to_scale(make: type[ValueRange]) -> None:
    with pytest.raises(InputError, match="No pixel is valid"):
        make().scaling()
    constant = make()
    constant.add(np.full(50, 7.0, dtype=np.float32))
    with pytest.raises(InputError, match="same value"):
        constant.scaling()
