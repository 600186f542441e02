"""The first pass: dead bands, value range and moments, whatever the blocks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferd_engine.parallel
import ferd_engine.scan
from ferd_engine.context import RunContext
from ferd_engine.errors import InputError, RunError
from ferd_engine.raster import ArraySource, GdalSource, PlainSource, open_source
from ferd_engine.scaling import ValueRange
from ferd_engine.scan import Scan, probe, scan
from ferd_engine.windows import Window

from .rasters import cube, write_envi, write_tiff

N_ROWS, N_COLS, N_BANDS = 83, 61, 9
# Outside the five windows that the probe looks at.
UNSEEN = (0, 0)


class CountingSource(ArraySource):
    """An array that counts how often each pixel was read."""

    def __init__(self, array: np.ndarray) -> None:
        super().__init__(array)
        self.count = np.zeros(array.shape[:2], dtype=int)

    def read(self, window: Window, numbers: Sequence[int], out: Any = None) -> Any:
        self.count[window.row_start : window.row_stop, window.col_start : window.col_stop] += 1
        return super().read(window, numbers, out)


def first(n_wanted: int) -> Any:
    """Return a choice of the first bands, as a model makes it."""

    def pick(alive: Sequence[int]) -> tuple[int, ...]:
        if len(alive) < n_wanted:
            raise InputError(f"needs {n_wanted} bands")
        return tuple(alive[:n_wanted])

    return pick


def scanned(
    array: np.ndarray, n_wanted: int = 3, usable: Sequence[int] = tuple(range(1, N_BANDS + 1)), **changes: Any
) -> Scan:
    settings = {"scaling": "minmax", "with_moments": True, "context": RunContext(), **changes}
    return scan(ArraySource(array), usable, first(n_wanted), **settings)


def scene() -> np.ndarray:
    return cube(N_ROWS, N_COLS, N_BANDS, "float64")


def dead(array: np.ndarray, number: int, kind: str) -> None:
    """Make a band wholly nodata, constant, or constant where it is valid."""
    array[:, :, number - 1] = np.nan if kind == "nodata" else 7.0
    if kind == "constant with gaps":
        array[::3, :, number - 1] = np.nan


@pytest.mark.parametrize("shape", [(N_ROWS, N_COLS), (16, N_COLS), (1, N_COLS), (16, 16), (5, 7)])
@pytest.mark.parametrize("scaling", ["minmax", "percentile"])
def test_numbers_of_the_pass_are_those_of_the_whole_image(
    shape: tuple[int, int], scaling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ferd_engine.scan, "block_shape", lambda *_: shape)
    array = scene()
    array[10:14, 20:33, 1] = np.nan
    array[70, 5, 6] = np.nan
    found = scanned(array, 4, scaling=scaling)
    # The gap in band 7 is none of the bands used.
    pixels = array[:, :, :4].reshape(-1, 4)
    pixels = pixels[np.isfinite(pixels).all(axis=1)]
    assert (found.numbers, found.dead, found.n_valid) == ((1, 2, 3, 4), (), len(pixels))
    limits = [pixels.min(), pixels.max()] if scaling == "minmax" else np.percentile(pixels, [0.01, 99.99])
    assert found.scaling is not None
    np.testing.assert_allclose([found.scaling.low, found.scaling.high], limits, rtol=1e-12)
    np.testing.assert_allclose(found.mean, pixels.mean(axis=0), rtol=1e-12)
    assert found.moments is not None
    np.testing.assert_allclose(found.moments.mean, pixels.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.moments.covariance(), np.cov(pixels.T), rtol=1e-10, atol=1e-12)


@pytest.fixture
def three_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let three threads read even small images."""
    monkeypatch.setattr(ferd_engine.scan, "_VALUES_FOR_THREADS", 1)
    monkeypatch.setattr(ferd_engine.parallel, "thread_count", lambda: 3)


@pytest.mark.usefixtures("three_readers")
@pytest.mark.parametrize("scaling", ["minmax", "percentile"])
@pytest.mark.parametrize("suffix", [".bil", ".tif"])
def test_several_readers_find_what_one_finds(suffix: str, scaling: str, tmp_path: Path) -> None:
    array = cube(N_ROWS, N_COLS, N_BANDS, "int16")
    array[40:, :, 4] = array[0, 0, 4] = 77
    array[70:75, 9:20] = -1
    if suffix == ".tif":
        path = write_tiff(tmp_path / "a.tif", array, "TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=32", nodata=-1)
    else:
        path = write_envi(tmp_path / "a.bil", array, "bil", data_ignore_value=-1)
    source = open_source(str(path))
    found = scan(source, range(1, 10), first(9), scaling=scaling, with_moments=True, context=RunContext())
    source.close()
    holes = np.where((array == -1).any(axis=2, keepdims=True), np.nan, array.astype(np.float64))
    expected = scanned(holes, 9, scaling=scaling)
    assert (found.numbers, found.dead, found.n_valid) == (expected.numbers, (), N_ROWS * N_COLS - 55)
    assert found.scaling == expected.scaling
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-6)
    np.testing.assert_allclose(found.moments.covariance(), expected.moments.covariance(), rtol=1e-10)


