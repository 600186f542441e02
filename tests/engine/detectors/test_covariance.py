"""GRX with each covariance option, against scikit-learn or the definition in plain float64."""

from __future__ import annotations

from typing import Callable

import numpy as np
import pytest
from scipy.stats import chi2

from ferd_engine.context import RunContext
from ferd_engine.detectors import make_detector
from ferd_engine.detectors.covariance import parse_covariance
from ferd_engine.detectors.shrinkage import ledoit_wolf, oas
from ferd_engine.errors import UsageError

from .arrays import RecordingProgress, run, scene

sklearn_covariance = pytest.importorskip("sklearn.covariance")


def valid_pixels(array: np.ndarray) -> np.ndarray:
    pixels = array.reshape(-1, array.shape[2]).astype(np.float64)
    return pixels[~np.isnan(pixels[:, 0])]


def squared_distances(array: np.ndarray, mean: np.ndarray, precision: np.ndarray) -> np.ndarray:
    centred = array.astype(np.float64) - mean
    return np.einsum("rci,ij,rcj->rc", centred, precision, centred)


@pytest.mark.parametrize("name", ["ledoit-wolf", "oas"])
@pytest.mark.parametrize(
    ("shape", "holes"), [((23, 31, 12), 0.0), ((23, 31, 12), 0.3), ((5, 7, 60), 0.1), ((1, 300, 4), 0.0)]
)
def test_shrunk_covariances_are_those_of_scikit_learn(name: str, shape: tuple[int, int, int], holes: float) -> None:
    array = scene(*shape, holes=holes)
    peer: Callable[[np.ndarray], tuple[np.ndarray, float]] = getattr(sklearn_covariance, name.replace("-", "_"))
    pixels = valid_pixels(array)
    covariance, shrinkage = peer(pixels)
    assert 0.0 < shrinkage < 1.0
    expected = squared_distances(array, pixels.mean(axis=0), np.linalg.inv(covariance))
    np.testing.assert_allclose(run(make_detector("grx", covariance=name), array), expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["ledoit-wolf", "oas"])
def test_constant_and_duplicated_bands_need_no_pseudo_inverse(name: str) -> None:
    array = scene(20, 31, 9)
    array[:, :, 1] = 431.5
    array[:, :, 2] = array[:, :, 0]
    context = RunContext()
    covariance = getattr(sklearn_covariance, name.replace("-", "_"))(valid_pixels(array))[0]
    expected = squared_distances(array, valid_pixels(array).mean(axis=0), np.linalg.inv(covariance))
    np.testing.assert_allclose(run(make_detector("grx", covariance=name), array, context), expected, rtol=1e-6)
    assert context.warnings == []


def test_shrinkage_at_its_ends() -> None:
    # Two equal squares of eigenvalues leave nothing to shrink; no spread at all shrinks fully under OAS.
    assert ledoit_wolf(10, 3, 3.0, 3.0, 9.0) == 0.0
    assert oas(10, 3, 3.0, 3.0) == 1.0
    assert oas(10, 1, 5.0, 25.0) == 0.0
    assert ledoit_wolf(2, 3, 1.0, 1.0, 1000.0) == 1.0


@pytest.mark.parametrize("n_components", [1, 5, 12])
def test_pca_is_the_distance_within_the_leading_components(n_components: int) -> None:
    array = scene(19, 26, 12, holes=0.1)
    pixels = valid_pixels(array)
    eigenvalues, vectors = np.linalg.eigh(np.cov(pixels.T))
    leading = vectors[:, ::-1][:, :n_components]
    precision = leading / eigenvalues[::-1][:n_components] @ leading.T
    scores = run(make_detector("grx", covariance=f"pca:{n_components}"), array)
    np.testing.assert_allclose(scores, squared_distances(array, pixels.mean(axis=0), precision), rtol=1e-6)


def test_more_components_than_the_rank_are_told() -> None:
    array = scene(20, 30, 6)
    context = RunContext()
    doubled = np.concatenate([array, array[:, :, :2]], axis=2)
    scores = run(make_detector("grx", covariance="pca:8"), doubled, context)
    assert scores.mean() == pytest.approx(6 * 599 / 600, rel=1e-6)
    assert "only rank 6: so many components were used, not 8" in context.warnings[0]


@pytest.mark.parametrize("percent", [0.5, 10.0, 50.0])
def test_trimming_leaves_the_farthest_pixels_out(percent: float) -> None:
    array = scene(33, 41, 7, holes=0.1)
    array[3, 4:9] += 500.0
    pixels = valid_pixels(array)
    first = np.linalg.inv(np.cov(pixels.T))
    distances = np.einsum("ij,jk,ik->i", pixels - pixels.mean(axis=0), first, pixels - pixels.mean(axis=0))
    kept = 1.0 - percent / 100.0
    near = pixels[np.argsort(distances)[: int(np.ceil(kept * len(pixels)))]]
    factor = kept / chi2.cdf(chi2.ppf(kept, 7), 9)
    expected = squared_distances(array, near.mean(axis=0), np.linalg.inv(np.cov(near.T) * factor))
    np.testing.assert_allclose(run(make_detector("grx", covariance=f"trimmed:{percent}"), array), expected, rtol=1e-6)


@pytest.mark.parametrize("name", ["ledoit-wolf", "oas", "pca:30", "trimmed:5"])
def test_memory_budget_changes_nothing(name: str) -> None:
    array = scene(45, 1100, 90, holes=0.1)
    detector = make_detector("grx", covariance=name)
    progress = RecordingProgress()
    scores = run(detector, array, RunContext(budget_bytes=1, progress=progress))
    np.testing.assert_allclose(scores, run(detector, array, RunContext(budget_bytes=4 << 30)), rtol=1e-6)
    assert progress.fractions == sorted(progress.fractions)
    assert progress.fractions[-1] == 1.0


@pytest.mark.parametrize("name", ["ledoit-wolf", "oas", "pca:2", "trimmed:10"])
def test_a_constant_image_scores_zero(name: str) -> None:
    array = np.full((3, 4, 5), 7.25, dtype=np.float32)
    assert (run(make_detector("grx", covariance=name), array) == 0.0).all()


@pytest.mark.parametrize(
    "text", ["", "ledoit", "pca", "pca:0", "pca:2.5", "pca:-3", "pca:x", "trimmed:0", "trimmed:51", "oas:3", "pca:nan"]
)
def test_unusable_covariances_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="give empirical, ledoit-wolf, oas, pca:K or trimmed:P"):
        make_detector("grx", covariance=text)


def test_parts_of_the_option() -> None:
    assert parse_covariance("trimmed:2.5") == ("trimmed", 2.5)
    assert parse_covariance("oas") == ("oas", 0.0)
