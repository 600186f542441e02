"""CRD against the definition: borders, holes, equal pixels, and any memory budget."""

from __future__ import annotations

import numpy as np
import pytest

from ferd_engine.context import RunContext
from ferd_engine.detectors import make_detector
from ferd_engine.detectors.rings import DualWindow
from ferd_engine.detectors.shared_grams import group_side
from ferd_engine.errors import Cancelled, InputError, UsageError

from .arrays import ArraySink, RecordingProgress, cube_of, moments_of, run, scene
from .test_lrx import ring_pixels


def naive_crd(array: np.ndarray, inner: int, outer: int) -> np.ndarray:
    """Return the scores by the augmented matrices of the paper, in float64."""
    valid = ~np.isnan(array[:, :, 0])
    values = array.astype(np.float64)
    values = (values - values[valid].min()) / (values[valid].max() - values[valid].min())
    scores = np.full(array.shape[:2], np.nan)
    for row, col in zip(*np.nonzero(valid)):
        pixel, ring = values[row, col], ring_pixels(values, row, col, inner, outer)
        if len(ring) == 0:
            ring = values[valid].mean(axis=0)[None]
        augmented = np.vstack([ring.T, np.ones(len(ring))])
        distances = np.linalg.norm(ring - pixel, axis=1)
        gram = augmented.T @ augmented
        matrix = gram + 1e-6 * np.diag(distances**2) + 1e-14 * np.trace(gram) * np.eye(len(ring))
        weights = np.linalg.solve(matrix, augmented.T @ np.append(pixel, 1.0))
        scores[row, col] = np.linalg.norm(pixel - ring.T @ weights)
    return scores


@pytest.mark.parametrize(
    ("shape", "inner", "outer", "holes"),
    [
        ((17, 24, 30), 3, 7, 0.0),
        ((17, 24, 30), 1, 5, 0.3),
        ((5, 40, 60), 3, 9, 0.1),
        ((19, 8, 100), 5, 11, 0.0),
    ],
)
def test_scores_are_those_of_the_definition(shape: tuple[int, int, int], inner: int, outer: int, holes: float) -> None:
    array = scene(*shape, holes=holes)
    scores = run(make_detector("crd", inner=inner, outer=outer), array)
    expected = naive_crd(array, inner, outer)
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-6 * np.nanmax(expected))


def test_a_pixel_without_a_ring_is_compared_with_the_mean() -> None:
    array = scene(20, 21, 25)
    array[:9, :9] = np.nan
    array[3, 3] = scene(1, 1, 25, seed=3)[0, 0]
    scores = run(make_detector("crd", inner=3, outer=5), array)
    np.testing.assert_allclose(scores[3, 3], naive_crd(array, 3, 5)[3, 3], rtol=1e-6)


def test_an_object_stands_out_and_equal_pixels_are_represented() -> None:
    array = scene(30, 33, 20)
    scores = run(make_detector("crd"), array)
    assert np.unravel_index(scores.argmax(), scores.shape) == (15, 11)
    tiled = np.tile(array[:1, :1], (20, 21, 1))
    tiled[0, 0] += 1.0
    assert run(make_detector("crd", inner=3), tiled)[10:, 10:].max() < 1e-6


def test_a_constant_image_scores_zero() -> None:
    array = np.full((16, 17, 3), 7.25, dtype=np.float32)
    assert (run(make_detector("crd", inner=3), array) < 1e-6).all()


def test_memory_budget_changes_nothing() -> None:
    array = scene(60, 60, 150, holes=0.05)
    detector = make_detector("crd", inner=3)
    progress = RecordingProgress()
    tight = run(detector, array, RunContext(budget_bytes=1, progress=progress))
    np.testing.assert_allclose(tight, run(detector, array, RunContext(budget_bytes=4 << 30)), rtol=1e-6)
    assert progress.fractions == sorted(progress.fractions)
    assert progress.fractions[-1] == 1.0


@pytest.mark.parametrize("most_pixels", [1, 121, 400])
def test_how_many_rings_share_products_changes_nothing(most_pixels: int, monkeypatch: pytest.MonkeyPatch) -> None:
    array = scene(23, 31, 50, holes=0.05)
    detector = make_detector("crd", inner=3, outer=7)
    scores = run(detector, array)
    monkeypatch.setattr("ferd_engine.detectors.shared_grams._MOST_PIXELS", most_pixels)
    assert (group_side(DualWindow(3, 7), 40) == 1) == (most_pixels == 1)
    np.testing.assert_allclose(run(detector, array), scores, rtol=1e-6)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    np.testing.assert_allclose(run(detector, array), scores, rtol=1e-6)


def test_an_image_within_the_inner_window_is_compared_with_its_mean() -> None:
    array = scene(5, 7, 9)
    expected = naive_crd(array, 11, 15)
    np.testing.assert_allclose(run(make_detector("crd"), array), expected, rtol=1e-6)


def test_windows_that_are_not_given() -> None:
    array = scene(20, 24, 12)
    np.testing.assert_array_equal(
        run(make_detector("crd"), array), run(make_detector("crd", inner=11, outer=15), array)
    )


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(UsageError, match="outer window is 20 pixels wide"):
        make_detector("crd", outer=20)
    with pytest.raises(UsageError, match="leaves nothing of the outer one of 9"):
        make_detector("crd", outer=9)
    with pytest.raises(UsageError, match="'crd' has no option 'covariance'"):
        make_detector("crd", covariance="oas")
    with pytest.raises(InputError, match="No pixel is valid"):
        run(make_detector("crd"), np.full((3, 4, 2), np.nan))


def test_a_cancelled_run_stops() -> None:
    array = scene(40, 60, 10)
    sink = ArraySink(40, 60)
    context = RunContext(progress=RecordingProgress(cancel_after=3))
    with pytest.raises(Cancelled):
        make_detector("crd").score(cube_of(array), moments_of(array), sink, context)
    assert not sink.written.all()
