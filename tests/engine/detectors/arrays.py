"""Cubes, sinks and plain references that the detector tests share."""

from __future__ import annotations

import numpy as np

from ferd_engine.context import RunContext
from ferd_engine.cube import MaskedCube, ScratchCube
from ferd_engine.detectors import Detector
from ferd_engine.statistics import Moments
from ferd_engine.windows import Window, whole


class ArraySink:
    """Scores in one array; fails where a pixel is written twice."""

    def __init__(self, n_rows: int, n_cols: int) -> None:
        self.scores = np.full((n_rows, n_cols), -1.0, dtype=np.float32)
        self.written = np.zeros((n_rows, n_cols), dtype=int)

    def write(self, window: Window, scores: np.ndarray) -> None:
        rows, cols = slice(window.row_start, window.row_stop), slice(window.col_start, window.col_stop)
        assert scores.shape == window.shape
        assert scores.dtype == np.float32
        self.scores[rows, cols] = scores
        self.written[rows, cols] += 1


class RecordingProgress:
    """Keeps the fractions it was told; cancels after `cancel_after` reports."""

    def __init__(self, cancel_after: int | None = None) -> None:
        self.fractions: list[float] = []
        self._cancel_after = cancel_after

    def update(self, fraction: float, message: str) -> None:
        self.fractions.append(fraction)

    def cancelled(self) -> bool:
        return self._cancel_after is not None and len(self.fractions) >= self._cancel_after


def cube_of(array: np.ndarray) -> MaskedCube:
    """Return an array (rows, cols, bands), NaN in all bands of an invalid pixel, as a cube."""
    scratch = ScratchCube(*array.shape)
    scratch.write(whole(*array.shape[:2]), array.astype(np.float32))
    return MaskedCube(scratch)


def moments_of(array: np.ndarray) -> Moments:
    """Return the moments of the valid pixels of an array (rows, cols, bands)."""
    moments = Moments(array.shape[2])
    pixels = array.reshape(-1, array.shape[2]).astype(np.float32)
    moments.add(pixels[~np.isnan(pixels[:, 0])])
    return moments


def run(detector: Detector, array: np.ndarray, context: RunContext | None = None) -> np.ndarray:
    """Return the scores (rows, cols) of an array; checks that each pixel was written once."""
    sink = ArraySink(*array.shape[:2])
    detector.score(cube_of(array), moments_of(array), sink, context or RunContext())
    assert (sink.written == 1).all()
    return sink.scores


def scene(n_rows: int, n_cols: int, n_bands: int, seed: int = 0, holes: float = 0.0) -> np.ndarray:
    """Return a correlated float32 scene with a few bright pixels and, on request, a part of invalid pixels."""
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((n_bands, n_bands)) / np.sqrt(n_bands)
    values = rng.standard_normal((n_rows, n_cols, n_bands)) @ mixing * 50.0 + 400.0
    values += 3.0 * np.arange(n_rows)[:, None, None] + rng.uniform(0.0, 80.0, n_bands)
    values[n_rows // 2, n_cols // 3] += 300.0 * rng.uniform(0.2, 1.0, n_bands)
    if holes:
        values[rng.uniform(size=(n_rows, n_cols)) < holes] = np.nan
    return values.astype(np.float32)


def naive_grx(array: np.ndarray) -> np.ndarray:
    """Return GRX scores (rows, cols) straight from the definition, in float64 with `numpy.linalg.pinv`."""
    pixels = array.reshape(-1, array.shape[2]).astype(np.float64)
    valid = ~np.isnan(pixels[:, 0])
    background = pixels[valid]
    mean = background.mean(axis=0)
    covariance = (background - mean).T @ (background - mean) / (len(background) - 1)
    precision = np.linalg.pinv(covariance, rcond=1e-11, hermitian=True)
    scores = np.full(len(pixels), np.nan)
    for index in np.flatnonzero(valid):
        scores[index] = (pixels[index] - mean) @ precision @ (pixels[index] - mean)
    return scores.reshape(array.shape[:2])
