"""Wavelengths, widths, bad bands, scale and nodata from every place where files keep them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import gdal

from ferd_engine.bands import BandInfo
from ferd_engine.raster import open_source
from ferd_engine.raster.band_metadata import read_band_infos as infos
from ferd_engine.raster.band_metadata import to_nanometres, wavelength_in_name
from ferd_engine.windows import whole

from .rasters import cube, envi_list, write_envi, write_tiff

UM = (0.4234, 0.5, 1.65, 2.4385)
NM = (423.4, 500.0, 1650.0, 2438.5)


def memory(n_bands: int = 4) -> Any:
    return gdal.GetDriverByName("MEM").Create("", 3, 2, n_bands, gdal.GDT_Int16)


def centres(found: tuple[BandInfo, ...]) -> list[float | None]:
    return [info.wavelength_nm for info in found]


def widths(found: tuple[BandInfo, ...]) -> list[float | None]:
    return [info.fwhm_nm for info in found]


def envi(tmp_path: Path, **header: Any) -> tuple[BandInfo, ...]:
    source = open_source(str(write_envi(tmp_path / "scene.bsq", cube(3, 5, 4, "int16"), **header)))
    try:
        return source.bands
    finally:
        source.close()


@pytest.mark.parametrize(
    ("unit", "stored", "width"),
    [
        ("Micrometers", UM, 0.0065),
        ("um", UM, 0.0065),
        ("Nanometers", NM, 6.5),
        ("nm", NM, 6.5),
        ("Unknown", UM, 0.0065),
        ("Unknown", NM, 6.5),
        (None, UM, 0.0065),
        (None, NM, 6.5),
    ],
)
def test_lists_of_an_envi_header(tmp_path: Path, unit: str | None, stored: tuple[float, ...], width: float) -> None:
    header = {"wavelength": envi_list(stored), "fwhm": envi_list([width] * 4), "bbl": envi_list([1, 0, 1, 1])}
    if unit is not None:
        header["wavelength_units"] = unit
    found = envi(tmp_path, **header)
    assert centres(found) == list(NM)
    assert widths(found) == [6.5] * 4
    assert [info.good for info in found] == [True, False, True, True]


@pytest.mark.parametrize("unit", ["Index", "Wavenumber", "GHz", "MHz"])
def test_an_envi_list_that_is_no_wavelength(tmp_path: Path, unit: str) -> None:
    found = envi(tmp_path, wavelength=envi_list([1, 2, 3, 4]), wavelength_units=unit)
    assert centres(found) == [None] * 4


def test_lists_of_the_wrong_length_are_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = envi(tmp_path, fwhm=envi_list([6.5] * 3), bbl=envi_list([0] * 5))
    assert widths(found) == [None] * 4
    assert [info.good for info in found] == [True] * 4
    assert "fwhm list has 3 entries for 4 bands" in caplog.text
    assert "bbl list has 5 entries for 4 bands" in caplog.text


def test_ignore_value_and_band_names_of_an_envi_header(tmp_path: Path) -> None:
    found = envi(tmp_path, data_ignore_value=-99, band_names=envi_list(["a", "b 0.5 um", "c", "d"]))
    assert [info.nodata for info in found] == [-99.0] * 4
    assert centres(found) == [None, 500.0, None, None]
    assert [info.number for info in found] == [1, 2, 3, 4]


def test_band_metadata_as_enmap_has_it() -> None:
    dataset = memory()
    for index, (centre, good) in enumerate(zip(NM, (1, 1, 0, 1)), start=1):
        band = dataset.GetRasterBand(index)
        band.SetMetadata({"wavelength": str(centre), "wavelength_units": "nanometers", "fwhm": "6.5", "bbl": str(good)})
        band.SetNoDataValue(-32768)
        band.SetScale(0.0001)
        band.SetOffset(-0.1)
    found = infos(dataset)
    assert (centres(found), widths(found)) == (list(NM), [6.5] * 4)
    assert [info.good for info in found] == [True, True, False, True]
    assert {(info.nodata, info.scale, info.offset) for info in found} == {(-32768.0, 0.0001, -0.1)}


@pytest.mark.parametrize(
    ("centre", "width"), [("423.02999877929688", "6.5"), ("0.42302999877929688", "0.0065"), ("423.03", "6.5")]
)
def test_a_band_without_a_unit_has_one_unit_for_centre_and_width(centre: str, width: str) -> None:
    dataset = memory(1)
    dataset.GetRasterBand(1).SetMetadata({"wavelength": centre, "fwhm": width})
    (found,) = infos(dataset)
    assert found.wavelength_nm == pytest.approx(423.03)
    assert found.fwhm_nm == 6.5


def test_a_unit_that_is_unknown_is_guessed_for_centre_and_width_together() -> None:
    dataset = memory(1)
    dataset.GetRasterBand(1).SetMetadata({"wavelength": "900", "wavelength_units": "Unknown", "fwhm": "6.5"})
    (found,) = infos(dataset)
    assert (found.wavelength_nm, found.fwhm_nm) == (900.0, 6.5)


def test_the_imagery_domain() -> None:
    dataset = memory(2)
    dataset.GetRasterBand(1).SetMetadata({"CENTRAL_WAVELENGTH_UM": "0.4554", "FWHM_UM": "0.0131"}, "IMAGERY")
    dataset.GetRasterBand(2).SetMetadata({"CENTRAL_WAVELENGTH_UM": "junk"}, "IMAGERY")
    found = infos(dataset)
    assert (centres(found), widths(found)) == ([455.4, None], [13.1, None])


def test_the_imagery_domain_in_whole_nanometres_gives_way_to_what_it_rounds() -> None:
    """GDAL 3.10 and later put the values of an ENVI header there so."""
    dataset = memory(2)
    dataset.SetMetadata({"fwhm": "{8.017, 9.5}", "wavelength_units": "nm"}, "ENVI")
    for number, centre in ((1, "408.787"), (2, "417.573")):
        dataset.GetRasterBand(number).SetMetadata({"wavelength": centre, "wavelength_units": "nm"})
    dataset.GetRasterBand(1).SetMetadata({"CENTRAL_WAVELENGTH_UM": "0.409", "FWHM_UM": "0.008"}, "IMAGERY")
    dataset.GetRasterBand(2).SetMetadata({"CENTRAL_WAVELENGTH_UM": "0.419", "FWHM_UM": "0.0094"}, "IMAGERY")
    found = infos(dataset)
    assert (centres(found), widths(found)) == ([408.787, 419.0], [8.017, 9.4])


def test_an_edit_in_qgis_stands_above_the_file() -> None:
    dataset = memory(1)
    band = dataset.GetRasterBand(1)
    band.SetMetadata({"CENTRAL_WAVELENGTH_UM": "0.4"}, "IMAGERY")
    band.SetMetadata({"wavelength": "500", "wavelength_units": "nm", "bbl": "1"})
    band.SetMetadata(
        {"wavelength": "610", "wavelength_units": "nm", "fwhm": "9", "bad_band_multiplier": "0"}, "QGISPAM"
    )
    (found,) = infos(dataset)
    assert (found.wavelength_nm, found.fwhm_nm, found.good) == (610.0, 9.0, False)


def test_the_order_of_places() -> None:
    dataset = memory(1)
    band = dataset.GetRasterBand(1)
    band.SetDescription("band 1 (0.9 Micrometers)")
    assert centres(infos(dataset)) == [900.0]
    band.SetMetadata({"Wavelength": "800", "Wavelength_Units": "nm"}, "ENVI")
    assert centres(infos(dataset)) == [800.0]
    band.SetMetadata({"wavelength": "700", "wavelength units": "nm"})
    assert centres(infos(dataset)) == [700.0]
    band.SetMetadata({"CENTRAL_WAVELENGTH_UM": "0.6"}, "IMAGERY")
    assert centres(infos(dataset)) == [600.0]


def test_lists_of_the_dataset() -> None:
    dataset = memory()
    dataset.SetMetadata({"wavelength": envi_list(UM), "wavelength_units": "um", "bbl": "{1,1,0,1}"})
    found = infos(dataset)
    assert centres(found) == list(NM)
    assert [info.good for info in found] == [True, True, False, True]
    dataset.GetRasterBand(3).SetMetadata({"bbl": "1"})
    assert infos(dataset)[2].good


@pytest.mark.parametrize(
    ("text", "good"), [("0", False), ("0.0", False), ("1", True), ("1.0", True), ("", True), ("yes", True)]
)
@pytest.mark.parametrize("key", ["bbl", "BBL", "bad_band_multiplier"])
def test_bad_band_marks(key: str, text: str, good: bool) -> None:
    dataset = memory(1)
    dataset.GetRasterBand(1).SetMetadata({key: text})
    assert infos(dataset)[0].good is good


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("HyMap bands 1 (0.4554 Micrometers)", 455.4),
        ("band 007 (455.4 Nanometers)", 455.4),
        ("455.4nm", 455.4),
        ("B12 2.19 µm", 2190.0),
        ("SWIR 1.65 microns, resampled from 0.4 um to 1.7 um", 1700.0),
        ("Band 1", None),
        ("0.4554", None),
        ("10 numbers", None),
        ("5 m", None),
        ("0 nm", None),
    ],
)
def test_wavelengths_in_names(name: str, expected: float | None) -> None:
    assert wavelength_in_name(name) == expected


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("0.4554", "Micrometers", 455.4),
        ("455.4", None, 455.4),
        ("0.4554", "", 455.4),
        ("0.0000004554", "m", 455.4),
        ("4.554e-4", "millimeters", 455.4),
        ("-5", "nm", None),
        ("nan", "nm", None),
        ("inf", "nm", None),
        ("a", "nm", None),
        (None, "nm", None),
        ("500", "cm-1", None),
    ],
)
def test_to_nanometres(text: str | None, unit: str | None, expected: float | None) -> None:
    assert to_nanometres(text, unit) == expected


def test_scale_and_offset_are_applied_to_valid_values_only(tmp_path: Path) -> None:
    array = cube(4, 7, 3, "int16")
    array[1, 2] = -99
    path = write_tiff(tmp_path / "scene.tif", array, nodata=-99)
    dataset = gdal.Open(str(path), gdal.GA_Update)
    for index, (scale, offset) in enumerate([(0.5, 0.0), (1.0, -3.0), (0.001, 7.0)], start=1):
        dataset.GetRasterBand(index).SetScale(scale)
        dataset.GetRasterBand(index).SetOffset(offset)
    dataset = None
    source = open_source(str(path))
    values, complete = source.read(whole(4, 7), (3, 1, 2))
    expected = array[:, :, [2, 0, 1]] * np.array([0.001, 0.5, 1.0]) + np.array([7.0, 0.0, -3.0])
    expected[1, 2] = np.nan
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert not complete
    source.close()


def test_a_scale_of_zero_or_nan_is_no_scale() -> None:
    dataset = memory(2)
    dataset.GetRasterBand(1).SetScale(0.0)
    dataset.GetRasterBand(2).SetScale(float("nan"))
    dataset.GetRasterBand(2).SetOffset(float("inf"))
    assert [(info.scale, info.offset) for info in infos(dataset)] == [(1.0, 0.0), (1.0, 0.0)]
