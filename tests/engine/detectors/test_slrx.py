"""SLRX against the definition, on ragged blocks, holes, small and large blocks, and any memory budget."""

from __future__ import annotations

import numpy as np
import pytest

from ferd_engine.context import RunContext
from ferd_engine.detectors import make_detector
from ferd_engine.errors import Cancelled, InputError, UsageError

from .arrays import ArraySink, RecordingProgress, cube_of, moments_of, run, scene


def distance(pixel: np.ndarray, background: np.ndarray) -> float:
    """Return the distance of a pixel (B,) to pixels (n, B), with 1e-6 I added to their covariance."""
    mean = background.mean(axis=0)
    centred = background - mean
    covariance = centred.T @ centred / max(len(background) - 1, 1) + 1e-6 * np.eye(len(pixel))
    return float(np.sqrt((pixel - mean) @ np.linalg.solve(covariance, pixel - mean)))


def naive_slrx(array: np.ndarray, side: int) -> np.ndarray:
    """Return SLRX scores (rows, cols) pixel by pixel, straight from the definition."""
    n_rows, n_cols = array.shape[:2]
    values = array.astype(np.float64)
    valid = ~np.isnan(values[:, :, 0])
    values = (values - values[valid].min()) / (values[valid].max() - values[valid].min())
    maps = np.full((n_rows, n_cols, 3), np.nan)
    for row, col in zip(*np.nonzero(valid)):
        top, left = row // side * side, col // side * side
        own = np.zeros_like(valid)
        own[top : top + side, left : left + side] = True
        around = np.zeros_like(valid)
        around[max(top - side, 0) : top + 2 * side, max(left - side, 0) : left + 2 * side] = True
        around &= ~own & valid
        others = values[around] if around.any() else values[valid]
        backgrounds = (values[own & valid], others, values[valid])
        maps[row, col] = [distance(values[row, col], background) for background in backgrounds]
    scaled = np.zeros_like(maps)
    for index in range(3):
        low, high = np.nanmin(maps[:, :, index]), np.nanmax(maps[:, :, index])
        # Equal distances differ by rounding.
        if high - low > 1e-12 * high:
            scaled[:, :, index] = (maps[:, :, index] - low) / (high - low)
    return np.where(valid, scaled.prod(axis=2), np.nan)


def assert_as_defined(array: np.ndarray, side: int, context: RunContext | None = None) -> None:
    scores = run(make_detector("slrx", block=side), array, context)
    reference = naive_slrx(array, side)
    # A score near 0 is a difference of nearly equal distances; 1e-6 of the largest score is its scale.
    np.testing.assert_allclose(scores, reference, rtol=1e-6, atol=1e-6 * np.nanmax(reference))


@pytest.mark.parametrize("holes", [0.0, 0.3])
@pytest.mark.parametrize(
    ("shape", "side"),
    [
        ((12, 16, 40), 2),  # eight blocks of 4 pixels: Gram matrices, no ragged block
        ((13, 17, 40), 2),  # ragged at both edges, blocks of one pixel
        ((11, 14, 80), 3),
        ((13, 17, 20), 4),  # more pixels than bands around, fewer or as many within a block
        ((13, 22, 5), 5),  # more pixels than bands everywhere
        ((2, 60, 30), 2),  # one row of blocks
        ((60, 1, 4), 3),  # one column
    ],
)
def test_scores_are_those_of_the_definition(shape: tuple[int, int, int], side: int, holes: float) -> None:
    assert_as_defined(scene(*shape, seed=side, holes=holes), side)


def test_smooth_blocks_far_from_the_mean_of_the_image() -> None:
    rng = np.random.default_rng(3)
    array = rng.standard_normal((14, 26, 60))
    # Products of these pixels are a million times as large as their differences.
    array[:, :13] += 2000.0
    array[5:, 20:] -= 1500.0 * rng.uniform(0.5, 1.0, 60)
    assert_as_defined(array.astype(np.float32), 2)


@pytest.mark.parametrize("n_bands", [6, 150])
def test_a_block_larger_than_the_image(n_bands: int) -> None:
    array = scene(5, 7, n_bands)
    for side in (7, 1000):
        assert_as_defined(array, side)


@pytest.mark.parametrize(("n_bands", "side"), [(70, 2), (9, 3)])
def test_empty_blocks_and_lonely_pixels(n_bands: int, side: int) -> None:
    array = scene(15, 18, n_bands, holes=0.1)
    array[:9, :9] = np.nan
    # One pixel alone in its block, and without a neighbour in the blocks around.
    array[1, 1] = scene(1, 1, n_bands, seed=9)[0, 0]
    assert_as_defined(array, side)


