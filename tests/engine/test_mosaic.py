"""One background for many rasters: the moments of all their pixels, whatever reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferd_engine import detect, detect_raster
from ferd_engine.batch import run_batch
from ferd_engine.cli import main
from ferd_engine.errors import InputError, UsageError
from ferd_engine.statistics import Moments

from .rasters import NODATA, cube, flight_line, flight_lines, read_scores, write_lines, write_tiff

N_BANDS = 7


LINES = flight_lines(N_BANDS)


@pytest.fixture
def mosaic(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "lines", LINES)


def valid_pixels(values: np.ndarray) -> np.ndarray:
    pixels = values.reshape(-1, values.shape[2]).astype(np.float64)
    return pixels[(pixels != NODATA).all(axis=1)]


def naive_scores(values: np.ndarray, background: np.ndarray) -> np.ndarray:
    """GRX of an image by the mean and covariance of other pixels, in float64."""
    distances = values.reshape(-1, values.shape[2]).astype(np.float64) - background.mean(axis=0)
    scores = (distances @ np.linalg.inv(np.cov(background.T)) * distances).sum(axis=1)
    scores[(values.reshape(-1, values.shape[2]) == NODATA).any(axis=1)] = np.nan
    return scores.reshape(values.shape[:2])


def all_pixels(bands: Any = slice(None)) -> np.ndarray:
    return np.concatenate([valid_pixels(values)[:, bands] for values in LINES])


def test_scores_are_by_the_pixels_of_all_rasters(mosaic: Path, tmp_path: Path) -> None:
    for index, values in enumerate(LINES):
        report = detect_raster(
            mosaic / f"line{index}.tif", tmp_path / f"{index}.tif", enhance=False, background_of=str(mosaic)
        )
        np.testing.assert_allclose(read_scores(report.output)[:, :, 0], naive_scores(values, all_pixels()), rtol=2e-6)
        assert report.valid_pixels == len(valid_pixels(values))


@pytest.mark.parametrize("scheduler", [None, "local:1", "local:2"])
def test_a_batch_takes_the_background_once(mosaic: Path, tmp_path: Path, scheduler: str | None) -> None:
    if scheduler is not None:
        pytest.importorskip("distributed", reason="the extra scale is not installed")
    out = tmp_path / "out"
    options = {"enhance": False, "background_of": str(mosaic), "scheduler": scheduler}
    report = run_batch(mosaic, out, **options)
    assert report.counts["done"] == len(LINES)
    for index, values in enumerate(LINES):
        np.testing.assert_allclose(
            read_scores(out / f"line{index}_score.tif")[:, :, 0], naive_scores(values, all_pixels()), rtol=2e-6
        )
    kept = list((out / ".ferd_batch").glob("background-*"))
    assert [path.suffix for path in kept] == [".npz"]
    assert run_batch(mosaic, out, resume=True, **options).counts["current"] == len(LINES)
    # Another line is another background for all of them.
    write_tiff(mosaic / "line0.tif", LINES[0] * np.float32(1.1), nodata=float(np.float32(NODATA) * np.float32(1.1)))
    assert run_batch(mosaic, out, resume=True, **options).counts["done"] == len(LINES)


def test_a_cluster_of_any_size_gives_the_same(mosaic: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the extra scale is not installed")
    options = {"enhance": False, "background_of": str(mosaic), "covariance": "oas"}
    plain = read_scores(detect_raster(mosaic / "line2.tif", tmp_path / "plain.tif", **options).output)
    for scheduler in ("local:1", "local:3"):
        report = detect_raster(
            mosaic / "line2.tif", tmp_path / "apart.tif", scheduler=scheduler, overwrite=True, **options
        )
        np.testing.assert_allclose(read_scores(report.output), plain, rtol=1e-6)


def test_a_band_that_is_dead_in_one_raster_is_left_out_of_all(mosaic: Path, tmp_path: Path) -> None:
    dead = LINES[1].copy()
    dead[:, :, 4] = np.where(dead[:, :, 4] == NODATA, NODATA, 50.0)
    write_tiff(mosaic / "line1.tif", dead, nodata=NODATA)
    report = detect_raster(mosaic / "line0.tif", tmp_path / "out.tif", enhance=False, background_of=str(mosaic))
    bands = [0, 1, 2, 3, 5, 6]
    assert report.bands_used == "1-4,6-7"
    background = all_pixels(bands)
    np.testing.assert_allclose(
        read_scores(report.output)[:, :, 0], naive_scores(LINES[0][:, :, bands], background), rtol=2e-6
    )


def test_rasters_whose_valid_pixels_no_probe_meets(mosaic: Path, tmp_path: Path) -> None:
    values = np.full((90, 101, N_BANDS), NODATA, dtype=np.float32)
    values[:4] = flight_line(4, 101, N_BANDS, 3)
    values[:4][values[:4] == NODATA] = 77.0
    path = write_tiff(mosaic / "edge.tif", values, nodata=NODATA)
    report = detect_raster(path, tmp_path / "out.tif", enhance=False, background_of=str(mosaic))
    background = np.concatenate([all_pixels(), valid_pixels(values)])
    np.testing.assert_allclose(read_scores(report.output)[:, :, 0], naive_scores(values, background), rtol=2e-6)


def test_a_list_of_rasters_by_the_command(mosaic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = tmp_path / "names.txt"
    names.write_text("".join(f"{mosaic / f'line{index}.tif'}\n" for index in (0, 2)))
    output = str(tmp_path / "out.tif")
    code = main(["detect", str(mosaic / "line0.tif"), output, "--no-enhance", "--background-of", str(names)])
    assert code == 0
    background = np.concatenate([valid_pixels(LINES[0]), valid_pixels(LINES[2])])
    np.testing.assert_allclose(read_scores(output)[:, :, 0], naive_scores(LINES[0], background), rtol=2e-6)


def test_what_makes_no_common_background(mosaic: Path, tmp_path: Path) -> None:
    out, first = tmp_path / "out.tif", mosaic / "line0.tif"
    options: dict[str, Any] = {"enhance": False, "background_of": str(mosaic)}
    for changes, said in (
        ({"detector": "lrx"}, "does not score by one mean"),
        ({"mean": "local"}, "does not score by one mean"),
        ({"covariance": "ledoit-wolf"}, "does not score by one mean"),
        ({"background": "roi.tif"}, "drop one of them"),
    ):
        with pytest.raises(UsageError, match=said):
            detect_raster(first, out, **{**options, **changes})
    write_tiff(mosaic / "other.tif", cube(20, 21, N_BANDS + 1))
    with pytest.raises(InputError, match=r"other\.tif has 8 bands and .*line0\.tif has 7"):
        detect_raster(first, out, **options)
    (mosaic / "other.tif").unlink()
    with pytest.raises(InputError, match="has 8 bands and the background's rasters have 7"):
        detect_raster(write_tiff(tmp_path / "other.tif", cube(20, 21, N_BANDS + 1)), out, **options)
    odd = flight_line(30, 17, N_BANDS, 5)
    odd[:, :, 0] = np.where(odd[:, :, 0] == NODATA, NODATA, 1.0)
    with pytest.raises(InputError, match=r"The band 1 of .*odd\.tif is bad, constant"):
        detect_raster(write_tiff(tmp_path / "odd.tif", odd, nodata=NODATA), out, **options)
    (tmp_path / "no.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match="is no background of several rasters"):
        detect_raster(first, out, enhance=False, background_of=str(tmp_path / "no.npz"))
    with pytest.raises(UsageError, match="background_of is for rasters"):
        detect(LINES[0], **options)
    assert not out.exists()


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6))
def test_moments_of_parts_are_those_of_the_whole(sizes: list[int]) -> None:
    pixels = cube(sum(sizes) + 2, 1, 3).reshape(-1, 3)
    whole, merged = Moments(3), Moments(3)
    whole.add(pixels)
    for part in np.split(pixels, np.cumsum(sizes)):
        one = Moments(3)
        one.add(part)
        merged.merge(Moments.from_arrays(one.as_arrays()))
    assert merged.count == whole.count
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(merged.covariance(), whole.covariance(), rtol=1e-9, atol=1e-9)