@pytest.mark.usefixtures("three_readers")
@pytest.mark.parametrize("low_blocks", [False, True])
@pytest.mark.parametrize("scaling", ["minmax", "percentile"])
@pytest.mark.parametrize("kind", ["bil", "bsq", "bip", "tif", "packed"])
def test_rows_as_they_are_stored_give_what_their_values_give(
    kind: str, scaling: str, low_blocks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if low_blocks:
        monkeypatch.setattr(ferd_engine.scan, "_LOW_BLOCK_BYTES", 1)
    array = cube(N_ROWS, N_COLS, N_BANDS, "uint16")
    # Beyond int16, and a band that only looks dead.
    array[60, 30, 2] = 65535
    array[:, :, 4] = 77
    array[UNSEEN] = 78
    if kind in ("tif", "packed"):
        how = ("TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=32", *(("COMPRESS=LZW",) if kind == "packed" else ()))
        path = write_tiff(tmp_path / "a.tif", array, *how)
    else:
        path = write_envi(tmp_path / f"a.{kind}", array, kind)
    source = open_source(str(path))
    assert isinstance(source, PlainSource)
    assert source.is_plain(range(1, 10))
    monkeypatch.setattr(GdalSource, "read", probe_only(GdalSource.read))
    wanted = ferd_engine.scan.Wanted((1, 2, 3, 4, 6, 7, 8, 9), (5,), scaling, True, N_ROWS * N_COLS)
    found = ferd_engine.scan.tally_image(source, wanted, RunContext())
    source.close()
    values = array.astype(np.float64)
    expected = ferd_engine.scan.tally_image(ArraySource(values), wanted, RunContext())
    assert found.value_range is not None
    assert expected.value_range is not None
    assert found.value_range.scaling() == expected.value_range.scaling()
    assert (found.n_valid, found.extrema.dead().tolist()) == (N_ROWS * N_COLS, [False])
    if isinstance(found.value_range, ValueRange) and isinstance(expected.value_range, ValueRange):
        assert found.value_range.rare_range() == expected.value_range.rare_range()
    np.testing.assert_allclose(found.total, expected.total, rtol=1e-6)
    assert found.moments is not None
    assert expected.moments is not None
    np.testing.assert_allclose(found.moments.mean, expected.moments.mean, rtol=1e-12)
    np.testing.assert_allclose(found.moments.covariance(), expected.moments.covariance(), rtol=1e-10)
    np.testing.assert_array_equal(found.moments.maximum, values[:, :, np.array(wanted.numbers) - 1].max(axis=(0, 1)))


@pytest.mark.parametrize("kind", ["bil", "bsq", "bip"])
def test_pixels_of_a_narrow_image_come_many_rows_at_a_time(kind: str, tmp_path: Path) -> None:
    array = cube(1100, 2, 3, "int16")
    source = open_source(str(write_envi(tmp_path / f"narrow.{kind}", array, kind)))
    assert isinstance(source, PlainSource)
    pieces = [pixels.copy() for pixels in source.stored_rows(70, 1090, (3, 1))]
    source.close()
    assert len(pieces) <= 5
    np.testing.assert_array_equal(np.hstack(pieces), array[70:1090, :, [2, 0]].reshape(-1, 2).T)


def probe_only(read: Any) -> Any:
    """Return a reader of windows that refuses whole rows."""

    def reads_part(self: Any, window: Window, *arguments: Any) -> Any:
        assert window.n_cols < self.n_cols
        return read(self, window, *arguments)

    return reads_part


@pytest.mark.parametrize(
    "header", [{"data_ignore_value": 5}, {"data_gain_values": "{" + ", ".join(["2"] * N_BANDS) + "}"}]
)
def test_rows_that_mean_other_values_than_they_hold_are_not_plain(header: dict[str, Any], tmp_path: Path) -> None:
    source = open_source(str(write_envi(tmp_path / "a.bil", cube(N_ROWS, N_COLS, N_BANDS, "int16"), "bil", **header)))
    assert isinstance(source, PlainSource)
    assert not source.is_plain((1, 2))
    source.close()
    floats = open_source(str(write_envi(tmp_path / "b.bil", scene().astype(np.float32), "bil")))
    assert isinstance(floats, PlainSource)
    assert not floats.is_plain((1, 2))
    floats.close()


@pytest.mark.usefixtures("three_readers")
def test_an_error_of_one_reader_ends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ferd_engine.scan, "block_shape", lambda *_: (1, N_COLS))
    n_read = []

    def read(self: Any, window: Window, *arguments: Any) -> Any:
        n_read.append(window)
        if window.row_start >= 2 * N_ROWS // 3:
            raise RunError("The last third cannot be read.")
        time.sleep(0.005)
        return understood(self, window, *arguments)

    understood = ArraySource.read
    source = ArraySource(scene())
    monkeypatch.setattr(ferd_engine.scan, "probe", lambda *_: ())
    monkeypatch.setattr(ArraySource, "read", read)
    with pytest.raises(RunError, match="last third"):
        scan(source, range(1, 10), first(9), scaling="minmax", with_moments=False, context=RunContext())
    assert len(n_read) < N_ROWS // 2


