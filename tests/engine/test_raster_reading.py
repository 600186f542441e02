"""One scene in every format, read by windows of any order and shape: always the same cube."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from osgeo import gdal
from scipy.io import savemat

from ferd_engine.errors import InputError, RunError, UsageError
from ferd_engine.raster import Source, open_masked, open_source, raw_file, raw_rows
from ferd_engine.raster.masked_source import MaskedSource
from ferd_engine.windows import Window, tiles, whole

from .conftest import open_files
from .rasters import cube, cut, write_envi, write_tiff

N_ROWS, N_COLS, N_BANDS = 37, 23, 7
DTYPES = ("uint8", "int16", "uint16", "int32", "float32", "float64")
SHAPES = ((N_ROWS, N_COLS), (1, N_COLS), (5, N_COLS), (16, 16), (11, 9))


@contextmanager
def opened(path: Path | str, variable: str | None = None) -> Iterator[Source]:
    source = open_source(str(path), variable)
    try:
        yield source
    finally:
        source.close()


def assert_reads(source: Source, expected: np.ndarray) -> None:
    """Compare every window of several shapes, down the image and in random order, with an array (rows, cols, bands)."""
    n_rows, n_cols, n_bands = expected.shape
    assert (source.n_rows, source.n_cols, len(source.bands)) == expected.shape
    bands = [tuple(range(1, n_bands + 1)), (n_bands, 1), (2, 3, n_bands), (2, 3)]
    for shape in SHAPES:
        windows = list(tiles(n_rows, n_cols, *shape))
        np.random.default_rng(0).shuffle(windows)  # type: ignore[arg-type]
        for order in (sorted(windows), windows):
            for numbers in bands:
                for window in order:
                    window = Window(*window)
                    values, complete = source.read(window, numbers)
                    wanted = cut(expected, window)[:, :, [number - 1 for number in numbers]]
                    np.testing.assert_array_equal(values, wanted)
                    assert complete == np.isfinite(wanted).all()
                    assert values.dtype == source.dtype


def stored_types(source: Source) -> set[str]:
    return {band.stored_type for band in source.bands}


def working_dtype(dtype: str) -> type:
    return np.float64 if dtype in ("int32", "float64") else np.float32


@pytest.mark.parametrize("byte_order", [0, 1])
@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_envi(tmp_path: Path, dtype: str, interleave: str, byte_order: int) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, dtype)
    path = write_envi(tmp_path / "scene.img", array, interleave, byte_order)
    with opened(path) as source:
        assert source.dtype == working_dtype(dtype)
        assert sorted(Path(file).name for file in source.files) == ["scene.hdr", "scene.img"]
        assert stored_types(source) == {dtype}
        assert_reads(source, array)
    with opened(path.with_suffix(".hdr")) as source:
        assert_reads(source, array)


@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
def test_full_rows_of_envi_files_are_read_without_gdal(
    tmp_path: Path, interleave: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, "int16")
    with opened(write_envi(tmp_path / "scene.img", array, interleave)) as source:
        monkeypatch.setattr(source, "_dataset", None)
        np.testing.assert_array_equal(source.read(Window(3, 9, 0, N_COLS), (1, 4)).values, array[3:9][:, :, [0, 3]])


def test_an_envi_layout_that_is_not_understood_is_left_to_gdal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, "int16")
    path = write_envi(tmp_path / "scene.img", array, "bil")
    understood = raw_file.RawFile._read
    monkeypatch.setattr(raw_file.RawFile, "_read", lambda self, first, target: understood(self, first + 1, target))
    with opened(path) as source:
        assert_reads(source, array)


def test_an_envi_file_that_is_cut_short_while_it_is_read(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "scene.img", cube(N_ROWS, N_COLS, N_BANDS, "int16"), "bil")
    with opened(path) as source:
        source.read(Window(0, 2, 0, N_COLS), (1, 2))
        cut_short(path, 0.5)
        with pytest.raises(RunError, match=r"Cannot read rows 31 to 37 of .* \(the file ends before its last row"):
            source.read(Window(30, N_ROWS, 0, N_COLS), (1, 2))


@pytest.mark.parametrize("suffix", ["", ".bsq", ".dat", ".raw", ".BSQ"])
def test_the_data_file_of_an_envi_header(tmp_path: Path, suffix: str) -> None:
    array = cube(9, 5, 3, "int16")
    write_envi(tmp_path / f"scene{suffix}", array)
    with opened(tmp_path / "scene.hdr") as source:
        assert Path(source.path).name == f"scene{suffix}"
        assert_reads(source, array)


def test_a_header_with_dots_is_never_taken_for_another_file(tmp_path: Path) -> None:
    write_envi(tmp_path / "scene.bsq", cube(9, 5, 3, "int16", seed=1))
    array = cube(9, 5, 3, "int16", seed=2)
    write_envi(tmp_path / "scene.2009.06.bsq", array)
    write_envi(tmp_path / "scene.2009.06.x.bsq", cube(9, 5, 3, "int16", seed=3))
    with opened(tmp_path / "scene.2009.06.hdr") as source:
        assert_reads(source, array)
    # The other convention: the header's name on top of the data file's.
    (tmp_path / "scene.2009.06.hdr").rename(tmp_path / "scene.2009.06.bsq.hdr")
    with opened(tmp_path / "scene.2009.06.bsq.hdr") as source:
        assert_reads(source, array)


def test_a_header_alone(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "scene.bsq", cube(3, 4, 2))
    path.unlink()
    with pytest.raises(InputError, match="no data file of a known ending"):
        open_source(str(tmp_path / "scene.hdr"))


@pytest.mark.parametrize(
    "creation",
    [
        ("INTERLEAVE=BAND",),
        ("INTERLEAVE=PIXEL",),
        ("INTERLEAVE=BAND", "COMPRESS=LZW", "BLOCKYSIZE=5"),
        ("INTERLEAVE=PIXEL", "COMPRESS=DEFLATE", "PREDICTOR=2", "BLOCKYSIZE=8"),
        ("INTERLEAVE=BAND", "TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16", "COMPRESS=DEFLATE"),
        ("INTERLEAVE=PIXEL", "TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=32", "ENDIANNESS=BIG"),
    ],
    ids=lambda creation: " ".join(part.split("=")[1] for part in creation),
)
@pytest.mark.parametrize("dtype", ["int16", "int32", "uint8"])
def test_geotiff(tmp_path: Path, dtype: str, creation: tuple[str, ...]) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, dtype)
    with opened(write_tiff(tmp_path / "scene.tif", array, *creation)) as source:
        assert stored_types(source) == {dtype}
        assert_reads(source, array)


PIXEL_LAYOUTS = [
    ("INTERLEAVE=PIXEL",),
    ("INTERLEAVE=PIXEL", "BLOCKYSIZE=5"),
    ("INTERLEAVE=PIXEL", "TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=32"),
    ("INTERLEAVE=PIXEL", "TILED=YES", "BLOCKXSIZE=32", "BLOCKYSIZE=16", "BIGTIFF=YES", "ENDIANNESS=BIG"),
]


def test_full_rows_of_plain_tiffs_are_read_without_gdal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, "int16")
    for creation in PIXEL_LAYOUTS:
        with opened(write_tiff(tmp_path / "scene.tif", array, *creation)) as source:
            monkeypatch.setattr(source, "_dataset", None)
            assert_equal_rows(source, array, (1, 4))
            assert_equal_rows(source, array, tuple(range(1, N_BANDS + 1)))


def assert_equal_rows(source: Source, array: np.ndarray, numbers: tuple[int, ...]) -> None:
    for start, stop in ((3, 9), (9, 10), (12, N_ROWS), (0, N_ROWS)):
        wanted = array[start:stop][:, :, [number - 1 for number in numbers]]
        np.testing.assert_array_equal(source.read(Window(start, stop, 0, N_COLS), numbers).values, wanted)


@pytest.mark.parametrize("creation", PIXEL_LAYOUTS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_plain_tiffs_by_windows(tmp_path: Path, dtype: str, creation: tuple[str, ...]) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, dtype)
    with opened(write_tiff(tmp_path / "scene.tif", array, *creation)) as source:
        assert_reads(source, array)


@pytest.mark.parametrize(
    "creation",
    [
        ("INTERLEAVE=BAND",),
        ("INTERLEAVE=PIXEL", "COMPRESS=LZW"),
        ("INTERLEAVE=PIXEL", "NBITS=12"),
        ("INTERLEAVE=PIXEL", "PIXELTYPE=SIGNEDBYTE"),
    ],
    ids=str,
)
def test_other_tiffs_are_left_to_gdal(
    tmp_path: Path, creation: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_rows.RawPixels, "read_rows", lambda *arguments: pytest.fail("was read past GDAL"))
    signed = "PIXELTYPE=SIGNEDBYTE" in creation
    array = cube(N_ROWS, N_COLS, N_BANDS, "uint8" if signed else "uint16")
    if signed and int(gdal.VersionInfo()) >= 3070000:
        pytest.skip("newer GDAL has a type for signed bytes")
    with opened(write_tiff(tmp_path / "scene.tif", array, *creation)) as source:
        assert stored_types(source) == {"int8" if signed else "uint16"}
        assert_reads(source, array.view(np.int8) if signed else array)


def test_a_tiff_layout_that_is_not_understood_is_left_to_gdal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, "int16")
    path = write_tiff(tmp_path / "scene.tif", array, *PIXEL_LAYOUTS[2])
    understood = raw_rows.read_into
    monkeypatch.setattr(raw_rows, "read_into", lambda file, place, target: understood(file, place + 2, target))
    with opened(path) as source:
        assert_reads(source, array)


def test_a_tiff_with_blocks_that_were_never_written(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tif"
    options = ["INTERLEAVE=PIXEL", "TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16", "SPARSE_OK=TRUE"]
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), N_COLS, N_ROWS, N_BANDS, gdal.GDT_Int16, options)
    # Without a nodata value such a file passes for one that was cut short.
    dataset.GetRasterBand(1).SetNoDataValue(-1)
    dataset.WriteRaster(0, 0, 16, 16, np.full((N_BANDS, 16, 16), 7, dtype=np.int16).tobytes())
    dataset = None
    expected = np.full((N_ROWS, N_COLS, N_BANDS), np.nan)
    expected[:16, :16] = 7
    with opened(path) as source:
        assert_reads(source, expected)


def test_a_tiff_that_is_cut_short_while_it_is_read(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "scene.tif", cube(N_ROWS, N_COLS, N_BANDS, "int16"), *PIXEL_LAYOUTS[1])
    with opened(path) as source:
        source.read(Window(0, 2, 0, N_COLS), (1, 2))
        cut_short(path, 0.5)
        with pytest.raises(RunError, match=r"Cannot read rows 31 to 37 of .* \(the file ends before its last row"):
            source.read(Window(30, N_ROWS, 0, N_COLS), (1, 2))


def test_vrt_of_a_whole_file_and_of_a_part(tmp_path: Path) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, "uint16")
    tiff = write_tiff(tmp_path / "scene.tif", array, "COMPRESS=DEFLATE")
    gdal.Translate(str(tmp_path / "all.vrt"), str(tiff))
    gdal.Translate(str(tmp_path / "part.vrt"), str(tiff), srcWin=[4, 11, 13, 20], bandList=[5, 1, 3])
    with opened(tmp_path / "all.vrt") as source:
        assert_reads(source, array)
        assert {Path(file).name for file in source.files} == {"all.vrt", "scene.tif"}
    with opened(tmp_path / "part.vrt") as source:
        assert_reads(source, array[11:31, 4:17, [4, 0, 2]])


def with_gaps(dtype: str, nodata: float) -> tuple[np.ndarray, np.ndarray]:
    """Return an array with nodata in some pixels and bands, and the same in float64 with NaN there."""
    array = cube(N_ROWS, N_COLS, N_BANDS, dtype)
    gaps = np.random.default_rng(5).uniform(size=array.shape) < 0.05
    gaps[30:33, 10:15] = True
    array[gaps] = nodata
    return array, np.where(gaps, np.nan, array.astype(np.float64))


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [
        *(("int16", -32768), ("uint16", 0), ("int32", -(2**31)), ("float32", -9999.0)),
        *(("float32", -3.4028234663852886e38), ("float32", np.nan), ("float64", 1e20), ("uint8", 255)),
    ],
)
def test_nodata(tmp_path: Path, dtype: str, nodata: float) -> None:
    array, expected = with_gaps(dtype, nodata)
    with opened(write_tiff(tmp_path / "scene.tif", array, nodata=nodata)) as source:
        assert_reads(source, expected)


def test_a_nodata_value_that_the_type_cannot_hold_marks_nothing(tmp_path: Path) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, "uint8")
    with opened(write_tiff(tmp_path / "scene.tif", array, nodata=-9999)) as source:
        assert_reads(source, array)


def test_nodata_that_differs_by_band(tmp_path: Path) -> None:
    array = cube(N_ROWS, N_COLS, 4, "int16")
    array[5:9, 3, :] = [1, 2, 3, 4]
    array[20, 7:11, :] = 1
    tiff = write_tiff(tmp_path / "scene.tif", array)
    gdal.Translate(str(tmp_path / "scene.vrt"), str(tiff))
    dataset = gdal.Open(str(tmp_path / "scene.vrt"), gdal.GA_Update)
    for number, nodata in ((1, 1), (2, 2), (4, 4)):
        dataset.GetRasterBand(number).SetNoDataValue(nodata)
    dataset = None
    expected = array.astype(float)
    for index, nodata in ((0, 1), (1, 2), (3, 4)):
        expected[:, :, index][array[:, :, index] == nodata] = np.nan
    with opened(tmp_path / "scene.vrt") as source:
        assert [band.nodata for band in source.bands] == [1.0, 2.0, None, 4.0]
        assert_reads(source, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_and_infinities_are_invalid_without_a_nodata_value(tmp_path: Path, dtype: str) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, dtype)
    array[3, 4, 1], array[9, 0, :], array[36, 22, 6] = np.nan, np.inf, -np.inf
    with opened(write_envi(tmp_path / "scene.bil", array, "bil")) as source:
        assert_reads(source, np.where(np.isfinite(array), array, np.nan))


@pytest.mark.parametrize("inside", ["YES", "NO"], ids=["internal mask", "mask in .msk"])
def test_the_mask_of_a_dataset(tmp_path: Path, inside: str) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, "int16")
    kept = np.random.default_rng(3).uniform(size=(N_ROWS, N_COLS)) > 0.3
    path = write_tiff(tmp_path / "scene.tif", array)
    with_mask = gdal.GetConfigOption("GDAL_TIFF_INTERNAL_MASK")
    gdal.SetConfigOption("GDAL_TIFF_INTERNAL_MASK", inside)
    try:
        dataset = gdal.Open(str(path), gdal.GA_Update)
        dataset.CreateMaskBand(gdal.GMF_PER_DATASET)
        dataset.GetRasterBand(1).GetMaskBand().WriteArray(np.where(kept, 255, 0).astype(np.uint8))
        dataset = None
    finally:
        gdal.SetConfigOption("GDAL_TIFF_INTERNAL_MASK", with_mask)
    assert (tmp_path / "scene.tif.msk").exists() == (inside == "NO")
    with opened(path) as source:
        assert_reads(source, np.where(kept[:, :, None], array, np.nan))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(tmp_path: Path, dtype: str, order: str) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, dtype)
    np.save(tmp_path / "scene.npy", np.asarray(array, order=order))  # type: ignore[call-overload]
    with opened(tmp_path / "scene.npy") as source:
        assert source.dtype == working_dtype(dtype)
        assert stored_types(source) == {dtype}
        assert_reads(source, array)


def test_npy_with_nan_and_of_the_other_byte_order(tmp_path: Path) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, "float64")
    array[2, 3, 4], array[5, 6, :] = np.nan, np.inf
    np.save(tmp_path / "scene.npy", array.astype(">f8"))
    with opened(tmp_path / "scene.npy") as source:
        assert_reads(source, np.where(np.isfinite(array), array, np.nan))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_mat_before_v73(tmp_path: Path, dtype: str, compressed: bool) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, dtype)
    savemat(tmp_path / "scene.mat", {"data": array, "map": array[:, :, 0]}, do_compression=compressed)
    with opened(tmp_path / "scene.mat") as source:
        assert stored_types(source) == {dtype}
        assert_reads(source, array)


def write_mat73(path: Path, **arrays: np.ndarray) -> Path:
    """Write arrays as MATLAB does: HDF5 behind 512 bytes of text, axes reversed."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            stored = np.ascontiguousarray(array.T)
            file.create_dataset(name, data=stored, chunks=tuple(min(8, n) for n in stored.shape), compression="gzip")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


