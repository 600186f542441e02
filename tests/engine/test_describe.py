"""What `ferd info` says is what a run does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal

from ferd_engine import detect_raster
from ferd_engine.describe import describe_raster
from ferd_engine.errors import InputError
from ferd_engine.fen.bundle import Model
from ferd_engine.options import EnhanceOptions

from .rasters import GEOTRANSFORM, cube, envi_list, write_envi, write_tiff


def test_the_header(tmp_path: Path) -> None:
    array = cube(11, 9, 5, "uint16")
    path = write_envi(
        tmp_path / "scene.bil",
        array,
        "bil",
        wavelength=envi_list([0.4, 0.5, 0.6, 0.9, 2.5]),
        wavelength_units="Micrometers",
        data_ignore_value=7,
        bbl="{1,0,0,1,1}",
    )
    facts = describe_raster(str(path), EnhanceOptions())
    expected = {
        "rows": 11,
        "cols": 9,
        "bands": 5,
        "dtype": "uint16",
        "projection": "",
        "geotransform": None,
        "nodata": [7.0],
        "wavelengths_nm": [400.0, 500.0, 600.0, 900.0, 2500.0],
        "wavelength_range_nm": [400.0, 2500.0],
        "bad_bands": "2-3",
        "model": None,
    }
    assert {key: facts[key] for key in expected} == expected
    assert "needs 50" in facts["why"]


def test_types_that_differ_by_band_are_all_told(tmp_path: Path) -> None:
    mixed = gdal.GetDriverByName("VRT").Create(str(tmp_path / "mixed.vrt"), 4, 5, 0)
    for kind in (gdal.GDT_Int16, gdal.GDT_Float32, gdal.GDT_Int16):
        mixed.AddBand(kind)
    mixed = None
    assert mixed is None
    assert describe_raster(str(tmp_path / "mixed.vrt"), EnhanceOptions())["dtype"] == "int16, float32"


@pytest.mark.parametrize("options", [{}, {"bands": "3-9"}, {"band_selection": "spread"}, {"bands": "9,1-8"}])
def test_the_choice_is_that_of_a_run(tmp_path: Path, small_model: Model, options: dict[str, str]) -> None:
    array = cube(40, 33, 9)
    array[:, :, 3] = np.nan
    path = write_tiff(tmp_path / "scene.tif", array)
    told = describe_raster(str(path), EnhanceOptions(model=str(small_model.folder), **options))
    report = detect_raster(path, tmp_path / "out.tif", model=small_model.folder, **options)
    assert (told["model"], told["bands_used"], told["band_selection"], told["suspected_dead_bands"]) == (
        report.model,
        report.bands_used,
        report.band_selection,
        report.dead_bands,
    )
    assert told["geotransform"] == GEOTRANSFORM
    assert told["projection"].endswith("(EPSG:32633)")


def test_the_choice_by_wavelength(tmp_path: Path) -> None:
    path = write_envi(
        tmp_path / "scene.bsq", cube(9, 8, 60), wavelength=envi_list(np.linspace(400, 2500, 60)), wavelength_units="nm"
    )
    told = describe_raster(str(path), EnhanceOptions())
    report = detect_raster(path, tmp_path / "out.tif")
    assert (told["model"], told["bands_used"]) == (report.model, report.bands_used)


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file"):
        describe_raster(str(tmp_path / "missing.tif"), EnhanceOptions())
