"""Fusion against the sum of its components' log scores, zeros, holes, and both cubes in one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferd_engine.features
import ferd_engine.pipeline
import ferd_engine.scan
from ferd_engine import detect, detect_raster, enhance
from ferd_engine.context import RunContext
from ferd_engine.detectors import TwoCubeDetector, make_detector
from ferd_engine.errors import Cancelled, UsageError
from ferd_engine.fen.bundle import Model
from ferd_engine.options import DetectOptions
from ferd_engine.pipeline import run_detection
from ferd_engine.raster import ArraySource
from ferd_engine.raster.gdal_setup import gdal, gdal_exceptions

from ..rasters import write_tiff
from ..scenes import with_holes
from ..test_features import CountingBackend
from .arrays import ArraySink, RecordingProgress, cube_of, moments_of, run, scene

RAW_PAIR = "raw:grx:ledoit-wolf,raw:lrx"
WINDOWS = {"inner": 3, "outer": 7}


def naive_logs(scores: np.ndarray) -> np.ndarray:
    """Return the logarithms of scores, float64, 0 taken as the smallest positive one."""
    positive = scores[scores > 0]
    if not positive.size:
        return np.where(np.isnan(scores), np.nan, 0.0)
    return np.log(np.maximum(scores.astype(np.float64), positive.min()))


def test_scores_are_the_sum_of_the_log_scores() -> None:
    array = scene(23, 31, 12, holes=0.2)
    scores = run(make_detector("fusion", components=RAW_PAIR, **WINDOWS), array)
    parts = [make_detector("grx", covariance="ledoit-wolf"), make_detector("lrx", **WINDOWS)]
    np.testing.assert_allclose(scores, sum(naive_logs(run(part, array)) for part in parts), rtol=1e-6)
    assert (np.isnan(scores) == np.isnan(array[:, :, 0])).all()


def test_a_score_of_zero_counts_as_the_smallest_positive_one() -> None:
    # Blocks without spread score 0 in slrx.
    array = scene(20, 22, 5)
    array[:8, :9] = array[0, 0]
    assert (run(make_detector("slrx"), array) == 0).any()
    found = run(make_detector("fusion", components="raw:slrx,raw:grx"), array)
    expected = naive_logs(run(make_detector("slrx"), array)) + naive_logs(run(make_detector("grx"), array))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_component_without_any_positive_score_adds_nothing() -> None:
    array = np.full((12, 13, 3), 7.25, dtype=np.float32)
    array[3, 4] = np.nan
    found = run(make_detector("fusion", components=RAW_PAIR, **WINDOWS), array)
    assert np.isnan(found[3, 4])
    assert (np.delete(found.ravel(), 3 * 13 + 4) == 0).all()


def test_memory_budget_changes_nothing(tmp_path: Path) -> None:
    array = scene(45, 1100, 60, holes=0.1)
    detector = make_detector("fusion", components="raw:grx,raw:grx:oas")
    expected = run(detector, array)
    progress = RecordingProgress()
    context = RunContext(budget_bytes=1, progress=progress, scratch_folder=tmp_path)
    np.testing.assert_allclose(run(detector, array, context), expected, rtol=1e-6)
    assert progress.fractions == sorted(progress.fractions)
    assert progress.fractions[-1] == 1.0
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_run_leaves_no_scratch(tmp_path: Path) -> None:
    # A plane of this size does not fit into half of the smallest budget.
    array = scene(1500, 1500, 2)
    context = RunContext(budget_bytes=1, progress=RecordingProgress(cancel_after=20), scratch_folder=tmp_path)
    with pytest.raises(Cancelled):
        make_detector("fusion", components="raw:grx,raw:grx:oas").score(
            cube_of(array), moments_of(array), ArraySink(1500, 1500), context
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("components", "words"),
    [
        ("", "component '' is not one"),
        ("grx", "component 'grx' is not one"),
        ("enhanced:grx", "component 'enhanced:grx' is not one"),
        ("raw:grx,", "component '' is not one"),
        ("raw:rx", "no detector 'rx'"),
        ("raw:grx:much", "covariance 'much' does not exist"),
        ("raw:slrx:oas", "'slrx' has no option 'covariance'"),
        ("raw:fusion", "cannot be a component"),
    ],
)
def test_components_that_are_refused(components: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        make_detector("fusion", components=components)


def test_windows_are_checked_where_they_enter() -> None:
    with pytest.raises(UsageError, match="odd"):
        make_detector("fusion", inner=4)


@pytest.mark.parametrize("shape", [None, (16, 47), (9, 4)])
def test_both_cubes_in_one_run(
    small_model: Model, shape: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = with_holes(53, 47, 8, "float32")
    options: dict[str, Any] = {"components": "raw:grx:ledoit-wolf,fen:grx,fen:lrx:oas", **WINDOWS}
    enhanced = enhance(array, model=small_model.folder)
    expected = naive_logs(detect(array, enhance=False, covariance="ledoit-wolf"))
    expected = expected + naive_logs(detect(enhanced, enhance=False))
    expected = expected + naive_logs(detect(enhanced, enhance=False, detector="lrx", covariance="oas", **WINDOWS))
    if shape is not None:
        for module in (ferd_engine.scan, ferd_engine.features):
            monkeypatch.setattr(module, "block_shape", lambda *_: shape)
    found = detect(array, detector="fusion", model=small_model.folder, **options)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_pixel_needs_data_in_the_bands_that_the_model_does_not_take(small_model: Model, tmp_path: Path) -> None:
    array = with_holes(30, 26, 8, "float32")
    array[5, 6, 7] = np.nan
    path = write_tiff(tmp_path / "a.tif", np.where(np.isfinite(array), array, -1), nodata=-1)
    report = detect_raster(
        path, tmp_path / "o.tif", detector="fusion", components="raw:grx,fen:grx", model=small_model.folder, bands="1-8"
    )
    with gdal_exceptions():
        raster = gdal.Open(report.output)
        metadata, scores = raster.GetMetadata(), raster.ReadAsArray()
    assert scores[5, 6] == -9999
    assert report.valid_pixels == np.isfinite(array).all(axis=2).sum() == (scores != -9999).sum()
    assert report.bands == 6
    assert metadata["FERD_RAW_BANDS"] == "1-8"
    assert metadata["FERD_COMPONENTS"] == "raw:grx,fen:grx"
    assert metadata["FERD_DETECTOR"] == "fusion"


def test_without_enhancement_the_raw_components_are_used_alone() -> None:
    array = scene(20, 24, 8)
    found = detect(array, detector="fusion", components="raw:grx,fen:grx,fen:lrx", enhance=False)
    np.testing.assert_allclose(found, naive_logs(detect(array, enhance=False)), rtol=1e-6)


def test_components_of_the_other_cube_alone_are_refused(small_model: Model) -> None:
    array = scene(20, 24, 8)
    with pytest.raises(UsageError, match="reads the raw cube"):
        detect(array, detector="fusion", components="fen:grx", enhance=False)
    with pytest.raises(UsageError, match="reads the enhanced cube"):
        detect(array, detector="fusion", components="raw:grx", model=small_model.folder)


def test_the_enhanced_cube_may_be_read_alone(small_model: Model) -> None:
    array = scene(20, 24, 8)
    found = detect(array, detector="fusion", components="fen:grx", model=small_model.folder)
    np.testing.assert_allclose(found, naive_logs(detect(array, model=small_model.folder)), atol=1e-5)


def test_each_pixel_goes_through_fen_once(small_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = scene(400, 410, 8)
    counters = []
    open_backend = ferd_engine.pipeline.open_backend

    def counted(model: Model, *arguments: Any) -> Any:
        counters.append(CountingBackend(open_backend(model, *arguments), model.architecture.halo_px))
        return counters[-1]

    monkeypatch.setattr(ferd_engine.pipeline, "open_backend", counted)
    options = DetectOptions(
        model=str(small_model.folder), detector="fusion", components="raw:grx,fen:grx,fen:grx:oas", backend="numpy"
    )
    found = {}
    for budget in (1 << 30, 1):
        context, sink = RunContext(budget_bytes=budget, scratch_folder=tmp_path), ArraySink(400, 410)
        run_detection(ArraySource(array), options, sink, context)
        context.close()
        assert (sink.written == 1).all()
        found[budget] = sink.scores
    assert [counter.n_pixels for counter in counters] == [400 * 410] * 2
    np.testing.assert_allclose(found[1], found[1 << 30], atol=1e-4)
    assert list(tmp_path.iterdir()) == []


def test_only_a_fusion_reads_two_cubes() -> None:
    assert isinstance(make_detector("fusion"), TwoCubeDetector)
    assert not isinstance(make_detector("grx"), TwoCubeDetector)
