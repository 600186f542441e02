"""GRX against the definition, and what must not change its scores."""

from __future__ import annotations

import numpy as np
import pytest

from ferd_engine.context import RunContext
from ferd_engine.detectors import make_detector
from ferd_engine.errors import Cancelled, InputError

from .arrays import ArraySink, RecordingProgress, cube_of, moments_of, naive_grx, run, scene

GRX = make_detector("grx")


@pytest.mark.parametrize(
    ("shape", "holes"), [((23, 31, 12), 0.0), ((23, 31, 12), 0.3), ((1, 400, 3), 0.1), ((400, 1, 1), 0.1)]
)
def test_scores_are_those_of_the_definition(shape: tuple[int, int, int], holes: float) -> None:
    array = scene(*shape, holes=holes)
    scores = run(GRX, array)
    np.testing.assert_allclose(scores, naive_grx(array), rtol=1e-6)
    assert (np.isnan(scores) == np.isnan(array[:, :, 0])).all()


def test_agrees_with_spectral_python() -> None:
    spectral = pytest.importorskip("spectral")
    array = scene(21, 30, 12)
    np.testing.assert_allclose(run(GRX, array), spectral.rx(array.astype(np.float64)), rtol=1e-6)


def test_mean_score_is_the_number_of_bands() -> None:
    array = scene(40, 50, 20)
    context = RunContext()
    assert run(GRX, array, context).mean() == pytest.approx(20 * 1999 / 2000, rel=1e-6)
    assert context.warnings == []


def test_memory_budget_changes_nothing() -> None:
    array = scene(45, 1100, 120, holes=0.1)
    scores = run(GRX, array)
    progress = RecordingProgress()
    # 16 MiB is the smallest budget: several blocks of full rows.
    np.testing.assert_array_equal(run(GRX, array, RunContext(budget_bytes=1, progress=progress)), scores)
    assert len(progress.fractions) > 3
    assert progress.fractions == sorted(progress.fractions)
    assert progress.fractions[-1] == 1.0


def test_rows_longer_than_the_budget_are_cut() -> None:
    array = scene(2, 3000, 400)
    scores = run(GRX, array, RunContext(budget_bytes=1))
    np.testing.assert_allclose(scores, naive_grx(array), rtol=1e-6)


def test_affine_scaling_of_the_bands_changes_nothing() -> None:
    array = scene(30, 40, 10)
    gain = np.array([1e-4, 1.0, 1e6, 3.0, 0.5, 20.0, 7e3, 2e-3, 1.0, 9.0])
    scaled = array.astype(np.float64) * gain + np.linspace(-2.0, 3.0, 10) * gain * 100.0
    # The scaled values are rounded to float32 again, hence 1e-3 of the smallest deviations.
    np.testing.assert_allclose(run(GRX, scaled), run(GRX, array), rtol=2e-4)


def test_order_of_pixels_and_bands_changes_nothing() -> None:
    array = scene(17, 29, 8, holes=0.1)
    scores = run(GRX, array)
    np.testing.assert_allclose(run(GRX, array[::-1])[::-1], scores, rtol=1e-6)
    np.testing.assert_allclose(run(GRX, array[:, ::-1])[:, ::-1], scores, rtol=1e-6)
    np.testing.assert_allclose(run(GRX, array.transpose(1, 0, 2)).T, scores, rtol=1e-6)
    np.testing.assert_allclose(run(GRX, array[:, :, ::-1]), scores, rtol=1e-6)


def test_a_duplicated_band_adds_nothing_and_is_told() -> None:
    array = scene(30, 20, 9)
    context = RunContext()
    doubled = np.concatenate([array, array[:, :, 3:5]], axis=2)
    np.testing.assert_allclose(run(GRX, doubled, context), run(GRX, array), rtol=1e-6)
    assert len(context.warnings) == 1
    assert "11 bands and 600 pixels has only rank 9" in context.warnings[0]


def test_a_constant_band_adds_nothing_and_is_told() -> None:
    array = scene(30, 20, 9)
    context = RunContext()
    constant = np.insert(array, 4, 8765.4, axis=2)
    np.testing.assert_allclose(run(GRX, constant, context), run(GRX, array), rtol=1e-6)
    assert "rank 9" in context.warnings[0]


def test_float32_combinations_of_bands_count_as_dependent() -> None:
    array = scene(50, 60, 15, seed=5)
    context = RunContext()
    mixed = np.concatenate([array, (0.3 * array[:, :, :1] + 0.7 * array[:, :, 7:8])], axis=2)
    np.testing.assert_allclose(run(GRX, mixed, context), run(GRX, array), rtol=1e-5)
    assert "rank 15" in context.warnings[0]


def test_fewer_pixels_than_bands() -> None:
    array = scene(3, 4, 30)
    context = RunContext()
    # In its own range each of N independent pixels lies equally far: (N - 1)^2 / N.
    np.testing.assert_allclose(run(GRX, array, context), np.full((3, 4), 11.0**2 / 12.0), rtol=1e-6)
    assert "12 pixels has only rank 11" in context.warnings[0]
    assert "12 pixels are fewer than 5 per band (30 bands)" in context.warnings[1]


def test_few_pixels_per_band_are_told() -> None:
    context = RunContext()
    run(GRX, scene(7, 7, 10), context)
    assert len(context.warnings) == 1
    assert "49 pixels are fewer than 5 per band (10 bands)" in context.warnings[0]


@pytest.mark.parametrize("shape", [(1, 1, 5), (3, 4, 5)])
def test_one_valid_pixel_and_a_constant_image_score_zero(shape: tuple[int, int, int]) -> None:
    array = np.full(shape, 7.25, dtype=np.float32)
    assert (run(GRX, array) == 0.0).all()
    array[1:] = np.nan
    array[0, 1:] = np.nan
    scores = run(GRX, array)
    assert scores[0, 0] == 0.0
    assert np.isnan(scores).sum() == array[:, :, 0].size - 1


def test_no_valid_pixel_is_refused() -> None:
    array = np.full((3, 4, 2), np.nan, dtype=np.float32)
    with pytest.raises(InputError, match="No pixel is valid"):
        run(GRX, array)


def test_a_cancelled_run_stops() -> None:
    array = scene(45, 1100, 120)
    sink = ArraySink(45, 1100)
    progress = RecordingProgress(cancel_after=2)
    with pytest.raises(Cancelled):
        GRX.score(cube_of(array), moments_of(array), sink, RunContext(budget_bytes=1, progress=progress))
    assert len(progress.fractions) == 2
    assert not sink.written.all()
