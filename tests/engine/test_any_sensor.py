"""Sensors of 60 to 500 bands, with and without wavelengths: they run, and `ferd info` says what they use and why."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferd_engine.bands import parse_band_list
from ferd_engine.cli import main
from ferd_engine.fen.bundle import Model, save_model

from .rasters import cube, envi_list, read_scores, write_envi

N_ROWS, N_COLS = 13, 17


def _write(path: Path, n_bands: int, wavelengths: np.ndarray | None) -> Path:
    header: dict[str, Any] = {}
    if wavelengths is not None:
        header = {"wavelength": envi_list(wavelengths), "wavelength_units": "Nanometers"}
    return write_envi(path, cube(N_ROWS, N_COLS, n_bands, "int16"), "bil", **header)


def _json(capfd: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capfd.readouterr()
    assert main([*arguments, "--json"]) == 0
    facts: dict[str, Any] = json.loads(capfd.readouterr().out)
    return facts


@pytest.mark.parametrize("with_wavelengths", [False, True])
@pytest.mark.parametrize(
    ("n_bands", "model"),
    [
        (60, "fen-50"),
        (99, "fen-50"),
        (100, "fen-100"),
        (144, "fen-100"),
        (200, "fen-200"),
        (285, "fen-200"),
        (425, "fen-200"),
        (500, "fen-200"),
    ],
)
def test_sensors(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], n_bands: int, model: str, with_wavelengths: bool
) -> None:
    wavelengths = np.linspace(400.0, 2500.0, n_bands).round(2) if with_wavelengths else None
    scene = str(_write(tmp_path / "scene.bil", n_bands, wavelengths))
    info = _json(capfd, "info", scene)
    n_taken = int(model.rpartition("-")[2])
    assert (info["bands"], info["model"], info["band_selection"]) == (n_bands, model, "spread")
    # Evenly over the whole range, first and last band included.
    taken = parse_band_list(info["bands_used"], n_bands)
    assert len(taken) == n_taken
    assert (taken[0], taken[-1]) == (1, n_bands)
    assert info["wavelength_range_nm"] == ([400.0, 2500.0] if with_wavelengths else None)
    for part in (f"{n_bands} of {n_bands} bands are usable", model, f"takes {n_taken}", "'spread'"):
        assert part in info["why"]
    report = _json(capfd, "detect", scene, str(tmp_path / "scores.tif"), "--backend", "numpy")
    assert {key: report[key] for key in ("model", "bands_used", "band_selection")} == {
        key: info[key] for key in ("model", "bands_used", "band_selection")
    }
    scores = read_scores(tmp_path / "scores.tif")
    assert scores.shape == (N_ROWS, N_COLS, 1)
    assert np.isfinite(scores).all()
    assert scores.std() > 0


@pytest.mark.parametrize("known", [True, False])
def test_a_model_with_wavelengths_takes_the_nearest_bands_where_they_are_known(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], small_model: Model, known: bool
) -> None:
    centres = (450.0, 550.0, 650.0, 860.0, 1650.0, 2200.0)
    model = replace(small_model, name="known-6", wavelengths=centres, band_selection="wavelength")
    folder = str(save_model(model, tmp_path / "known-6").folder)
    wavelengths = np.linspace(400.0, 2500.0, 250).round(2)
    scene = str(_write(tmp_path / "scene.bil", 250, wavelengths if known else None))
    info = _json(capfd, "info", scene, "--model", folder)
    assert info["band_selection"] == ("wavelength" if known else "spread")
    assert f"{info['band_selection']!r}" in info["why"]
    if known:
        taken = np.array(parse_band_list(info["bands_used"], 250))
        np.testing.assert_array_equal(taken, [np.abs(wavelengths - centre).argmin() + 1 for centre in centres])
    report = _json(capfd, "detect", scene, str(tmp_path / "scores.tif"), "--model", folder, "--backend", "numpy")
    assert report["bands_used"] == info["bands_used"]


def test_a_sensor_without_enough_bands_is_described_and_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scene = str(_write(tmp_path / "scene.bil", 49, None))
    info = _json(capfd, "info", scene)
    assert info["model"] is None
    assert "needs 50" in info["why"]
    assert main(["detect", scene, str(tmp_path / "scores.tif")]) == 2
    assert "needs 50" in capfd.readouterr().err
    assert not (tmp_path / "scores.tif").exists()