@pytest.mark.parametrize(("n_bands", "side"), [(70, 2), (9, 3)])
def test_constant_and_duplicated_bands(n_bands: int, side: int) -> None:
    array = scene(14, 19, n_bands)
    array[:, :, 1] = 431.5
    array[:, :, 2] = array[:, :, 0]
    assert_as_defined(array, side)


@pytest.mark.parametrize(("n_bands", "side"), [(70, 2), (9, 3)])
def test_a_constant_image_scores_zero(n_bands: int, side: int) -> None:
    array = np.full((9, 11, n_bands), 3.7, dtype=np.float32)
    array[2, 3] = np.nan
    scores = run(make_detector("slrx", block=side), array)
    assert np.isnan(scores[2, 3])
    assert (scores[~np.isnan(scores)] == 0.0).all()


def test_one_pixel_scores_zero() -> None:
    assert run(make_detector("slrx"), scene(1, 1, 8)) == 0.0


def test_the_block_is_a_25th_of_the_rows_and_at_least_2() -> None:
    array = scene(76, 20, 12)
    np.testing.assert_array_equal(run(make_detector("slrx"), array), run(make_detector("slrx", block=3), array))
    np.testing.assert_array_equal(
        run(make_detector("slrx"), array[:30]), run(make_detector("slrx", block=2), array[:30])
    )


@pytest.mark.parametrize("size", [1, 24 << 20])
@pytest.mark.parametrize(("shape", "side"), [((24, 700, 200), 4), ((50, 300, 150), 16), ((12, 4000, 20), 6)])
def test_memory_budget_changes_nothing(shape: tuple[int, int, int], side: int, size: int) -> None:
    array = scene(*shape, holes=0.05)
    detector = make_detector("slrx", block=side)
    progress = RecordingProgress()
    tight = run(detector, array, RunContext(budget_bytes=size, progress=progress))
    np.testing.assert_allclose(tight, run(detector, array, RunContext(budget_bytes=4 << 30)), rtol=1e-6, atol=1e-9)
    assert progress.fractions == sorted(progress.fractions)
    assert progress.fractions[-1] == 1.0


@pytest.mark.parametrize(("shape", "side"), [((12, 20, 40), 2), ((12, 20, 7), 4)])
def test_flips_and_transposition_change_nothing(shape: tuple[int, int, int], side: int) -> None:
    array = scene(*shape, holes=0.1)
    detector = make_detector("slrx", block=side)
    scores = run(detector, array)
    tolerance = {"rtol": 1e-6, "atol": 1e-9}
    np.testing.assert_allclose(run(detector, array[::-1])[::-1], scores, **tolerance)
    np.testing.assert_allclose(run(detector, array[:, ::-1])[:, ::-1], scores, **tolerance)
    np.testing.assert_allclose(run(detector, array.transpose(1, 0, 2)).T, scores, **tolerance)


def test_one_gain_and_offset_for_all_bands_change_nothing() -> None:
    array = scene(20, 25, 40)
    detector = make_detector("slrx", block=2)
    # A power of two and a small integer keep float32 values exact.
    whole_numbers = np.round(array)
    np.testing.assert_allclose(run(detector, whole_numbers * 4.0 - 64.0), run(detector, whole_numbers), rtol=1e-5)


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    array = scene(40, 60, 200)
    detector = make_detector("slrx", block=4)
    scores = run(detector, array)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    np.testing.assert_allclose(run(detector, array), scores, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("block", [1, 0, -3])
def test_an_unusable_block_is_refused(block: int) -> None:
    with pytest.raises(UsageError, match=f"The block of SLRX is {block} pixels: give 2 or more"):
        make_detector("slrx", block=block)


def test_no_valid_pixel_is_refused() -> None:
    with pytest.raises(InputError, match="No pixel is valid"):
        run(make_detector("slrx"), np.full((3, 4, 2), np.nan))


@pytest.mark.parametrize(("n_bands", "side"), [(150, 2), (60, 8)])
def test_a_cancelled_run_stops(n_bands: int, side: int) -> None:
    array = scene(40, 500, n_bands)
    sink = ArraySink(40, 500)
    context = RunContext(budget_bytes=1, progress=RecordingProgress(cancel_after=2))
    with pytest.raises(Cancelled):
        make_detector("slrx", block=side).score(cube_of(array), moments_of(array), sink, context)
    assert not sink.written.any()
