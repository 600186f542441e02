"""Runs by their definition: selection, scaling, FEN on the whole mirrored image, GRX."""

from __future__ import annotations

import numpy as np

from ferd_engine.fen.bundle import Model

from .detectors.arrays import naive_grx
from .fen.reference import enhanced
from .rasters import cube


def with_holes(n_rows: int, n_cols: int, n_bands: int, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    """Return a float scene with NaN: a block, a border strip, single pixels, and pixels that lack one band."""
    array = cube(n_rows, n_cols, n_bands, dtype, seed)
    rng = np.random.default_rng(seed + 1)
    array[n_rows // 3 : n_rows // 2, n_cols // 4 : n_cols // 2] = np.nan
    array[:, -2:] = np.nan
    array[rng.uniform(size=(n_rows, n_cols)) < 0.02] = np.nan
    array[n_rows // 2 + 1, 1, 2] = np.nan
    array[0, 0, 0] = np.inf
    return array


def naive_enhanced(array: np.ndarray, model: Model, percentile: bool = False) -> np.ndarray:
    """Return FEN of the first bands of an array (rows, cols, bands); pixels not finite in all of them are NaN."""
    used = array[:, :, : model.n_bands].astype(np.float64)
    valid = np.isfinite(used).all(axis=2)
    low, high = np.percentile(used[valid], [0.01, 99.99] if percentile else [0, 100])
    used[~valid] = used[valid].mean(axis=0)
    scaled = ((used - low) / (high - low) * 2 - 1) * 0.1
    result = enhanced(scaled.astype(np.float32), model.weights, model.architecture.bottlenecks)
    result[~valid] = np.nan
    return result


def naive_scores(array: np.ndarray, model: Model | None) -> np.ndarray:
    """Return GRX scores, after FEN where there is a model."""
    if model is not None:
        return naive_grx(naive_enhanced(array, model))
    used = array.astype(np.float64)
    used[~np.isfinite(used).all(axis=2)] = np.nan
    return naive_grx(used)


def assert_close(found: np.ndarray, expected: np.ndarray, tolerance: float = 1e-4) -> None:
    """Compare relative to the largest magnitude; NaN must lie in the same places."""
    assert found.shape == expected.shape
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    assert np.nanmax(np.abs(found - expected)) <= tolerance * np.nanmax(np.abs(expected))
