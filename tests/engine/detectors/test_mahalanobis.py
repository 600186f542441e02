"""Squared Mahalanobis distances on badly conditioned covariances, against long-double arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ferd_engine.detectors.mahalanobis import Mahalanobis


def spectra(n_pixels: int, n_bands: int, condition: float, seed: int = 0) -> np.ndarray:
    """Return pixels whose covariance has about the condition number given, its eigenvalues spread evenly in log."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((n_bands, n_bands)))[0]
    deviation = np.logspace(0.0, -0.5 * np.log10(condition), n_bands)
    return rng.standard_normal((n_pixels, n_bands)) * deviation @ rotation.T + 3.0


def longdouble_distances(pixels: np.ndarray, covariance: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Return squared distances by a textbook Cholesky factorisation and forward substitution in long double."""
    lower = np.zeros_like(covariance, dtype=np.longdouble)
    centred = pixels.astype(np.longdouble) - mean
    solved = np.zeros_like(centred)
    for i in range(len(covariance)):
        row = covariance[i, : i + 1].astype(np.longdouble)
        for j in range(i):
            lower[i, j] = (row[j] - lower[i, :j] @ lower[j, :j]) / lower[j, j]
        lower[i, i] = np.sqrt(row[i] - lower[i, :i] @ lower[i, :i])
        solved[:, i] = (centred[:, i] - solved[:, :i] @ lower[i, :i]) / lower[i, i]
    return (solved**2).sum(axis=1).astype(float)


@pytest.mark.parametrize(("condition", "tolerance"), [(1e2, 1e-12), (1e6, 1e-10), (1e8, 1e-8), (1e10, 1e-6)])
def test_error_stays_below_the_condition_number(condition: float, tolerance: float) -> None:
    pixels = spectra(500, 40, condition)
    mean = pixels.mean(axis=0)
    covariance = np.cov(pixels.T)
    background = Mahalanobis(mean, covariance)
    assert background.rank == 40
    reference = longdouble_distances(pixels[:50], covariance, mean)
    np.testing.assert_allclose(background.distances(pixels[:50]), reference, rtol=tolerance)


def test_the_verdict_on_the_rank_does_not_depend_on_units() -> None:
    pixels = spectra(500, 30, 1e8)
    units = np.logspace(-9, 9, 30)
    plain = Mahalanobis(pixels.mean(axis=0), np.cov(pixels.T))
    scaled = Mahalanobis((pixels * units).mean(axis=0), np.cov((pixels * units).T))
    assert plain.rank == scaled.rank == 30
    np.testing.assert_allclose(scaled.distances(pixels * units), plain.distances(pixels), rtol=1e-6)


def test_a_dependent_covariance_gives_the_pseudo_inverse() -> None:
    pixels = spectra(300, 12, 1e3) @ np.random.default_rng(1).standard_normal((12, 20))
    mean, covariance = pixels.mean(axis=0), np.cov(pixels.T)
    background = Mahalanobis(mean, covariance)
    assert background.rank == 12
    precision = np.linalg.pinv(covariance, rcond=1e-11, hermitian=True)
    reference = np.einsum("ij,jk,ik->i", pixels - mean, precision, pixels - mean)
    np.testing.assert_allclose(background.distances(pixels), reference, rtol=1e-6)


def test_float32_pixels_give_the_distance_of_their_values() -> None:
    pixels = spectra(300, 12, 1e3).astype(np.float32)
    background = Mahalanobis(np.zeros(12), np.eye(12))
    reference = (pixels.astype(float) ** 2).sum(axis=1)
    np.testing.assert_allclose(background.distances(pixels), reference, rtol=1e-14)
    assert len(background.distances(pixels[:0])) == 0


@pytest.mark.parametrize("kind", ["full", "dependent", "components"])
def test_a_saved_distance_is_the_same_to_the_last_bit(tmp_path: Path, kind: str) -> None:
    pixels = spectra(500, 9, 1e4)
    if kind == "dependent":
        pixels[:, 3] = pixels[:, 4] + pixels[:, 5]
    covariance = np.cov(pixels.T)
    mean = pixels.mean(axis=0)
    before = Mahalanobis.of_components(mean, covariance, 4) if kind == "components" else Mahalanobis(mean, covariance)
    before.save(tmp_path / "distance.npz")
    after = Mahalanobis.load(tmp_path / "distance.npz")
    assert after.rank == before.rank == {"full": 9, "dependent": 8, "components": 4}[kind]
    np.testing.assert_array_equal(after.distances(pixels), before.distances(pixels))
    np.testing.assert_array_equal(after.weights(np.ones(9)), before.weights(np.ones(9)))
