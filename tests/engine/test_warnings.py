"""What a user must know of a result stands in the report, in the log and in the output's metadata."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import gdal

from ferd_engine import detect_raster, enhance_raster
from ferd_engine.fen.bundle import Model
from ferd_engine.scaling import ValueRange

from .rasters import cube, write_tiff


def warned(
    folder: Path,
    array: np.ndarray,
    words: str,
    caplog: pytest.LogCaptureFixture,
    door: Any = detect_raster,
    **options: Any,
) -> bool:
    """Say whether a run warns in these words; it must do so in all places or in none."""
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="ferd"):
        report = door(write_tiff(folder / "in.tif", array), folder / "out.tif", overwrite=True, **options)
    places = [
        " ".join(report.warnings),
        " ".join(record.getMessage() for record in caplog.records),
        gdal.Open(str(folder / "out.tif")).GetMetadataItem("FERD_WARNINGS") or "",
    ]
    found = {words in place for place in places}
    assert len(found) == 1, places
    return found.pop()


def test_dependent_bands(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    array = cube(41, 33, 6)
    assert not warned(tmp_path, array, "has only rank", caplog, enhance=False)
    array[:, :, 3] = array[:, :, 1]
    assert warned(tmp_path, array, "has only rank 5", caplog, enhance=False)


def test_dropped_bands(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    array = cube(41, 33, 6)
    assert not warned(tmp_path, array, "left out", caplog, enhance=False)
    array[:, :, 2] = 7.0
    assert warned(tmp_path, array, "1 bands that are wholly nodata or constant were left out", caplog, enhance=False)


def test_few_pixels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert not warned(tmp_path, cube(5, 6, 6), "are fewer than 5 per band", caplog, enhance=False)
    assert warned(tmp_path, cube(29, 1, 6), "29 pixels are fewer than 5 per band", caplog, enhance=False)


@pytest.mark.parametrize("door", [detect_raster, enhance_raster])
def test_a_scaling_that_few_pixels_set(
    door: Any, tmp_path: Path, small_model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    options = {"door": door, "model": small_model.folder, "backend": "numpy"}
    words = "is set by fewer than 0.01 % of the pixels"
    array = cube(211, 101, 6)
    assert not warned(tmp_path, array, words, caplog, **options)
    # Two of 21,311 pixels are fewer than 0.01 %, three are not.
    array[3, 4, 2] = array[100, 7, 5] = 5e3
    assert warned(tmp_path, array, words, caplog, **options)
    assert not warned(tmp_path, array, words, caplog, **options, scaling="percentile")
    array[200, 90, 0] = 5e3
    assert not warned(tmp_path, array, words, caplog, **options)
    array[200, 90, 0] = 100.0
    array[3, 4, 2] = array[100, 7, 5] = -5e3
    assert warned(tmp_path, array, words, caplog, **options)


@pytest.mark.parametrize("n_blocks", [1, 2, 7, 61, 4000])
@pytest.mark.parametrize("step", [0.0, 1.0, 50.0])
def test_the_rare_part_of_a_range_is_the_definitions(n_blocks: int, step: float) -> None:
    pixels = np.random.default_rng(4).standard_t(2, (30_011, 4)).astype(np.float32)
    if step:
        # Many values at the end of the tail are the same then.
        pixels = np.rint(pixels / step) * step
    parts = [ValueRange(len(pixels)) for _ in range(2)]
    for index, block in enumerate(np.array_split(pixels, n_blocks)):
        parts[index % 2].add(block)
    parts[0].merge(parts[1])
    # Three pixels at either end are the most that are fewer than 0.01 %.
    rest = np.sort(pixels.max(axis=1))[-4] - np.sort(pixels.min(axis=1))[3]
    assert parts[0].rare_range() == pytest.approx(1.0 - rest / np.ptp(pixels), rel=1e-6)
