"""Every detector against its definition, in plain float64, on scenes that break what was not thought through."""

from __future__ import annotations

from typing import Callable

import numpy as np
import pytest

from ferd_engine.detectors import DETECTORS, make_detector

from .arrays import run, scene
from .test_aed import naive_aed
from .test_crd import naive_crd
from .test_fusion import naive_logs
from .test_lrx import naive_lrx, ring_pixels, whitened
from .test_qlrx import naive_qlrx
from .test_slrx import naive_slrx

# Wider than every scene where the name says so.
WINDOWS = {"inner": 3, "outer": 7}
WIDE = {"inner": 3, "outer": 101}
COMPONENTS = "raw:grx:empirical,raw:lrx:ledoit-wolf"


def precision_of(background: np.ndarray) -> np.ndarray:
    """Return the inverse covariance of pixels (n, B): the pseudo-inverse of their correlation where there is none."""
    covariance = np.cov(background.T)
    deviation = np.sqrt(np.diag(covariance)) * (np.ptp(background, axis=0) > 0.0)
    scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0.0)
    return scale[:, None] * np.linalg.pinv(scale[:, None] * covariance * scale, rcond=1e-11, hermitian=True) * scale


def of_the_image(array: np.ndarray, score: Callable[[np.ndarray, np.ndarray, np.ndarray], float]) -> np.ndarray:
    """Return score(pixel, mean, precision) of each valid pixel, mean and precision those of the whole image."""
    valid = ~np.isnan(array[:, :, 0])
    background = array[valid].astype(np.float64)
    mean, precision = background.mean(axis=0), precision_of(background)
    scores = np.full(valid.shape, np.nan)
    for row, col in zip(*np.nonzero(valid)):
        scores[row, col] = score(array[row, col].astype(np.float64), mean, precision)
    return scores


def naive_local_mean(array: np.ndarray, side: int) -> np.ndarray:
    precision = precision_of(array[~np.isnan(array[:, :, 0])].astype(np.float64))
    scores = np.full(array.shape[:2], np.nan)
    for row, col in zip(*np.nonzero(~np.isnan(array[:, :, 0]))):
        centred = array[row, col] - ring_pixels(array, row, col, 0, side).mean(axis=0)
        scores[row, col] = centred @ precision @ centred
    return scores


def naive_grx(array: np.ndarray) -> np.ndarray:
    return of_the_image(array, lambda x, mean, precision: (x - mean) @ precision @ (x - mean))


def naive_fusion(array: np.ndarray, windows: dict[str, int]) -> np.ndarray:
    local = naive_lrx(array, windows["inner"], windows["outer"], "ledoit-wolf")
    return naive_logs(naive_grx(array).astype(np.float32)) + naive_logs(local.astype(np.float32))


# Of each detector: its options and its definition, with windows within the scene and wider than it.
CASES: dict[str, Callable[[np.ndarray, dict[str, int]], tuple[dict[str, object], np.ndarray]]] = {
    "grx": lambda array, windows: ({}, naive_grx(array)),
    "grx local": lambda array, windows: (
        {"mean": "local", "outer": windows["outer"]},
        naive_local_mean(array, windows["outer"]),
    ),
    "slrx": lambda array, windows: (
        {"block": 1 + windows["inner"] if windows == WINDOWS else windows["outer"]},
        naive_slrx(array, 1 + windows["inner"] if windows == WINDOWS else windows["outer"]),
    ),
    "lrx empirical": lambda array, windows: (
        {**windows, "covariance": "empirical"},
        naive_lrx(whitened(array), **windows, kind="empirical"),
    ),
    "lrx": lambda array, windows: (dict(windows), naive_lrx(array, **windows, kind="ledoit-wolf")),
    "qlrx": lambda array, windows: (dict(windows), naive_qlrx(array, **windows)),
    "utd": lambda array, windows: (
        {},
        of_the_image(array, lambda x, mean, inverse: (1.0 - mean) @ inverse @ (x - mean)),
    ),
    "rxd-utd": lambda array, windows: (
        {},
        of_the_image(array, lambda x, mean, inverse: (x - 1.0) @ inverse @ (x - mean)),
    ),
    "crd": lambda array, windows: (dict(windows), naive_crd(array, **windows)),
    "aed": lambda array, windows: (
        {"inner": windows["inner"] if windows == WINDOWS else windows["outer"]},
        naive_aed(array, windows["inner"] if windows == WINDOWS else windows["outer"]),
    ),
    "fusion": lambda array, windows: (
        {"components": COMPONENTS, **windows},
        naive_fusion(array, windows),
    ),
}


def test_all_detectors_are_here() -> None:
    assert {name.split()[0] for name in CASES} == set(DETECTORS)


def assert_as_defined(name: str, array: np.ndarray, windows: dict[str, int]) -> None:
    options, expected = CASES[name](array, windows)
    scores = run(make_detector(name.split()[0], **options), array)
    # Scores near 0 are small differences of large numbers in all but the quadratic ones.
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-6 * np.nanstd(expected))


@pytest.mark.parametrize("name", CASES)
def test_ragged_with_holes(name: str) -> None:
    assert_as_defined(name, scene(13, 19, 8, holes=0.15), WINDOWS)


@pytest.mark.parametrize("name", CASES)
def test_a_window_larger_than_the_image(name: str) -> None:
    assert_as_defined(name, scene(6, 9, 5), WIDE)


@pytest.mark.parametrize("name", CASES)
def test_a_constant_band_with_holes(name: str) -> None:
    array = scene(13, 19, 8, holes=0.1)
    array[:, :, 3] = np.where(np.isnan(array[:, :, 0]), np.nan, 431.5)
    assert_as_defined(name, array, WINDOWS)


@pytest.mark.parametrize("name", CASES)
def test_a_duplicated_band(name: str) -> None:
    array = scene(13, 19, 8)
    array[:, :, 5] = array[:, :, 2]
    assert_as_defined(name, array, WINDOWS)


@pytest.mark.parametrize("name", [name for name in CASES if name != "lrx empirical"])
def test_fewer_pixels_than_bands(name: str) -> None:
    assert_as_defined(name, scene(5, 7, 50), WINDOWS)
