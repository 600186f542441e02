"""What the outputs carry: place, nodata, names, wavelengths, options; read back by GDAL and by the engine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import gdal, osr

from ferd_engine import detect_raster, enhance_raster
from ferd_engine.bands import BandInfo
from ferd_engine.errors import OutputError, RunError
from ferd_engine.fen.bundle import Model
from ferd_engine.raster import Georeference, open_source
from ferd_engine.raster.writer import RasterSpec, RasterWriter, check_output_name, data_name, file_names
from ferd_engine.windows import tiles

from .rasters import GEOTRANSFORM, cube, envi_list, projection, read_all, read_scores, write_envi, write_tiff

ROTATED = (500000.0, 24.0, 18.0, 4649776.0, 18.0, -24.0)
SHEARED = (500000.0, 28.0, 7.5, 4649776.0, 9.1, -21.0)
SOUTH_UP = (10.0, 0.25, 0.0, 40.0, 0.0, 0.5)
CENTRES = (455.4, 512.0, 640.25, 981.1, 1650.0, 2203.125, 2300.0)


def written(folder: Path, name: str, values: np.ndarray, shape: tuple[int, int], **spec: Any) -> Path:
    """Write an array (rows, cols, bands) by windows of a shape."""
    folder.mkdir(exist_ok=True)
    n_rows, n_cols, n_bands = values.shape
    bands = spec.pop("bands", tuple(BandInfo(i + 1, f"band {i}") for i in range(n_bands)))
    writer = RasterWriter(name, folder, RasterSpec(n_rows, n_cols, bands, Georeference(**spec)))
    for window in reversed(list(tiles(n_rows, n_cols, *shape))):
        part = values[window.row_start : window.row_stop, window.col_start : window.col_stop]
        writer.write(window, part[:, :, 0] if n_bands == 1 else part)
    writer.finish()
    return folder / data_name(name)


@pytest.mark.parametrize("shape", [(300, 300), (16, 270), (16, 64), (7, 5)])
@pytest.mark.parametrize("n_bands", [1, 3])
@pytest.mark.parametrize("name", ["a.tif", "a.TIFF", "a.bsq", "a.bil", "a.bip", "a.img", "a.dat", "a.hdr"])
def test_values_and_nodata(tmp_path: Path, name: str, n_bands: int, shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).standard_normal((37, 270, n_bands)).astype(np.float32)
    values[3:9, 100:130] = np.nan
    values[-1, -1, 0] = np.nan
    np.testing.assert_array_equal(read_scores(written(tmp_path / "out", name, values, shape)), values)


def opened_writer(folder: Path, name: str) -> RasterWriter:
    bands = tuple(BandInfo(number) for number in (1, 2))
    return RasterWriter(name, folder, RasterSpec(5, 4, bands, Georeference()))


def test_a_file_that_gdal_does_not_make_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        def Create(self, *arguments: object) -> None:
            return None

    monkeypatch.setattr(gdal, "GetDriverByName", lambda name: Silent())
    gdal.ErrorReset()
    with pytest.raises(RunError, match=r"Cannot write .*its file could not be made"):
        opened_writer(tmp_path, "a.bsq")


def test_a_folder_that_goes_before_the_end(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    writer = opened_writer(tmp_path / "out", "a.tif")
    shutil.rmtree(tmp_path / "out")
    with pytest.raises(RunError, match="Cannot write"):
        writer.finish()


def test_names() -> None:
    assert data_name("a.b.hdr") == "a.b.bsq"
    assert file_names("a.b.hdr") == file_names("a.b.bsq") == ("a.b.bsq", "a.b.hdr")
    assert file_names("a.IMG") == ("a.IMG", "a.hdr")
    assert file_names("a.tif") == ("a.tif",)
    for name in ("a.tif", "/x/a.TIFF", "a.hdr", "a.dat"):
        check_output_name(name)


@pytest.mark.parametrize(
    ("suffix", "place"),
    [
        *((".tif", place) for place in (GEOTRANSFORM, ROTATED, SHEARED, SOUTH_UP)),
        *((".bsq", place) for place in (GEOTRANSFORM, ROTATED, SOUTH_UP)),
    ],
)
@pytest.mark.parametrize("code", [32633, 4326, 3035])
def test_outputs_lie_on_the_grid_of_the_input(tmp_path: Path, suffix: str, place: tuple[float, ...], code: int) -> None:
    scene = write_tiff(tmp_path / "scene.tif", cube(17, 13, 4), geotransform=place, code=code)
    output = tmp_path / f"out{suffix}"
    detect_raster(scene, output, enhance=False)
    before, after = gdal.Open(str(scene)), gdal.Open(str(output))
    assert (after.RasterXSize, after.RasterYSize, after.RasterCount) == (13, 17, 1)
    np.testing.assert_allclose(after.GetGeoTransform(), place, rtol=1e-12, atol=1e-9)
    systems = [osr.SpatialReference(dataset.GetProjection()) for dataset in (before, after)]
    assert systems[0].IsSame(systems[1])


def test_an_envi_header_that_cannot_hold_the_grid_is_refused_before_the_run(tmp_path: Path) -> None:
    scene = write_tiff(tmp_path / "scene.tif", cube(17, 13, 4), geotransform=SHEARED)
    for name in ("out.bsq", "out.hdr"):
        with pytest.raises(OutputError, match=r"rotated grid.*GeoTIFF"):
            detect_raster(scene, tmp_path / name, enhance=False)
    assert [path.name for path in tmp_path.iterdir()] == ["scene.tif"]


def test_nothing_is_made_up_where_the_input_has_no_place(tmp_path: Path) -> None:
    np.save(tmp_path / "scene.npy", cube(17, 13, 4))
    detect_raster(tmp_path / "scene.npy", tmp_path / "out.tif", enhance=False)
    dataset = gdal.Open(str(tmp_path / "out.tif"))
    assert dataset.GetGeoTransform(can_return_null=True) is None
    assert dataset.GetProjection() == ""
    assert dataset.GetGCPs() == ()


@pytest.mark.parametrize("suffix", [".tif", ".bsq"])
def test_ground_control_points_are_kept(tmp_path: Path, suffix: str) -> None:
    scene = write_tiff(tmp_path / "scene.tif", cube(17, 13, 4), geotransform=None)
    points = [gdal.GCP(13.0 + 0.01 * c, 52.0 - 0.01 * r, 5.0, c, r, "", f"{r}{c}") for r in (0, 17) for c in (0, 6, 13)]
    dataset = gdal.Open(str(scene), gdal.GA_Update)
    dataset.SetGCPs(points, projection(4326))
    dataset = None
    detect_raster(scene, tmp_path / f"out{suffix}", enhance=False)
    dataset = gdal.Open(str(tmp_path / f"out{suffix}"))
    found = [(p.GCPX, p.GCPY, p.GCPZ, p.GCPPixel, p.GCPLine) for p in dataset.GetGCPs()]
    np.testing.assert_allclose(found, [(p.GCPX, p.GCPY, p.GCPZ, p.GCPPixel, p.GCPLine) for p in points], rtol=1e-12)
    assert osr.SpatialReference(dataset.GetGCPProjection()).GetAuthorityCode(None) == "4326"


@pytest.mark.parametrize("suffix", [".tif", ".bsq"])
def test_rational_polynomials_are_kept(tmp_path: Path, suffix: str) -> None:
    numbers = ("LINE_OFF", "SAMP_OFF", "LAT_OFF", "LONG_OFF", "HEIGHT_OFF")
    scales = ("LINE_SCALE", "SAMP_SCALE", "LAT_SCALE", "LONG_SCALE", "HEIGHT_SCALE")
    rpc = {key: f"{17 + index}" for index, key in enumerate((*numbers, *scales))}
    for index, key in enumerate(("LINE_NUM_COEFF", "LINE_DEN_COEFF", "SAMP_NUM_COEFF", "SAMP_DEN_COEFF")):
        rpc[key] = " ".join(f"{(index + 1) * (i + 1) / 7:.6f}" for i in range(20))
    scene = write_tiff(tmp_path / "scene.tif", cube(17, 13, 4), geotransform=None)
    dataset = gdal.Open(str(scene), gdal.GA_Update)
    dataset.SetMetadata(rpc, "RPC")
    dataset = None
    detect_raster(scene, tmp_path / f"out{suffix}", enhance=False)
    found = gdal.Open(str(tmp_path / f"out{suffix}")).GetMetadata("RPC")
    for key, text in rpc.items():
        np.testing.assert_allclose(np.array(found[key].split(), dtype=float), np.array(text.split(), dtype=float))


def spectral_scene(path: Path, **header: Any) -> Path:
    return write_envi(
        path,
        cube(17, 13, 7),
        wavelength=envi_list(CENTRES),
        fwhm=envi_list([6.5, 6.5, 7.0, 7.0, 8.25, 8.25, 9.0]),
        wavelength_units="Nanometers",
        **header,
    )


@pytest.mark.parametrize("name", ["out.tif", "out.bsq", "out.hdr", "out.bip"])
def test_enhanced_cubes_keep_the_wavelengths_of_their_bands(tmp_path: Path, name: str, small_model: Model) -> None:
    scene = spectral_scene(tmp_path / "scene.bsq")
    report = enhance_raster(scene, tmp_path / name, model=small_model.folder, bands="7,1-3,5,6")
    source = open_source(report.output)
    kept = [6, 0, 1, 2, 4, 5]
    assert [band.wavelength_nm for band in source.bands] == [CENTRES[i] for i in kept]
    assert [band.fwhm_nm for band in source.bands] == [[6.5, 6.5, 7.0, 7.0, 8.25, 8.25, 9.0][i] for i in kept]
    assert {band.nodata for band in source.bands} == {-9999.0}
    source.close()
    if name != "out.tif":
        header = (tmp_path / "out.hdr").read_text()
        assert "wavelength units = Nanometers" in header
        assert "2300, 455.4, 512, 640.25, 1650, 2203.125" in " ".join(header.split())


@pytest.mark.parametrize("name", ["out.tif", "out.bsq"])
def test_enhanced_cubes_have_what_enmap_box_looks_for(tmp_path: Path, name: str, small_model: Model) -> None:
    """EnMAP-Box 3.17 reads CENTRAL_WAVELENGTH_UM and FWHM_UM of the domain IMAGERY, in micrometres, before all else
    (enmapboxprocessing/rasterreader.py: wavelength, fwhm; qgispluginsupport, qps/qgsrasterlayerproperties.py:
    readFromGDALDataset), and takes a band for good where no domain of it or of the dataset has a key bbl.
    """
    scene = spectral_scene(tmp_path / "scene.bsq", bbl=envi_list([1, 1, 1, 0, 1, 1, 1]))
    dataset = gdal.Open(enhance_raster(scene, tmp_path / name, model=small_model.folder).output)
    bands = [dataset.GetRasterBand(number) for number in range(1, 7)]
    kept = [0, 1, 2, 4, 5, 6]

    found = [band.GetMetadataItem("CENTRAL_WAVELENGTH_UM", "IMAGERY") for band in bands]
    assert [float(text) for text in found] == pytest.approx([CENTRES[i] / 1000 for i in kept], rel=1e-9)
    found = [band.GetMetadataItem("FWHM_UM", "IMAGERY") for band in bands]
    assert [float(text) for text in found] == pytest.approx([0.0065, 0.0065, 0.007, 0.00825, 0.00825, 0.009], rel=1e-9)
    for holder in (dataset, *bands):
        for domain in holder.GetMetadataDomainList() or []:
            assert holder.GetMetadataItem("bbl", domain) is None


def test_an_output_is_an_input_with_the_same_wavelengths_again(tmp_path: Path, small_model: Model) -> None:
    scene = spectral_scene(tmp_path / "scene.bsq")
    first = enhance_raster(scene, tmp_path / "one.bsq", model=small_model.folder)
    second = enhance_raster(first.output, tmp_path / "two.tif", model=small_model.folder)
    source = open_source(second.output)
    assert [band.wavelength_nm for band in source.bands] == list(CENTRES[:6])
    source.close()


def test_bands_without_wavelengths_stay_without(tmp_path: Path, small_model: Model) -> None:
    scene = write_tiff(tmp_path / "scene.tif", cube(17, 13, 7))
    for name in ("out.tif", "out.bsq"):
        enhance_raster(scene, tmp_path / name, model=small_model.folder)
        source = open_source(str(tmp_path / name))
        assert [band.wavelength_nm for band in source.bands] == [None] * 6
        source.close()


@pytest.mark.parametrize("name", ["out.tif", "out.bsq"])
def test_options_model_and_bands_stand_in_the_metadata(tmp_path: Path, name: str, small_model: Model) -> None:
    array = cube(17, 13, 8)
    array[:, :, 4] = 1.0
    scene = write_envi(tmp_path / "scene.bsq", array)
    detect_raster(scene, tmp_path / name, model=small_model.folder, scaling="percentile", detector="slrx", block=5)
    found = gdal.Open(str(tmp_path / name)).GetMetadata()
    expected = {
        "FERD_INPUT": "scene.bsq",
        "FERD_DETECTOR": "slrx",
        "FERD_BLOCK": "5",
        "FERD_SCALING": "percentile",
        "FERD_BANDS": "1-4,6-7",
        "FERD_BAND_SELECTION": "first",
        "FERD_MODEL": "small-6",
        "FERD_MODEL_SHA256": small_model.sha256,
        "FERD_VALID_PIXELS": str(17 * 13),
    }
    assert {key: found.get(key) for key in expected} == expected
    low, high = map(float, found["FERD_SCALING_RANGE"].split())
    used = array[:, :, [0, 1, 2, 3, 5, 6]].astype(np.float64)
    np.testing.assert_allclose([low, high], np.percentile(used, [0.01, 99.99]), rtol=1e-12)
    assert "constant" in found["FERD_WARNINGS"]
    assert "FERD_MEMORY" not in found


def test_geotiffs_are_tiled_compressed_float32_with_a_band_name(tmp_path: Path, small_model: Model) -> None:
    scene = write_tiff(tmp_path / "scene.tif", cube(70, 300, 8))
    detect_raster(scene, tmp_path / "scores.tif", enhance=False)
    enhance_raster(scene, tmp_path / "cube.tif", model=small_model.folder)
    for name in ("scores.tif", "cube.tif"):
        dataset = gdal.Open(str(tmp_path / name))
        assert dataset.GetMetadata("IMAGE_STRUCTURE")["COMPRESSION"] == "DEFLATE"
        assert dataset.GetRasterBand(1).GetBlockSize()[0] == 256
        assert dataset.GetRasterBand(1).DataType == gdal.GDT_Float32
    assert gdal.Open(str(tmp_path / "scores.tif")).GetRasterBand(1).GetDescription() == "Global RX score"


def test_nodata_stays_nodata(tmp_path: Path, small_model: Model) -> None:
    array = cube(30, 25, 8, "int16")
    array[4:9, 7:20] = -1
    array[20, 3, 5] = -1
    array[25, 3, 7] = -1
    scene = write_tiff(tmp_path / "scene.tif", array, nodata=-1)
    invalid = (array[:, :, :6] == -1).any(axis=2)
    detect_raster(scene, tmp_path / "scores.tif", model=small_model.folder)
    enhance_raster(scene, tmp_path / "cube.bil", model=small_model.folder)
    assert ((read_all(tmp_path / "scores.tif")[:, :, 0] == -9999.0) == invalid).all()
    assert ((read_all(tmp_path / "cube.bil") == -9999.0) == invalid[:, :, None]).all()