@pytest.mark.parametrize("dtype", DTYPES)
def test_mat_v73(tmp_path: Path, dtype: str) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, dtype)
    path = write_mat73(tmp_path / "scene.mat", data=array, map=array[:, :, 0])
    with opened(path) as source:
        assert source.dtype == working_dtype(dtype)
        assert stored_types(source) == {dtype}
        assert_reads(source, array)


def test_the_variable_of_a_mat_file(tmp_path: Path) -> None:
    one, two = cube(9, 5, 3, "int16", seed=1), cube(6, 4, 3, "float32", seed=2)
    savemat(tmp_path / "five.mat", {"one": one, "two": two})
    write_mat73(tmp_path / "seven.mat", one=one, two=two)
    for name in ("five.mat", "seven.mat"):
        path = str(tmp_path / name)
        with opened(path, "two") as source:
            assert_reads(source, two)
        with pytest.raises(InputError, match=r"2 arrays with 3 axes.*--variable.*one \(9, 5, 3\), two \(6, 4, 3\)"):
            open_source(path)
        with pytest.raises(InputError, match=r"no array 'three'.*one \(9, 5, 3\)"):
            open_source(path, "three")


def test_a_variable_is_refused_where_there_is_none_to_name(tmp_path: Path) -> None:
    np.save(tmp_path / "scene.npy", cube(4, 5, 3))
    tiff = write_tiff(tmp_path / "scene.tif", cube(4, 5, 3))
    for path in (tmp_path / "scene.npy", tiff):
        with pytest.raises(UsageError, match="--variable"):
            open_source(str(path), "data")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_sequence_of_windows_and_bands_reads_the_same_cube(tmp_path: Path, data: st.DataObject) -> None:
    """Also exercises the rows that are kept between windows, whatever comes before."""
    array, expected = with_gaps("int16", -1)
    path = tmp_path / "scene.tif"
    if not path.exists():
        write_tiff(path, array, "TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16", nodata=-1)
    with opened(path) as source:
        for _ in range(data.draw(st.integers(1, 8))):
            row, col = data.draw(st.integers(0, N_ROWS - 1)), data.draw(st.integers(0, N_COLS - 1))
            window = Window(row, data.draw(st.integers(row + 1, N_ROWS)), col, data.draw(st.integers(col + 1, N_COLS)))
            if data.draw(st.booleans()):
                window = window._replace(col_start=0, col_stop=N_COLS)
            numbers = data.draw(st.lists(st.integers(1, N_BANDS), min_size=1, max_size=N_BANDS, unique=True))
            wanted = cut(expected, window)[:, :, [number - 1 for number in numbers]]
            np.testing.assert_array_equal(source.read(window, numbers).values, wanted)


