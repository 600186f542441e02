"""What a run tells about itself."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from ferd_engine import detect_raster, enhance_raster
from ferd_engine.fen.bundle import Model
from ferd_engine.report import RunReport, format_band_list, peak_memory_bytes

from .rasters import cube, write_envi


def report(folder: Path, model: Model) -> RunReport:
    array = cube(11, 9, 8)
    array[2, 3] = np.nan
    array[:, :, 6] = 4.0
    scene = write_envi(folder / "scene.bsq", array, bbl="{0,1,1,1,1,1,1,1}")
    return detect_raster(scene, folder / "out.tif", model=model.folder, backend="numpy")


def test_facts_of_a_run(tmp_path: Path, small_model: Model) -> None:
    found = report(tmp_path, small_model)
    assert (found.rows, found.cols, found.bands, found.valid_pixels) == (11, 9, 6, 98)
    assert (found.bands_used, found.bad_bands, found.dead_bands) == ("2-6,8", "1", "7")
    assert (found.model, found.model_trained, found.detector) == ("small-6", True, "grx")
    assert found.backend is not None
    assert "numpy" in found.backend.lower()
    used = cube(11, 9, 8)[:, :, [1, 2, 3, 4, 5, 7]]
    used[2, 3] = np.nan
    assert found.scaling == (float(np.nanmin(used)), float(np.nanmax(used)))
    assert json.loads(found.to_json()) == json.loads(json.dumps(asdict(found)))


def test_lines_for_people(tmp_path: Path, small_model: Model) -> None:
    found = report(tmp_path, small_model)
    text = "\n".join(found.lines())
    for part in ("11 rows x 9 columns, 98 valid", "6 (2-6,8)", "bad: 1;", "constant: 7", "small-6", "grx", "out.tif"):
        assert part in text
    assert "untrained" not in text
    assert "untrained control" in "\n".join(replace(found, model_trained=False).lines())
    assert "process peak unknown" in "\n".join(replace(found, peak_memory_bytes=None).lines())


def test_runs_without_model_or_detector_say_nothing_of_them(tmp_path: Path, small_model: Model) -> None:
    report(tmp_path, small_model)
    scene = tmp_path / "scene.bsq"
    raw = detect_raster(scene, tmp_path / "raw.tif", enhance=False)
    assert (raw.model, raw.model_trained, raw.scaling, raw.backend) == (None, None, None, None)
    assert "Model" not in "\n".join(raw.lines())
    cube_only = enhance_raster(scene, tmp_path / "cube.tif", model=small_model.folder)
    assert cube_only.detector is None
    assert "Detector" not in "\n".join(cube_only.lines())


def test_band_lists() -> None:
    assert format_band_list([]) == ""
    assert format_band_list([4]) == "4"
    assert format_band_list([5, 4, 3]) == "5,4,3"
    assert format_band_list([1, 2, 4, 5, 6, 9]) == "1-2,4-6,9"


def test_peak_memory_is_the_systems_own_figure() -> None:
    status = Path("/proc/self/status")
    if not status.is_file():
        pytest.skip("this system has no /proc")
    told = int(re.search(r"VmHWM:\s*(\d+) kB", status.read_text())[1]) * 1024  # type: ignore[index]
    found = peak_memory_bytes()
    assert found is not None
    assert abs(found - told) <= 0.02 * told
