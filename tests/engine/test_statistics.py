"""Streamed moments against long-double references, for any order and size of parts."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferd_engine.errors import RunError
from ferd_engine.statistics import Moments, reduced_columns


def naive_covariance(pixels: np.ndarray) -> np.ndarray:
    exact = pixels.astype(np.longdouble)
    centred = exact - exact.mean(axis=0)
    return (centred.T @ centred) / max(len(pixels) - 1, 1)


def moments_of(pixels: np.ndarray, *cuts: int) -> Moments:
    moments = Moments(pixels.shape[1])
    for part in np.split(pixels, cuts):
        moments.add(part)
    return moments


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments_are_those_of_the_definition(dtype: type) -> None:
    pixels = np.random.default_rng(0).normal(5.0, [1.0, 2.0, 300.0], (40_003, 3)).astype(dtype)
    moments = moments_of(pixels, 7, 20_000)
    assert moments.count == 40_003
    np.testing.assert_allclose(
        moments.mean, pixels.astype(np.longdouble).mean(axis=0).astype(float), rtol=1e-14, atol=1e-12
    )
    np.testing.assert_array_equal(moments.minimum, pixels.min(axis=0))
    np.testing.assert_array_equal(moments.maximum, pixels.max(axis=0))
    reference = naive_covariance(pixels).astype(float)
    scale = np.sqrt(np.outer(np.diag(reference), np.diag(reference)))
    assert (np.abs(moments.covariance() - reference) / scale).max() < 1e-13


@given(st.lists(st.integers(0, 300), max_size=6), st.integers(1, 7), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_cutting_and_merging_change_nothing(cuts: list[int], n_bands: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).normal(100.0, 1.0, (300, n_bands))
    at_once = moments_of(pixels)
    merged = Moments(n_bands)
    for part in np.split(pixels, sorted(cuts)):
        merged.merge(moments_of(part))
    assert merged.count == 300
    np.testing.assert_allclose(merged.mean, at_once.mean, rtol=1e-13)
    np.testing.assert_allclose(merged.covariance(), at_once.covariance(), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(merged.minimum, at_once.minimum)
    np.testing.assert_array_equal(merged.maximum, at_once.maximum)


def test_a_huge_offset_loses_no_variance() -> None:
    rng = np.random.default_rng(1)
    small = rng.normal(0.0, 1e-3, (50_000, 4)) @ rng.normal(size=(4, 4))
    pixels = 1e6 + small
    reference = naive_covariance(pixels).astype(float)
    # Parts as small as 10 pixels first, so that a poor first mean would show.
    computed = moments_of(pixels, 10, 20, 4_000).covariance()
    assert np.abs(computed - reference).max() < 1e-10 * np.abs(reference).max()


def test_a_far_first_part_loses_no_variance() -> None:
    rng = np.random.default_rng(2)
    pixels = rng.normal(0.0, 1.0, (20_000, 3))
    pixels[:100] += 1e5
    reference = naive_covariance(pixels).astype(float)
    np.testing.assert_allclose(moments_of(pixels, 100).covariance(), reference, rtol=1e-12)


@pytest.mark.slow
def test_ten_million_pixels_accumulate_without_loss() -> None:
    # Every value occurs equally often, so mean and variance are known exactly: mean 1e6, variance 2 N / (N - 1) * 1e-4.
    cycle = 1e6 + np.array([[-2.0, 2.0], [-1.0, 1.0], [0.0, 0.0], [1.0, -1.0], [2.0, -2.0]]) / 128.0
    moments = Moments(2)
    part = np.tile(cycle, (20_000, 1))
    for _ in range(100):
        moments.add(part)
    variance = 2.0 / 128.0**2 * (1e7 / (1e7 - 1.0))
    np.testing.assert_allclose(moments.mean, 1e6, rtol=1e-15)
    np.testing.assert_allclose(moments.covariance(), variance * np.array([[1.0, -1.0], [-1.0, 1.0]]), rtol=1e-11)


def test_a_constant_band_has_no_variance_at_all() -> None:
    pixels = np.random.default_rng(3).normal(size=(5_000, 3))
    pixels[:, 1] = 123_456.7
    covariance = moments_of(pixels, 1_000).covariance()
    assert (covariance[1] == 0.0).all()
    assert (covariance[:, 1] == 0.0).all()
    assert covariance[0, 2] == covariance[2, 0] != 0.0


def test_without_extrema_all_else_is_the_same_and_extrema_are_refused() -> None:
    pixels = np.random.default_rng(7).normal(5.0, 2.0, (40_003, 30)).astype(np.float32)
    pixels[:20_000, 4] = 123_456.7
    full, bare = moments_of(pixels, 15_000), Moments(30, extrema=False)
    for part in np.split(pixels, [15_000]):
        bare.add(part)
        # The constant band is still one after the first part.
        assert (bare.varies() == (part.min(axis=0) < part.max(axis=0))).all()
    np.testing.assert_array_equal(bare.covariance(), full.covariance())
    np.testing.assert_array_equal(bare.mean, full.mean)
    assert full.knows_extrema
    assert not bare.knows_extrema
    for moments in (bare, Moments.from_arrays(bare.as_arrays()), pickle.loads(pickle.dumps(bare))):  # noqa: S301
        full.merge(moments)
        for mixed in (moments, full):
            with pytest.raises(RunError, match="told to do without"):
                _ = mixed.minimum
            with pytest.raises(RunError, match="told to do without"):
                _ = mixed.maximum
        assert full.varies().all()


def test_a_band_that_is_constant_in_each_part_varies_once_parts_are_merged() -> None:
    constant = np.random.default_rng(8).normal(size=(400, 3))
    constant[:, 1] = 7.0
    other = constant.copy()
    other[:, 1] = 8.0
    first, second = Moments(3, extrema=False), Moments(3, extrema=False)
    first.add(constant)
    second.add(other)
    assert first.varies().tolist() == [True, False, True]
    assert (first.covariance()[1] == 0.0).all()
    first.merge(second)
    assert first.varies().all()
    np.testing.assert_allclose(first.covariance(), np.cov(np.concatenate([constant, other]).T), rtol=1e-12, atol=1e-14)


def test_none_and_one_pixel() -> None:
    moments = Moments(2)
    moments.add(np.empty((0, 2), dtype=np.float32))
    moments.merge(Moments(2))
    assert moments.count == 0
    assert (moments.covariance() == 0.0).all()
    assert np.isinf(moments.minimum).all()
    moments.add(np.array([[3.0, 4.0]], dtype=np.float32))
    assert moments.count == 1
    np.testing.assert_array_equal(moments.mean, [3.0, 4.0])
    assert (moments.covariance() == 0.0).all()


def test_merge_leaves_the_other_as_it_is() -> None:
    first, other = moments_of(np.eye(3)), moments_of(np.arange(12.0).reshape(4, 3))
    before = other.covariance()
    first.merge(other)
    first.add(np.ones((5, 3)))
    np.testing.assert_array_equal(other.covariance(), before)
    assert other.count == 4


def test_other_bands_are_refused() -> None:
    with pytest.raises(ValueError, match="3 bands cannot be merged into moments of 2"):
        Moments(2).merge(Moments(3))


@pytest.mark.parametrize("limit", ["1", "3"])
def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    pixels = np.random.default_rng(5).normal(1e4, 3.0, (30_011, 60)).astype(np.float32)
    reference = naive_covariance(pixels).astype(float)
    monkeypatch.setattr("ferd_engine.parallel.available_threads", lambda: 3)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", limit)
    moments = moments_of(pixels)
    assert moments.count == 30_011
    assert np.abs(moments.covariance() - reference).max() < 1e-12 * np.abs(reference).max()
    np.testing.assert_allclose(moments.mean, pixels.astype(np.longdouble).mean(axis=0).astype(float), rtol=1e-14)


def test_moments_travel_between_processes() -> None:
    moments = moments_of(np.random.default_rng(6).normal(size=(50, 3)))
    copy = pickle.loads(pickle.dumps(moments))  # noqa: S301 - made in this line
    np.testing.assert_array_equal(copy.covariance(), moments.covariance())
    assert copy.count == 50


def test_pixels_are_not_changed() -> None:
    pixels = np.random.default_rng(4).normal(size=(100, 5))
    kept = pixels.copy()
    Moments(5).add(pixels)
    np.testing.assert_array_equal(pixels, kept)


@pytest.mark.parametrize("shape", [(432, 6), (5000, 3), (40, 6), (1, 4), (300, 2500)])
def test_sums_of_float32_keep_the_digits_beside_an_offset(shape: tuple[int, int]) -> None:
    values = (np.random.default_rng(1).standard_normal(shape) + 1e6).astype(np.float32)
    sums = reduced_columns(np.add, values)
    np.testing.assert_allclose(sums, values.sum(axis=0, dtype=np.float64), rtol=1e-6)
    assert np.array_equal(reduced_columns(np.minimum, values), values.min(axis=0))
