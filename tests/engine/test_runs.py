"""The doors: options in, state of the process put back, memory as a failed run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import gdal

import ferd_engine
import ferd_engine.runs
from ferd_engine import DetectOptions, EnhanceOptions, detect, detect_raster, enhance, enhance_raster, open_model
from ferd_engine.errors import FerdError, ModelError, RunError, UsageError
from ferd_engine.fen.bundle import Model

from .conftest import open_files
from .detectors.arrays import RecordingProgress
from .rasters import cube, read_scores, write_tiff


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write_tiff(tmp_path / "scene.tif", cube(29, 23, 8, "int16"))


def test_options_as_one_object_and_by_name(scene: Path, tmp_path: Path) -> None:
    options = DetectOptions(enhance=False, bands="1-5")
    first = detect_raster(scene, tmp_path / "a.tif", options=options)
    second = detect_raster(str(scene), str(tmp_path / "b.tif"), enhance=False, bands="1-5")
    third = detect_raster(scene, tmp_path / "c.tif", options=options, bands="2-6")
    assert (first.bands_used, second.bands_used, third.bands_used) == ("1-5", "1-5", "2-6")
    np.testing.assert_array_equal(read_scores(first.output), read_scores(second.output))


@pytest.mark.parametrize("door", [detect_raster, enhance_raster])
def test_unknown_options_are_named_before_anything_is_opened(door: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'threshhold'.*the options are"):
        door(tmp_path / "missing.tif", tmp_path / "out.tif", threshhold=1)


def test_options_of_detect_are_unknown_to_enhance(scene: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="detector"):
        enhance_raster(scene, tmp_path / "out.tif", detector="grx")
    with pytest.raises(UsageError, match="block"):
        enhance(cube(5, 4, 60), block=3)
    assert "detector" not in vars(EnhanceOptions())


def test_the_process_is_as_it_was_after_a_run_and_after_a_failure(
    scene: Path, tmp_path: Path, small_model: Model
) -> None:
    before = (gdal.GetCacheMax(), gdal.GetUseExceptions(), open_files(), dict(os.environ))
    mask = write_tiff(tmp_path / "mask.tif", np.ones((29, 23, 1), dtype=np.uint8))
    detect_raster(scene, tmp_path / "out.tif", model=small_model.folder, memory="64MiB", mask=mask)
    with pytest.raises(FerdError):
        detect_raster(scene, tmp_path / "out.tif", model=small_model.folder)
    with pytest.raises(FerdError):
        detect_raster(scene, tmp_path / "out2.tif", bands="1-99")
    detect(cube(29, 23, 8), mask=mask, enhance=False)
    other = write_tiff(tmp_path / "other.tif", np.ones((5, 5, 1), dtype=np.uint8))
    with pytest.raises(FerdError):
        detect_raster(scene, tmp_path / "out2.tif", enhance=False, mask=other)
    assert (gdal.GetCacheMax(), gdal.GetUseExceptions(), open_files(), dict(os.environ)) == before


def test_memory_that_runs_out_is_a_sentence(scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(ferd_engine.runs, "run_detection", exhausted)
    with pytest.raises(RunError, match=r"Memory ran out within a budget of 256MiB"):
        detect_raster(scene, tmp_path / "out.tif", enhance=False, memory="256MiB")
    with pytest.raises(RunError, match="Memory ran out"):
        detect(cube(9, 8, 5), enhance=False)
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


def test_progress_of_the_array_doors(small_model: Model) -> None:
    for door, options in ((detect, {}), (enhance, {}), (detect, {"enhance": False})):
        progress = RecordingProgress()
        model = {} if options else {"model": small_model.folder}
        door(cube(29, 23, 8), progress=progress, **model, **options)
        assert progress.fractions == sorted(progress.fractions)
        assert progress.fractions[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("array", [[[[1.0, 2.0], [2.0, 1.0]], [[3.0, 5.0], [4.0, 4.0]], [[0.0, 9.0], [7.0, 1.0]]]])
def test_nested_lists_are_arrays(array: list[Any]) -> None:
    np.testing.assert_array_equal(detect(array, enhance=False), detect(np.array(array), enhance=False))


def test_models_by_name_and_by_folder(small_model: Model, no_user_models: Path) -> None:
    assert open_model("fen-50").n_bands == 50
    assert small_model.folder is not None
    assert open_model(small_model.folder).name == open_model(str(small_model.folder)).name == "small-6"
    with pytest.raises(ModelError, match="nothing"):
        open_model("nothing")


def test_the_front_door() -> None:
    assert len(ferd_engine.__all__) <= 10
    assert all(getattr(ferd_engine, name) is not None for name in ferd_engine.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        ferd_engine.nothing  # noqa: B018
