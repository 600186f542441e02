"""GRX with the mean of a window, against the definition."""

from __future__ import annotations

import numpy as np
import pytest

from ferd_engine.context import RunContext
from ferd_engine.detectors import make_detector
from ferd_engine.errors import UsageError

from .arrays import RecordingProgress, run, scene
from .test_lrx import ring_pixels


def naive_local_mean(array: np.ndarray, side: int) -> np.ndarray:
    pixels = array.reshape(-1, array.shape[2]).astype(np.float64)
    precision = np.linalg.inv(np.cov(pixels[~np.isnan(pixels[:, 0])].T).reshape(array.shape[2], -1))
    scores = np.full(array.shape[:2], np.nan)
    for row, col in zip(*np.nonzero(~np.isnan(array[:, :, 0]))):
        # A ring without a hole is the whole window.
        centred = array[row, col] - ring_pixels(array, row, col, 0, side).mean(axis=0)
        scores[row, col] = centred @ precision @ centred
    return scores


@pytest.mark.parametrize("holes", [0.0, 0.4])
@pytest.mark.parametrize(("shape", "side"), [((17, 24, 6), 5), ((4, 60, 3), 7), ((9, 8, 5), 101), ((30, 1, 1), 3)])
def test_scores_are_those_of_the_definition(shape: tuple[int, int, int], side: int, holes: float) -> None:
    array = scene(*shape, holes=holes)
    scores = run(make_detector("grx", mean="local", outer=side), array)
    expected = naive_local_mean(array, side)
    # A pixel that lies near its window's mean has a score that is a small difference.
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-9 * np.nanmax(expected))


def test_memory_budget_changes_nothing() -> None:
    array = scene(90, 400, 60, holes=0.1)
    detector = make_detector("grx", mean="local", covariance="oas")
    progress = RecordingProgress()
    tight = run(detector, array, RunContext(budget_bytes=1, progress=progress))
    np.testing.assert_allclose(tight, run(detector, array, RunContext(budget_bytes=4 << 30)), rtol=1e-6)
    assert len(progress.fractions) > 3
    assert progress.fractions == sorted(progress.fractions)


def test_the_window_is_15_pixels_wide() -> None:
    array = scene(30, 40, 5)
    np.testing.assert_array_equal(
        run(make_detector("grx", mean="local"), array), run(make_detector("grx", mean="local", outer=15), array)
    )


@pytest.mark.parametrize("array", [np.full((3, 4, 5), 7.25), scene(20, 30, 4, holes=0.2)])
def test_without_drift_or_variance(array: np.ndarray) -> None:
    scores = run(make_detector("grx", mean="local", outer=999), array)
    # A window larger than the image is the image.
    np.testing.assert_allclose(scores, run(make_detector("grx"), array), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean": "median"}, "choose one of global, local"),
        ({"outer": 9}, "that of its local mean"),
        ({"mean": "local", "outer": 8}, "give an odd number"),
    ],
)
def test_unusable_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_detector("grx", **options)