def test_reading_into_an_array_that_is_given(tmp_path: Path) -> None:
    array, expected = with_gaps("int16", -1)
    savemat(tmp_path / "five.mat", {"data": array})
    np.save(tmp_path / "plain.npy", array)
    paths = {
        write_tiff(tmp_path / "scene.tif", array, nodata=-1): expected,
        write_mat73(tmp_path / "seven.mat", data=array): array,
        tmp_path / "five.mat": array,
        tmp_path / "plain.npy": array,
    }
    for path, wanted in paths.items():
        with opened(path) as source:
            for window in (Window(3, 9, 0, N_COLS), Window(3, 9, 2, 11)):
                # A part of a larger array, as the halo leaves it.
                large = np.full((window.n_rows + 4, window.n_cols + 6, 2), -7.0, dtype=source.dtype)
                values, _ = source.read(window, (6, 2), large[2:-2, 3:-3])
                np.testing.assert_array_equal(values, cut(wanted, window)[:, :, [5, 1]])
                assert np.shares_memory(values, large)
                np.testing.assert_array_equal(large[2:-2, 3:-3], values)
                assert (large[:2] == -7).all()
                assert (large[:, :3] == -7).all()


def test_a_mask_raster_takes_pixels_out(tmp_path: Path) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, "int16")
    flags = np.random.default_rng(1).integers(0, 3, (N_ROWS, N_COLS, 1)).astype(np.uint8)
    mask = write_tiff(tmp_path / "mask.tif", flags, nodata=2)
    source = MaskedSource(open_source(str(write_tiff(tmp_path / "scene.tif", array))), open_source(str(mask)))
    assert_reads(source, np.where(flags == 1, array, np.nan))
    assert {Path(file).name for file in source.files} == {"scene.tif", "mask.tif"}
    source.close()


