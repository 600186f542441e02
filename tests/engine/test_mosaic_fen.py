"""One background for many rasters after FEN: one scaling, one selection of bands, moments of all enhanced pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferd_engine import detect_raster, open_model
from ferd_engine.bands import parse_band_list
from ferd_engine.batch import run_batch
from ferd_engine.errors import InputError
from ferd_engine.fen.bundle import save_model
from ferd_engine.fen.numpy_backend import NumpyBackend

from .rasters import NODATA, flight_line, flight_lines, read_scores, write_lines, write_tiff

N_BANDS = 55
OPTIONS: dict[str, Any] = {"model": "fen-50", "backend": "numpy"}


LINES = flight_lines(N_BANDS)


@pytest.fixture
def mosaic(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "lines", LINES)


def plain_scores(lines: list[np.ndarray], bands_used: str, percentiles: tuple[float, float]) -> list[np.ndarray]:
    """GRX of images after FEN as one would do it with all pixels in memory: scale, enhance, concatenate, score."""
    bands = [number - 1 for number in parse_band_list(bands_used, N_BANDS)]
    images = [values[:, :, bands].astype(np.float64) for values in lines]
    masks = [(image != NODATA).all(axis=2) for image in images]
    pixels = np.concatenate([image[mask] for image, mask in zip(images, masks)])
    low, high = np.percentile(pixels, percentiles)
    model = open_model("fen-50")
    backend, halo = NumpyBackend(model.architecture, model.weights, threads=1), model.architecture.halo_px
    enhanced = []
    for image, mask in zip(images, masks):
        filled = np.where(mask[:, :, None], image, pixels.mean(axis=0))
        scaled = ((filled - low) / (high - low) * 2.0 - 1.0) * 0.1
        padded = np.pad(scaled, ((halo, halo), (halo, halo), (0, 0)), mode="reflect")
        enhanced.append(backend.enhance(np.ascontiguousarray(padded, dtype=np.float32)).astype(np.float64))
    background = np.concatenate([values[mask] for values, mask in zip(enhanced, masks)])
    inverse = np.linalg.inv(np.cov(background.T))
    scores = []
    for values, mask in zip(enhanced, masks):
        distances = values - background.mean(axis=0)
        found = np.einsum("rcb,bd,rcd->rc", distances, inverse, distances)
        scores.append(np.where(mask, found, np.nan))
    return scores


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    # The network computes in float32, and its sums have another order in blocks of another height.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * float(np.nanmax(expected)))


@pytest.mark.parametrize(("scaling", "percentiles"), [("minmax", (0.0, 100.0)), ("percentile", (0.01, 99.99))])
def test_scores_are_by_the_enhanced_pixels_of_all_rasters(
    mosaic: Path, tmp_path: Path, scaling: str, percentiles: tuple[float, float]
) -> None:
    expected = None
    for index in range(len(LINES)):
        report = detect_raster(
            mosaic / f"line{index}.tif",
            tmp_path / f"{index}.tif",
            background_of=str(mosaic),
            scaling=scaling,
            **OPTIONS,
        )
        expected = expected or plain_scores(LINES, report.bands_used, percentiles)
        assert_close(read_scores(report.output)[:, :, 0], expected[index])
        assert report.bands == 50


@pytest.mark.parametrize("scheduler", [None, "local:1", "local:2", "local:4"])
def test_a_batch_of_any_number_of_workers(mosaic: Path, tmp_path: Path, scheduler: str | None) -> None:
    if scheduler is not None:
        pytest.importorskip("distributed", reason="the extra scale is not installed")
    out = tmp_path / "out"
    # With fewer rasters than workers these are cut into strips, else each is one task.
    report = run_batch(mosaic, out, background_of=str(mosaic), scheduler=scheduler, memory="256MiB", **OPTIONS)
    assert report.counts["done"] == len(LINES)
    bands_used = {result.report["bands_used"] for result in report.results}
    assert len(bands_used) == 1
    for index, expected in enumerate(plain_scores(LINES, bands_used.pop(), (0.0, 100.0))):
        assert_close(read_scores(out / f"line{index}_score.tif")[:, :, 0], expected)


def test_a_run_on_a_cluster_takes_the_background_there(mosaic: Path, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the extra scale is not installed")
    report = detect_raster(
        mosaic / "line1.tif", tmp_path / "out.tif", background_of=str(mosaic), scheduler="local:2", **OPTIONS
    )
    expected = plain_scores(LINES, report.bands_used, (0.0, 100.0))
    assert_close(read_scores(report.output)[:, :, 0], expected[1])


def test_a_band_that_is_dead_in_one_raster_is_left_out_of_all(mosaic: Path, tmp_path: Path) -> None:
    lines = [values.copy() for values in LINES]
    lines[1][:, :, 4] = np.where(lines[1][:, :, 4] == NODATA, NODATA, 50.0)
    lines[2][:, :, 7] = NODATA
    for index in (1, 2):
        write_tiff(mosaic / f"line{index}.tif", lines[index], nodata=NODATA)
    report = detect_raster(mosaic / "line0.tif", tmp_path / "out.tif", background_of=str(mosaic), **OPTIONS)
    assert not {5, 8} & set(parse_band_list(report.bands_used, N_BANDS))
    expected = plain_scores(lines, report.bands_used, (0.0, 100.0))
    assert_close(read_scores(report.output)[:, :, 0], expected[0])


@pytest.mark.parametrize("scaling", ["minmax", "percentile"])
def test_a_mosaic_of_one_raster_is_that_raster(mosaic: Path, tmp_path: Path, scaling: str) -> None:
    names = tmp_path / "one.txt"
    names.write_text(f"{mosaic / 'line2.tif'}\n")
    options = {**OPTIONS, "scaling": scaling}
    plain = detect_raster(mosaic / "line2.tif", tmp_path / "plain.tif", **options)
    alike = detect_raster(mosaic / "line2.tif", tmp_path / "alike.tif", background_of=str(names), **options)
    assert_close(read_scores(alike.output), read_scores(plain.output))
    assert (alike.scaling, alike.bands_used, alike.model) == (plain.scaling, plain.bands_used, plain.model)
    assert (alike.valid_pixels, alike.warnings) == (plain.valid_pixels, plain.warnings)


def test_a_smaller_model_is_taken_for_all_and_said(mosaic: Path, tmp_path: Path) -> None:
    report = detect_raster(
        mosaic / "line0.tif", tmp_path / "out.tif", background_of=str(mosaic), model="fen-100", backend="numpy"
    )
    assert report.model == "fen-50"
    assert report.warnings == ("The model fen-100 needs more than the 55 usable bands: fen-50 ran instead.",)


def test_resume_takes_the_background_anew_where_something_changed(mosaic: Path, tmp_path: Path) -> None:
    out, folder = tmp_path / "out", tmp_path / "mine"
    model = open_model("fen-50")
    save_model(replace(model, name="mine"), folder)
    options: dict[str, Any] = {"background_of": str(mosaic), "model": str(folder), "backend": "numpy", "resume": True}

    def kept() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (out / ".ferd_batch").glob("background-*.npz")}

    assert run_batch(mosaic, out, **options).counts["done"] == len(LINES)
    first = kept()
    assert len(first) == 1
    (out / "line1_score.tif").unlink()
    counts = run_batch(mosaic, out, **options).counts
    assert (counts["current"], counts["done"]) == (2, 1)
    assert kept() == first
    # Covariance and threshold are of the scores alone.
    assert run_batch(mosaic, out, covariance="oas", **options).counts["done"] == len(LINES)
    assert kept() == first
    assert run_batch(mosaic, out, scaling="percentile", **options).counts["done"] == len(LINES)
    assert len(kept()) == 2
    weights = {name: values * np.float32(1.01) for name, values in model.weights.items()}
    save_model(replace(model, name="mine", weights=weights), folder, overwrite=True)
    assert run_batch(mosaic, out, **options).counts["done"] == len(LINES)
    assert len(kept()) == 3
    write_tiff(mosaic / "line0.tif", flight_line(40, 23, N_BANDS, 7), nodata=NODATA)
    assert run_batch(mosaic, out, **options).counts["done"] == len(LINES)
    assert len(kept()) == 4


def test_a_kept_background_is_of_its_model_and_its_kind_of_bands(mosaic: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_batch(mosaic, out, background_of=str(mosaic), **OPTIONS)
    (kept,) = (out / ".ferd_batch").glob("background-*.npz")
    with pytest.raises(InputError, match="taken with enhancement and this run goes the other way"):
        detect_raster(mosaic / "line0.tif", tmp_path / "no.tif", enhance=False, background_of=str(kept))
    model = open_model("fen-50")
    weights = {name: values * np.float32(1.01) for name, values in model.weights.items()}
    save_model(replace(model, name="mine", weights=weights), tmp_path / "mine")
    with pytest.raises(InputError, match="other weights than those of the model mine"):
        detect_raster(
            mosaic / "line0.tif",
            tmp_path / "no.tif",
            background_of=str(kept),
            **{**OPTIONS, "model": str(tmp_path / "mine")},
        )
    assert not (tmp_path / "no.tif").exists()
