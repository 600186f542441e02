"""Whole runs against their definition, whatever memory, blocks, backend, file and door."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferd_engine
import ferd_engine.blocking
import ferd_engine.features
import ferd_engine.pipeline
import ferd_engine.raster.row_order
import ferd_engine.scan
from ferd_engine import detect, detect_raster, enhance, enhance_raster
from ferd_engine.context import RunContext
from ferd_engine.errors import FerdError, InputError, ModelError, UsageError
from ferd_engine.fen.bundle import Model
from ferd_engine.options import DetectOptions
from ferd_engine.pipeline import run_detection
from ferd_engine.raster import ArraySource, open_source

from .detectors.arrays import ArraySink
from .rasters import cube, read_scores, write_envi, write_tiff
from .scenes import assert_close, naive_enhanced, naive_scores, with_holes
from .test_features import CountingBackend

N_ROWS, N_COLS = 53, 47


def scene(n_bands: int = 8, dtype: str = "float32") -> np.ndarray:
    return with_holes(N_ROWS, N_COLS, n_bands, dtype)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_detection_with_enhancement(small_model: Model, backend: str, dtype: str) -> None:
    if backend == "torch":
        pytest.importorskip("torch")
    array = scene(dtype=dtype)
    found = detect(array, model=small_model.folder, backend=backend)
    assert found.dtype == np.float32
    assert_close(found, naive_scores(array, small_model))


def test_detection_of_raw_bands() -> None:
    array = scene()
    assert_close(detect(array, enhance=False), naive_scores(array, None))
    assert_close(detect(array, enhance=False, bands="2-4,8"), naive_scores(array[:, :, [1, 2, 3, 7]], None))


@pytest.mark.parametrize("scaling", ["minmax", "percentile"])
def test_enhancement(small_model: Model, scaling: str) -> None:
    array = scene()
    array[4, 5] *= 30.0
    found = enhance(array, model=small_model.folder, scaling=scaling)
    assert found.dtype == np.float32
    assert_close(found, naive_enhanced(array, small_model, percentile=scaling == "percentile"), 1e-5)


def test_the_order_of_the_users_bands_is_kept(small_model: Model) -> None:
    array = scene()
    found = enhance(array, model=small_model.folder, bands="8,1,3-5,2,6")
    assert_close(found, naive_enhanced(array[:, :, [7, 0, 2, 3, 4, 1]], small_model), 1e-5)


@pytest.mark.parametrize("shape", [(1, N_COLS), (16, N_COLS), (16, 16), (9, 4)])
@pytest.mark.parametrize("raw", [False, True], ids=["FEN", "raw"])
def test_results_do_not_depend_on_the_blocks(
    small_model: Model, shape: tuple[int, int], raw: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = scene()
    for module in (ferd_engine.scan, ferd_engine.features):
        monkeypatch.setattr(module, "block_shape", lambda *_: shape)
    options: dict[str, Any] = {"enhance": False} if raw else {"model": small_model.folder}
    assert_close(detect(array, **options), naive_scores(array, None if raw else small_model))


@pytest.mark.parametrize("detector", ["grx", "slrx"])
def test_each_pixel_goes_through_fen_once_also_when_spilled(
    small_model: Model, detector: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 10 MB enhanced: more than half of the 16 MiB that the smallest budget leaves.
    array = cube(640, 650, 6, "int16")
    counters = []

    def counted(model: Model, *arguments: Any) -> Any:
        counters.append(CountingBackend(open_backend(model, *arguments), model.architecture.halo_px))
        return counters[-1]

    open_backend = ferd_engine.pipeline.open_backend
    monkeypatch.setattr(ferd_engine.pipeline, "open_backend", counted)
    options = DetectOptions(model=str(small_model.folder), detector=detector, backend="numpy")
    found = {}
    for name, budget in (("memory", 1 << 30), ("file", 1)):
        context = RunContext(budget_bytes=budget, scratch_folder=tmp_path)
        sink = ArraySink(640, 650)
        files: list[str] = []
        score = ferd_engine.pipeline.MaskedCube.read
        monkeypatch.setattr(
            ferd_engine.pipeline.MaskedCube,
            "read",
            lambda self, window, score=score, files=files: (
                files.extend(path.name for path in tmp_path.iterdir()) or score(self, window)
            ),
        )
        run_detection(ArraySource(array), options, sink, context)
        monkeypatch.setattr(ferd_engine.pipeline.MaskedCube, "read", score)
        assert bool(files) == (name == "file")
        context.close()
        assert list(tmp_path.iterdir()) == []
        assert (sink.written == 1).all()
        found[name] = sink.scores.astype(float)
    assert [counter.n_pixels for counter in counters] == [array[:, :, 0].size] * 2
    assert_close(found["file"], found["memory"], 1e-5)


@pytest.mark.parametrize("enhanced", [True, False], ids=["FEN", "raw"])
def test_tiles_that_the_budget_does_not_hold_give_the_same(
    small_model: Model, enhanced: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reordered = []
    copy = ferd_engine.raster.row_order.RowOrderSource._copy
    monkeypatch.setattr(
        ferd_engine.raster.row_order.RowOrderSource,
        "_copy",
        lambda self, *arguments: reordered.append(context.budget_bytes) or copy(self, *arguments),
    )
    array = cube(520, 600, 20, "int16")
    array[100:140, 50:90] = -1
    options = DetectOptions(model=str(small_model.folder) if enhanced else None, enhance=enhanced, backend="numpy")
    tiled = ("TILED=YES", "BLOCKXSIZE=256", "BLOCKYSIZE=512", "COMPRESS=DEFLATE")
    path = write_tiff(tmp_path / "tiled.tif", array, *tiled, nodata=-1)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = []
    for budget in (1 << 30, 1):
        source, sink = open_source(str(path)), ArraySink(520, 600)
        context = RunContext(budget_bytes=budget, scratch_folder=scratch)
        run_detection(source, options, sink, context)
        context.close()
        source.close()
        found.append(sink.scores.astype(float))
    assert list(scratch.iterdir()) == []
    assert reordered == [1]
    assert np.isnan(found[0][100:140, 50:90]).all()
    assert_close(found[1], found[0], 1e-5)


@pytest.mark.parametrize("enhanced", [True, False], ids=["FEN", "raw"])
def test_arrays_and_rasters_give_the_same(small_model: Model, enhanced: bool, tmp_path: Path) -> None:
    array = scene()
    options: dict[str, Any] = {"model": small_model.folder, "enhance": True} if enhanced else {"enhance": False}
    expected = detect(array, **options)
    np.save(tmp_path / "a.npy", array)
    inputs = [
        tmp_path / "a.npy",
        write_envi(tmp_path / "a.bil", array, "bil"),
        write_tiff(tmp_path / "a.tif", np.where(np.isfinite(array), array, -1), "INTERLEAVE=PIXEL", nodata=-1),
    ]
    for index, path in enumerate(inputs):
        report = detect_raster(path, tmp_path / f"out{index}.tif", **options)
        np.testing.assert_allclose(read_scores(report.output)[:, :, 0], expected, rtol=1e-6)


def test_enhanced_rasters_are_the_enhanced_array(small_model: Model, tmp_path: Path) -> None:
    array = scene()
    expected = enhance(array, model=small_model.folder)
    path = write_envi(tmp_path / "a.bip", array, "bip")
    for name in ("out.tif", "out.bsq", "out.bil", "out.bip", "out.hdr"):
        folder = tmp_path / name.replace(".", "_")
        folder.mkdir()
        report = enhance_raster(path, folder / name, model=small_model.folder)
        np.testing.assert_array_equal(read_scores(report.output), expected)


def test_masked_arrays(small_model: Model) -> None:
    array = cube(N_ROWS, N_COLS, 8, "int16")
    mask = np.random.default_rng(3).uniform(size=array.shape) < 0.01
    holes = np.where(mask, np.nan, array)
    found = detect(np.ma.MaskedArray(array, mask), enhance=False)
    assert_close(found, naive_scores(holes, None))
    found = enhance(np.ma.MaskedArray(array, mask), model=small_model.folder)
    assert_close(found, naive_enhanced(holes, small_model), 1e-5)
    unmasked = detect(np.ma.MaskedArray(array), enhance=False)
    assert_close(unmasked, naive_scores(array.astype(float), None))


def test_a_mask_raster(small_model: Model, tmp_path: Path) -> None:
    array = cube(N_ROWS, N_COLS, 8)
    kept = np.random.default_rng(3).uniform(size=(N_ROWS, N_COLS, 1)) > 0.2
    mask = write_tiff(tmp_path / "mask.tif", kept.astype(np.uint8))
    expected = naive_scores(np.where(kept, array, np.nan), small_model)
    assert_close(detect(array, model=small_model.folder, mask=mask), expected)
    report = detect_raster(
        write_tiff(tmp_path / "a.tif", array), tmp_path / "out.tif", model=small_model.folder, mask=mask
    )
    assert report.valid_pixels == kept.sum()
    assert_close(read_scores(report.output)[:, :, 0], expected)


def test_inputs_are_not_changed(small_model: Model) -> None:
    for array in (scene(), scene(dtype="float64")):
        before = array.copy()
        detect(array, model=small_model.folder)
        detect(array, enhance=False)
        enhance(array, model=small_model.folder)
        np.testing.assert_array_equal(array, before)


def test_dead_bands_are_reported_and_used_by_nobody(small_model: Model, tmp_path: Path) -> None:
    array = np.nan_to_num(scene(9), nan=-9.0, posinf=-9.0)
    array[:, :, 1], array[:, :, 6] = -9.0, 3.0
    path = write_envi(tmp_path / "a.bsq", array, data_ignore_value=-9, bbl="{1,1,1,0,1,1,1,1,1}")
    report = detect_raster(path, tmp_path / "out.tif", model=small_model.folder)
    assert (report.bands_used, report.dead_bands, report.bad_bands) == ("1,3,5-6,8-9", "2,7", "4")
    assert any("2 bands" in warning for warning in report.warnings)
    used = np.where(array == -9.0, np.nan, array)[:, :, [0, 2, 4, 5, 7, 8]]
    assert_close(read_scores(report.output)[:, :, 0], naive_scores(used, small_model))


def test_a_named_model_is_not_replaced_without_a_word(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "a.tif", cube(9, 8, 60))
    report = detect_raster(path, tmp_path / "out.tif", model="fen-200")
    assert report.model == "fen-50"
    assert any("fen-200" in warning and "fen-50" in warning for warning in report.warnings)
    report = detect_raster(path, tmp_path / "out2.tif")
    assert report.model == "fen-50"
    assert not any("fen-200" in warning for warning in report.warnings)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda a: a[:, :, :3], {}, "needs 50"),
        (lambda a: a[:, :, :1], {"enhance": False}, "Only 1 usable band"),
        (lambda a: np.full_like(a, 7.0), {}, "two different valid values"),
        (lambda a: np.full_like(a, np.nan), {}, "two different valid values"),
        (lambda a: np.full_like(a, np.nan), {"enhance": False}, "two different valid values"),
        (lambda a: a[:1, :1], {}, "two different valid values"),
        (lambda a: a[:, :, 0], {}, "shape"),
        (lambda a: a, {"bands": "1-300"}, "1 to 60"),
        (lambda a: a, {"model": "no-such-model"}, "no-such-model"),
        (lambda a: a, {"detector": "nothing"}, "nothing"),
        (lambda a: a, {"block": 5}, "block"),
        (lambda a: a, {"detector": "slrx", "block": 0}, "block"),
        (lambda a: a, {"mask": "/no/such/mask.tif"}, "no file"),
        (lambda a: a, {"band_selection": "wavelength"}, "no known wavelengths"),
        (lambda a: a, {"thresold": 1}, "thresold"),
        (lambda a: a, {"variable": "data"}, "variable"),
    ],
)
def test_what_is_refused(change: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises((InputError, UsageError, ModelError), match=message):
        detect(change(cube(12, 10, 60)), **options)


def outcome(array: np.ndarray, **options: Any) -> Any:
    """Return the scores, or the sentence of the refusal."""
    try:
        return detect(array, **options)
    except FerdError as error:
        return str(error)


@pytest.mark.parametrize("shape", [(1, 30, 6), (30, 1, 6), (2, 2, 6), (1, 2, 6)])
@pytest.mark.parametrize("detector", ["grx", "slrx"])
def test_tiny_images_end_in_scores_or_a_sentence(small_model: Model, detector: str, shape: tuple[int, ...]) -> None:
    for options in ({"enhance": False}, {"model": small_model.folder}):
        found = outcome(cube(*shape), detector=detector, **options)
        if isinstance(found, str):
            assert found.endswith(".")
        else:
            assert found.shape == shape[:2]
            assert np.isfinite(found).all()