@pytest.mark.parametrize(
    ("shape", "shift", "message"),
    [((N_ROWS, N_COLS + 1), 0.0, "24 columns"), ((N_ROWS, N_COLS), 31.0, "lies elsewhere")],
)
def test_masks_that_do_not_fit(tmp_path: Path, shape: tuple[int, int], shift: float, message: str) -> None:
    place = (380000.0 + shift, 30.0, 0.0, 5800000.0, 0.0, -20.0)
    mask = write_tiff(tmp_path / "mask.tif", np.ones((*shape, 1), dtype=np.uint8), geotransform=place)
    scene = write_tiff(tmp_path / "scene.tif", cube(N_ROWS, N_COLS, 2))
    with opened(scene) as source, opened(mask) as flags, pytest.raises(InputError, match=message):
        MaskedSource(source, flags)


def test_no_file_stays_open_where_a_mask_does_not_fit(tmp_path: Path) -> None:
    scene = write_tiff(tmp_path / "scene.tif", cube(N_ROWS, N_COLS, 2))
    mask = write_tiff(tmp_path / "mask.tif", np.ones((N_ROWS, 5, 1), dtype=np.uint8))
    for path in (mask, tmp_path / "none.tif"):
        # What was raised is kept, and with it whatever the frames below still hold.
        with pytest.raises(InputError) as kept:
            open_masked(str(scene), None, str(path))
        assert open_files().isdisjoint({str(scene), str(mask)}), kept.value