@pytest.mark.parametrize("kind", ["nodata", "constant", "constant with gaps"])
def test_dead_bands_are_left_out_and_cost_no_pixel(kind: str) -> None:
    array = scene()
    for number in (1, 3, 9):
        dead(array, number, kind)
    source = CountingSource(array)
    assert probe(source, range(1, 10)) == (1, 3, 9)
    source.count[:] = 0
    found = scan(source, range(1, 10), first(4), scaling="minmax", with_moments=False, context=RunContext())
    assert (found.numbers, found.dead, found.n_valid) == ((2, 4, 5, 6), (1, 3, 9), N_ROWS * N_COLS)
    # The raster is read once; only the probe's windows twice.
    assert source.count[UNSEEN] == 1


def test_a_suspect_that_turns_out_alive_is_used() -> None:
    array = scene()
    array[:, :, 1] = 5.0
    array[UNSEEN][1] = 6.0
    dead(array, 4, "nodata")
    source = CountingSource(array)
    assert probe(source, range(1, 10)) == (2, 4)
    source.count[:] = 0
    found = scan(source, range(1, 10), first(4), scaling="minmax", with_moments=True, context=RunContext())
    assert (found.numbers, found.dead) == ((1, 2, 3, 5), (4,))
    assert source.count[UNSEEN] == 2
    pixels = array[:, :, [0, 1, 2, 4]].reshape(-1, 4)
    assert found.moments is not None
    np.testing.assert_allclose(found.moments.covariance(), np.cov(pixels.T), rtol=1e-10, atol=1e-12)
    assert found.scaling is not None
    assert (found.scaling.low, found.scaling.high) == (pixels.min(), pixels.max())


def test_all_suspects_turn_out_alive() -> None:
    # Data in one corner alone, as at the end of a flight line.
    array = np.full((N_ROWS, N_COLS, N_BANDS), np.nan)
    array[:5, :6] = scene()[:5, :6]
    assert len(probe(ArraySource(array), range(1, 10))) == N_BANDS
    found = scanned(array, 9)
    assert (found.numbers, found.dead, found.n_valid) == (tuple(range(1, 10)), (), 30)


def test_too_few_bands_until_the_suspects_are_cleared() -> None:
    array = scene()
    array[:, :, :6] = 5.0
    array[UNSEEN][:6] = 6.0
    assert scanned(array, 9).numbers == tuple(range(1, 10))
    dead(array, 1, "constant")
    with pytest.raises(InputError, match="needs 9 bands"):
        scanned(array, 9)


@pytest.mark.parametrize("kind", ["nodata", "constant", "constant with gaps"])
def test_all_bands_dead(kind: str) -> None:
    array = scene()
    for number in range(1, 10):
        dead(array, number, kind)
    with pytest.raises(InputError, match="None of the 9 usable bands"):
        scanned(array)


def test_no_pixel_valid_in_all_bands() -> None:
    array = scene()
    array[::2, :, 0] = np.nan
    array[1::2, :, 1] = np.nan
    with pytest.raises(InputError, match="No pixel of the cube is valid in all 3 bands"):
        scanned(array)
    assert scanned(array, usable=(2, 3, 4)).n_valid == (N_ROWS + 1) // 2 * N_COLS


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (3, 2)])
def test_tiny_images(shape: tuple[int, int]) -> None:
    array = cube(*shape, 4, "float64") if shape != (1, 1) else np.arange(4.0).reshape(1, 1, 4)
    if shape == (1, 1):
        with pytest.raises(InputError, match="two different valid"):
            scanned(array, 2, usable=(1, 2, 3, 4))
    else:
        assert scanned(array, 2, usable=(1, 2, 3, 4)).n_valid == shape[0] * shape[1]
