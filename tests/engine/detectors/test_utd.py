"""UTD and RXD-UTD against the definition."""

from __future__ import annotations

import numpy as np
import pytest

from ferd_engine.context import RunContext
from ferd_engine.detectors import make_detector
from ferd_engine.errors import InputError, UsageError

from .arrays import RecordingProgress, naive_grx, run, scene
from .test_lrx import naive_covariance


def naive(array: np.ndarray, kind: str = "empirical") -> tuple[np.ndarray, np.ndarray]:
    """Return the scores of UTD and of RXD-UTD straight from their formulae, in float64."""
    pixels = array.reshape(-1, array.shape[2]).astype(np.float64)
    background = pixels[~np.isnan(pixels[:, 0])]
    mean, precision = background.mean(axis=0), np.linalg.inv(naive_covariance(kind, background))
    utd = (1.0 - mean) @ precision @ (pixels - mean).T
    hybrid = np.einsum("ni,ij,nj->n", pixels - 1.0, precision, pixels - mean)
    return utd.reshape(array.shape[:2]), hybrid.reshape(array.shape[:2])


def assert_scores(found: np.ndarray, expected: np.ndarray) -> None:
    # Scores are of both signs: those near 0 are small differences.
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.nanstd(expected))


@pytest.mark.parametrize("kind", ["empirical", "ledoit-wolf", "oas"])
@pytest.mark.parametrize(("shape", "holes"), [((17, 24, 8), 0.0), ((13, 31, 20), 0.3), ((30, 1, 1), 0.0)])
def test_scores_are_those_of_the_definition(kind: str, shape: tuple[int, int, int], holes: float) -> None:
    array = scene(*shape, holes=holes)
    for name, expected in zip(("utd", "rxd-utd"), naive(array, kind)):
        assert_scores(run(make_detector(name, covariance=kind), array), expected)


def test_their_sum_is_rx_also_without_full_rank() -> None:
    array = scene(15, 22, 6)
    array = np.concatenate([array, array[:, :, 1:3], np.full((15, 22, 1), 5.0)], axis=2).astype(np.float32)
    context = RunContext()
    utd = run(make_detector("utd"), array, context)
    assert any("pseudo-inverse" in warning for warning in context.warnings)
    # Adding the linear term moves large scores into each other: the sum is as exact as the larger of the two.
    total = utd.astype(np.float64) + run(make_detector("rxd-utd"), array)
    np.testing.assert_allclose(total, naive_grx(array), rtol=1e-5, atol=1e-6 * np.abs(utd).max())
    assert utd.std() > 0.0


def test_memory_budget_changes_nothing() -> None:
    array = scene(300, 400, 60, holes=0.1)
    for name in ("utd", "rxd-utd"):
        progress = RecordingProgress()
        tight = run(make_detector(name), array, RunContext(budget_bytes=1, progress=progress))
        assert_scores(tight, run(make_detector(name), array, RunContext(budget_bytes=4 << 30)))
        assert len(progress.fractions) > 3
        assert progress.fractions == sorted(progress.fractions)


def test_unusable_input_and_options_are_refused() -> None:
    with pytest.raises(UsageError, match="covariance 'none' does not exist"):
        make_detector("utd", covariance="none")
    with pytest.raises(UsageError, match=r"'rxd-utd' has no option 'inner' \(it takes covariance\)"):
        make_detector("rxd-utd", inner=3)
    with pytest.raises(InputError, match="No pixel is valid"):
        run(make_detector("utd"), np.full((5, 4, 3), np.nan))