def cut_short(path: Path, part: float) -> Path:
    """Cut a file after this part of its bytes."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    return path


def test_an_envi_file_may_be_longer_than_declared_and_start_late(tmp_path: Path) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, "int16")
    path = write_envi(tmp_path / "scene.bsq", array, header_offset=100)
    path.write_bytes(b"x" * 100 + path.read_bytes())
    with opened(path) as source:
        assert_reads(source, array)
    path.write_bytes(path.read_bytes() + b"more")
    with opened(path) as source:
        assert_reads(source, array)


def big_tiff(tmp_path: Path) -> Path:
    # Incompressible, so that the directory lies at the start and the data is what is cut off.
    array = np.random.default_rng(0).integers(0, 30000, (N_ROWS, N_COLS, N_BANDS)).astype(np.int16)
    return cut_short(write_tiff(tmp_path / "scene.tif", array, "COMPRESS=DEFLATE", "BLOCKYSIZE=4"), 0.6)


def vrt_of_short_envi(tmp_path: Path) -> Path:
    path = write_envi(tmp_path / "scene.bsq", cube(N_ROWS, N_COLS, N_BANDS))
    gdal.Translate(str(tmp_path / "scene.vrt"), str(path))
    cut_short(path, 0.6)
    return tmp_path / "scene.vrt"


def big_vrt(tmp_path: Path) -> Path:
    gdal.Translate(str(tmp_path / "scene.vrt"), str(write_tiff(tmp_path / "scene.tif", cube(N_ROWS, N_COLS, 4))))
    (tmp_path / "scene.tif").unlink()
    return tmp_path / "scene.vrt"


@pytest.mark.parametrize(
    "make",
    [
        lambda folder: cut_short(write_envi(folder / "a.bsq", cube(N_ROWS, N_COLS, N_BANDS), "bsq"), 0.6),
        lambda folder: cut_short(write_envi(folder / "a.bil", cube(N_ROWS, N_COLS, N_BANDS), "bil"), 0.6),
        lambda folder: cut_short(write_envi(folder / "a.bip", cube(N_ROWS, N_COLS, N_BANDS), "bip"), 0.6),
        big_tiff,
        vrt_of_short_envi,
        big_vrt,
    ],
    ids=["bsq", "bil", "bip", "tiff", "vrt of bsq", "vrt without its file"],
)
def test_a_file_that_cannot_be_read_to_its_end_is_an_error_never_zeros(tmp_path: Path, make: object) -> None:
    path = make(tmp_path)  # type: ignore[operator]
    with (
        pytest.raises((RunError, InputError), match=r"(damaged|cut short|Cannot open)") as caught,
        opened(path) as source,
    ):
        source.read(whole(N_ROWS, N_COLS), (1, 2, 3, 4))
    assert path.stem in str(caught.value)
    with pytest.raises((RunError, InputError)), opened(path) as source:
        source.read(Window(30, N_ROWS, 2, 9), (1, 2, 3, 4))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.tif", None, "no file"),
        ("none.npy", None, "no file"),
        ("none.mat", None, "no file"),
        ("text.tif", b"not a raster", "Cannot open"),
        ("empty.tif", b"", "Cannot open"),
        ("text.npy", b"not an array", "NumPy"),
        ("empty.npy", b"", "NumPy"),
        ("text.mat", b"not a matrix", "MATLAB"),
        ("text73.mat", b"MATLAB 7.3 and then nothing", "MATLAB v7.3"),
        ("long" * 100 + ".tif", None, "long"),
        ("long" * 100 + ".mat", None, "long"),
    ],
)
def test_files_that_are_no_rasters(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        open_source(str(tmp_path / name))


def test_folders_are_no_rasters(tmp_path: Path) -> None:
    for name in ("a", "a.npy", "a.mat", "a.hdr"):
        (tmp_path / name).mkdir()
        with pytest.raises(InputError):
            open_source(str(tmp_path / name))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 5)),
        np.zeros((4, 5, 0)),
        np.zeros((2, 3, 4, 5)),
        np.zeros((3, 4, 5), dtype=complex),
        np.full((2, 2, 2), "a"),
        np.array([[[None]]]),
    ],
    ids=["two axes", "no bands", "four axes", "complex", "text", "objects"],
)
def test_arrays_that_are_no_cubes(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "scene.npy", array)
    with pytest.raises(InputError):
        open_source(str(tmp_path / "scene.npy"))


def test_complex_rasters_are_refused(tmp_path: Path) -> None:
    dataset = gdal.GetDriverByName("GTiff").Create(str(tmp_path / "c.tif"), 4, 3, 2, gdal.GDT_CFloat32)
    dataset = None
    assert dataset is None
    with pytest.raises(InputError, match="complex"):
        open_source(str(tmp_path / "c.tif"))


def test_gdals_exception_switch_is_put_back(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "scene.tif", cube(4, 5, 3))
    before = gdal.GetUseExceptions()
    with opened(path) as source:
        source.read(whole(4, 5), (1, 2))
    with pytest.raises(InputError):
        open_source(str(tmp_path / "none.tif"))
    assert gdal.GetUseExceptions() == before
