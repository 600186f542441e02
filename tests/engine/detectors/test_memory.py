"""Detectors stay within the memory budget on scenes larger than it."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ferd_engine.context import RunContext
from ferd_engine.detectors import make_detector
from ferd_engine.statistics import Moments
from ferd_engine.windows import Window

BUDGET_BYTES = 64 << 20


class MadeCube:
    """A cube made where it is read, so that only what the detector holds counts."""

    def __init__(self, n_rows: int, n_cols: int, n_bands: int) -> None:
        self.n_rows, self.n_cols, self.n_bands = n_rows, n_cols, n_bands
        self._noise = np.random.default_rng(0).standard_normal(1 << 16).astype(np.float32)

    def read(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        rows = np.arange(window.row_start, window.row_stop)[:, None, None]
        cols = np.arange(window.col_start, window.col_stop)[None, :, None]
        places = ((rows * self.n_cols + cols) * self.n_bands).astype(np.uint32) + np.arange(
            self.n_bands, dtype=np.uint32
        )
        places *= np.uint32(2654435761)
        places >>= np.uint32(16)
        return self._noise[places], np.ones(window.shape, dtype=bool)


class NoSink:
    def write(self, window: Window, scores: np.ndarray) -> None:
        assert np.isfinite(scores).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "shape"),
    [
        ("grx", {}, (1000, 600, 40)),
        ("grx", {"covariance": "ledoit-wolf"}, (1000, 600, 40)),
        ("grx", {"covariance": "trimmed:10"}, (1000, 600, 40)),
        ("grx", {"mean": "local"}, (1000, 600, 40)),
        ("fusion", {"components": "raw:grx:trimmed:5,raw:grx:oas"}, (1000, 600, 40)),
        ("crd", {"inner": 1, "outer": 3}, (60, 200, 1500)),
        ("lrx", {"inner": 1, "outer": 5, "covariance": "pca:10"}, (150, 600, 200)),
        ("lrx", {"inner": 1, "outer": 5, "covariance": "oas"}, (190, 600, 150)),
        ("qlrx", {"inner": 1, "outer": 5}, (150, 600, 200)),
        ("rxd-utd", {}, (1000, 600, 40)),
        ("aed", {}, (1000, 600, 40)),
        ("aed", {"inner": 7, "covariance": "pca:6"}, (200, 300, 300)),
        ("slrx", {"block": 2}, (500, 600, 60)),
        ("slrx", {"block": 40}, (1000, 600, 40)),
        ("slrx", {"block": 300}, (600, 900, 40)),
    ],
)
def test_arrays_stay_within_the_budget(
    tmp_path: Path, name: str, options: dict[str, object], shape: tuple[int, int, int]
) -> None:
    cube = MadeCube(*shape)
    assert np.prod(shape) * 4 > BUDGET_BYTES
    moments = Moments(shape[2])
    for row in range(0, shape[0], 50):
        moments.add(cube.read(Window(row, min(row + 50, shape[0]), 0, shape[1]))[0].reshape(-1, shape[2]))
    context = RunContext(budget_bytes=BUDGET_BYTES, scratch_folder=tmp_path)
    tracemalloc.start()
    try:
        make_detector(name, **options).score(cube, moments, NoSink(), context)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < BUDGET_BYTES
    assert peak > BUDGET_BYTES // 16, "the scene is too small to show anything"
    assert list(tmp_path.iterdir()) == []
