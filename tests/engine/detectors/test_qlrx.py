"""QLRX against the definition: borders, holes, thin rings, flat rings, missing directions, and any memory budget."""

from __future__ import annotations

import numpy as np
import pytest

from ferd_engine.context import RunContext
from ferd_engine.detectors import make_detector
from ferd_engine.errors import Cancelled, InputError, UsageError

from .arrays import RecordingProgress, cube_of, moments_of, naive_grx, run, scene
from .test_lrx import ring_pixels


def naive_qlrx(array: np.ndarray, inner: int, outer: int) -> np.ndarray:
    """Return the scores straight from the definition, in float64."""
    pixels = array.reshape(-1, array.shape[2]).astype(np.float64)
    eigenvalues, vectors = np.linalg.eigh(np.cov(pixels[~np.isnan(pixels[:, 0])].T).reshape(array.shape[2], -1))
    kept = eigenvalues > 1e-11 * eigenvalues[-1]
    eigenvalues, vectors = eigenvalues[kept], vectors[:, kept]
    scores = np.full(array.shape[:2], np.nan)
    for row, col in zip(*np.nonzero(~np.isnan(array[:, :, 0]))):
        ring = ring_pixels(array, row, col, inner, outer) @ vectors
        variances = np.maximum(ring.var(axis=0, ddof=1), 1e-6 * eigenvalues)
        scores[row, col] = ((array[row, col] @ vectors - ring.mean(axis=0)) ** 2 / variances).sum()
    return scores


@pytest.mark.parametrize(
    ("shape", "inner", "outer", "holes"),
    [
        ((17, 24, 8), 3, 9, 0.0),
        ((17, 24, 40), 1, 7, 0.2),  # rings of 48 pixels and fewer, more than one group of directions
        ((9, 70, 5), 5, 9, 0.1),
        ((6, 40, 4), 3, 11, 0.0),  # the outer window higher than the image
        ((40, 5, 4), 7, 11, 0.0),  # both windows wider than the image
        ((5, 7, 6), 3, 101, 0.0),  # the whole image without the inner window
        ((20, 1, 1), 3, 9, 0.0),
    ],
)
def test_scores_are_those_of_the_definition(shape: tuple[int, int, int], inner: int, outer: int, holes: float) -> None:
    array = scene(*shape, seed=inner, holes=holes)
    scores = run(make_detector("qlrx", inner=inner, outer=outer), array)
    np.testing.assert_allclose(scores, naive_qlrx(array, inner, outer), rtol=1e-6)


def test_duplicated_and_constant_bands_take_no_part() -> None:
    array = scene(16, 21, 6, holes=0.1)
    flat = np.where(np.isnan(array[:, :, :1]), np.nan, 7.0)
    more = np.concatenate([array, array[:, :, 2:4], flat], axis=2).astype(np.float32)
    scores = run(make_detector("qlrx", inner=3, outer=7), more)
    np.testing.assert_allclose(scores, naive_qlrx(more, 3, 7), rtol=1e-6)


def test_a_gain_and_an_offset_of_all_bands_change_nothing() -> None:
    array = scene(20, 31, 7)
    detector = make_detector("qlrx", inner=3, outer=9)
    np.testing.assert_allclose(run(detector, array * 4.0 + 256.0), run(detector, array), rtol=1e-3)


def test_a_flat_ring_counts_as_a_thousandth_of_the_spread() -> None:
    array = scene(30, 40, 4)
    array[:15, :20] = array[0, 0]
    array[7, 9] += 5.0
    scores = run(make_detector("qlrx", inner=3, outer=9), array)
    assert np.isfinite(scores).all()
    expected = naive_qlrx(array, 3, 9)
    assert scores[7, 9] == pytest.approx(expected[7, 9], rel=1e-4)
    assert scores[7, 9] > 1e3 * np.median(scores)
    assert scores[3, 3] < 1e-6


def test_lonely_pixels_are_compared_with_the_image() -> None:
    array = scene(14, 30, 5)
    array[:, :12] = np.nan
    lonely = array.copy()
    lonely[6, 4] = scene(1, 1, 5, seed=3)[0, 0]
    context = RunContext()
    scores = run(make_detector("qlrx", inner=3, outer=5), lonely, context)
    assert context.warnings == [
        "1 pixels have a ring of fewer than two pixels: they were compared with the whole image."
    ]
    assert scores[6, 4] == pytest.approx(naive_grx(lonely)[6, 4], rel=1e-6)


def test_an_image_without_variance_has_no_anomaly() -> None:
    assert (run(make_detector("qlrx", inner=1, outer=3), np.full((4, 6, 3), 7.25)) == 0.0).all()


def test_memory_budget_changes_nothing() -> None:
    array = scene(90, 300, 60, holes=0.1)
    detector, progress = make_detector("qlrx", inner=3, outer=9), RecordingProgress()
    tight = run(detector, array, RunContext(budget_bytes=1, progress=progress))
    np.testing.assert_allclose(tight, run(detector, array, RunContext(budget_bytes=4 << 30)), rtol=1e-6)
    assert len(progress.fractions) > 3
    assert progress.fractions == sorted(progress.fractions)


def test_windows_are_those_of_lrx_by_default() -> None:
    array = scene(30, 40, 5)
    np.testing.assert_array_equal(
        run(make_detector("qlrx"), array), run(make_detector("qlrx", inner=11, outer=21), array)
    )


def test_unusable_input_and_options_are_refused() -> None:
    with pytest.raises(UsageError, match="give an odd number"):
        make_detector("qlrx", inner=4)
    with pytest.raises(UsageError, match="no option 'covariance'"):
        make_detector("qlrx", covariance="oas")
    with pytest.raises(InputError, match="lies within the inner window of 11"):
        run(make_detector("qlrx"), scene(9, 10, 3))
    with pytest.raises(InputError, match="No pixel is valid"):
        run(make_detector("qlrx"), np.full((20, 20, 3), np.nan))


def test_cancel_stops_the_run() -> None:
    array = scene(30, 40, 5)
    context = RunContext(progress=RecordingProgress(cancel_after=1))
    with pytest.raises(Cancelled):
        make_detector("qlrx").score(cube_of(array), moments_of(array), None, context)
