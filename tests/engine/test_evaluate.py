"""Figures of merit against hand-worked numbers, a naive count over thresholds, and scikit-learn."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from osgeo import gdal
from scipy.io import savemat

from ferd_engine.errors import Cancelled, InputError
from ferd_engine.evaluate import evaluate_files, evaluate_scores, evaluate_with_report


def naive_auc(scores, is_anomaly):
    """Share of (anomaly, background) pairs in the right order, ties half."""
    pairs = [(s > b) + 0.5 * (s == b) for s in scores[is_anomaly] for b in scores[~is_anomaly]]
    return sum(pairs) / len(pairs)


def naive_detection(scores, is_anomaly, rate):
    """Largest share of anomalies found by a threshold that keeps to the false-alarm rate."""
    best = 0.0
    for threshold in scores:
        if np.mean(scores[~is_anomaly] >= threshold) <= rate:
            best = max(best, np.mean(scores[is_anomaly] >= threshold))
    return best


def write_raster(path, values, nodata=None):
    kind = {"float32": gdal.GDT_Float32, "uint8": gdal.GDT_Byte, "int16": gdal.GDT_Int16}[values.dtype.name]
    planes = values if values.ndim == 3 else values[np.newaxis]
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), planes.shape[2], planes.shape[1], len(planes), kind)
    for index, plane in enumerate(planes, start=1):
        dataset.GetRasterBand(index).WriteArray(plane)
        if nodata is not None:
            dataset.GetRasterBand(index).SetNoDataValue(nodata)
    dataset.FlushCache()
    return str(path)


def test_hand_worked():
    # In falling order: A b A b b. Pairs (anomaly, background): 3 + 2 of 6 in order.
    # Precision at the anomalies: 1/1 and 2/3.
    evaluation = evaluate_scores([9.0, 8.0, 7.0, 6.0, 5.0], [1, 0, 1, 0, 0])
    assert evaluation.auc == pytest.approx(5 / 6, abs=1e-15)
    assert evaluation.average_precision == pytest.approx((1 + 2 / 3) / 2, abs=1e-15)
    assert evaluation.detection_at_1e_2 == 0.5
    assert (evaluation.n_anomalies, evaluation.n_background, evaluation.n_left_out) == (2, 3, 0)


def test_detection_probabilities_at_each_rate():
    # 20000 background pixels: rates of 1e-4, 1e-3 and 1e-2 allow 2, 20 and 200 false alarms.
    background = np.arange(20000.0)
    anomalies = np.array([20000 - 2, 20000 - 20, 20000 - 200, 20000 - 201]) - 0.5
    scores = np.concatenate([background, anomalies])
    evaluation = evaluate_scores(scores, np.concatenate([np.zeros(20000), np.ones(4)]))
    assert evaluation.detection_at_1e_4 == 0.25
    assert evaluation.detection_at_1e_3 == 0.5
    assert evaluation.detection_at_1e_2 == 0.75


def test_constant_scores_are_chance():
    evaluation = evaluate_scores(np.ones(10), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    assert evaluation.auc == 0.5
    assert evaluation.average_precision == 0.1
    assert evaluation.detection_at_1e_2 == 0.0
    assert evaluation.partial_auc_1e_2 == pytest.approx(0.5)
    assert (evaluation.auc_d_tau, evaluation.snpr) == (0.0, None)


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40))
def test_equals_naive_with_many_ties(pairs):
    scores = np.array([float(score) for score, _ in pairs])
    is_anomaly = np.array([flag for _, flag in pairs])
    if is_anomaly.all() or not is_anomaly.any():
        with pytest.raises(InputError):
            evaluate_scores(scores, is_anomaly)
        return
    evaluation = evaluate_scores(scores, is_anomaly)
    assert evaluation.auc == pytest.approx(naive_auc(scores, is_anomaly), abs=1e-12)
    assert evaluation.detection_at_1e_2 == pytest.approx(naive_detection(scores, is_anomaly, 1e-2), abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_agrees_with_scikit_learn(dtype):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(4)
    truth = rng.random((90, 70)) < 0.02
    scores = np.round(rng.normal(size=truth.shape) + truth, 1).astype(dtype)
    evaluation = evaluate_scores(scores, truth)
    assert evaluation.auc == pytest.approx(metrics.roc_auc_score(truth.ravel(), scores.ravel()), abs=1e-12)
    expected = metrics.average_precision_score(truth.ravel(), scores.ravel())
    assert evaluation.average_precision == pytest.approx(expected, abs=1e-12)
    false_rate, hit_rate, _ = metrics.roc_curve(truth.ravel(), scores.ravel(), drop_intermediate=False)
    assert evaluation.detection_at_1e_2 == pytest.approx(hit_rate[false_rate <= 1e-2].max(), abs=1e-12)
    for rate, ours in ((1e-2, evaluation.partial_auc_1e_2), (1e-1, evaluation.partial_auc_1e_1)):
        theirs = metrics.roc_auc_score(truth.ravel(), scores.ravel(), max_fpr=rate)
        assert ours == pytest.approx(theirs, abs=1e-12)


def test_three_dimensional_figures_by_hand():
    # Scaled to [0, 1]: anomalies 1 and 0.5, background 0.75, 0.25 and 0; two of six pairs in the wrong order.
    evaluation = evaluate_scores([10.0, 6.0, 8.0, 4.0, 2.0], [1, 1, 0, 0, 0])
    area, d_tau, f_tau = 5 / 6, 0.75, 1 / 3
    assert evaluation.auc == pytest.approx(area)
    assert (evaluation.auc_d_tau, evaluation.auc_f_tau) == pytest.approx((d_tau, f_tau))
    assert (evaluation.auc_td, evaluation.auc_bs) == pytest.approx((area + d_tau, area - f_tau))
    assert (evaluation.auc_tdbs, evaluation.auc_od) == pytest.approx((d_tau - f_tau, area + d_tau - f_tau))
    assert (evaluation.auc_odp, evaluation.snpr) == pytest.approx((d_tau + 1 - f_tau, d_tau / f_tau))


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=40))
def test_areas_over_tau_are_those_of_the_curves(pairs):
    scores = np.array([float(score) for score, _ in pairs])
    is_anomaly = np.array([flag for _, flag in pairs])
    if is_anomaly.all() or not is_anomaly.any() or np.ptp(scores) == 0:
        return
    evaluation = evaluate_scores(scores, is_anomaly)
    scaled = (scores - scores.min()) / np.ptp(scores)
    # Halfway between the steps: the mean over these thresholds is the integral.
    taus = (np.arange(60 * 6) + 0.5) / (60 * 6)
    for values, area in ((scaled[is_anomaly], evaluation.auc_d_tau), (scaled[~is_anomaly], evaluation.auc_f_tau)):
        assert np.mean([np.mean(values >= tau) for tau in taus]) == pytest.approx(area, abs=1e-12 + 1e-9)


def test_quantiles_are_those_of_numpy():
    rng = np.random.default_rng(2)
    truth = rng.random(500) < 0.1
    scores = rng.normal(size=500).astype(np.float32)
    evaluation = evaluate_scores(scores, truth)
    for values, ours in (
        (scores[truth], evaluation.anomaly_quantiles),
        (scores[~truth], evaluation.background_quantiles),
    ):
        np.testing.assert_allclose(ours, np.quantile(values, [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1]), rtol=1e-6)


def test_pixels_without_score_or_truth_are_left_out():
    scores = np.array([np.nan, 9.0, 8.0, np.inf, 7.0, 6.0])
    truth = np.ma.MaskedArray([1, 1, 0, 0, 1, 0], mask=[0, 0, 0, 0, 1, 0])
    evaluation = evaluate_scores(scores, truth)
    assert (evaluation.n_anomalies, evaluation.n_background, evaluation.n_left_out) == (1, 2, 3)
    assert evaluation.auc == 1.0


@pytest.mark.parametrize(
    ("scores", "truth", "message"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2)), "2 x 3 and the truth 3 x 2"),
        ([1.0, 2.0], [0, 0], "no anomaly"),
        ([1.0, 2.0], [1, 1], "no background"),
        ([np.nan, 2.0], [1, 0], "no anomaly"),
        ([], [], "no anomaly"),
    ],
)
def test_unusable_input_is_one_sentence(scores, truth, message):
    with pytest.raises(InputError, match=message) as caught:
        evaluate_scores(scores, truth)
    assert str(caught.value).endswith(".")


def test_files_leave_out_nodata_of_both(tmp_path):
    scores = np.array([[5.0, 4.0, -9999.0], [3.0, 2.0, 1.0]], dtype=np.float32)
    truth = np.array([[1, 0, 1], [255, 0, 0]], dtype=np.uint8)
    evaluation = evaluate_files(
        write_raster(tmp_path / "s.tif", scores, -9999.0), write_raster(tmp_path / "t.tif", truth, 255)
    )
    assert (evaluation.n_anomalies, evaluation.n_background, evaluation.n_left_out) == (1, 3, 2)
    assert evaluation.auc == 1.0


def test_how_many_rows_are_read_at_a_time_changes_nothing(tmp_path, monkeypatch):
    rng = np.random.default_rng(3)
    truth = (rng.random((37, 23)) < 0.05).astype(np.uint8)
    scores = rng.normal(size=truth.shape).astype(np.float32)
    scores[5, :9] = -9999.0
    paths = write_raster(tmp_path / "s.tif", scores, -9999.0), write_raster(tmp_path / "t.tif", truth)
    expected = evaluate_scores(np.where(scores == -9999.0, np.nan, scores), truth)
    for n_pixels in (1, 100, 1 << 20):
        monkeypatch.setattr("ferd_engine.score_planes._PART_PIXELS", n_pixels)
        assert evaluate_files(*paths) == expected


@pytest.mark.parametrize("report", [False, True])
def test_a_cancel_stops_between_parts_and_leaves_no_page(tmp_path, monkeypatch, report):
    monkeypatch.setattr("ferd_engine.score_planes._PART_PIXELS", 14)
    scores, truth = np.arange(35.0).reshape(5, 7), np.arange(35).reshape(5, 7) > 30
    np.save(tmp_path / "scores.npy", scores)
    np.save(tmp_path / "truth.npy", truth.astype(np.uint8))
    told = []

    class StopAtSecond:
        def update(self, fraction, message):
            told.append(fraction)

        def cancelled(self):
            return len(told) == 2

    paths = [str(tmp_path / name) for name in ("scores.npy", "truth.npy")]
    evaluate = partial(evaluate_with_report, report=str(tmp_path / "page.html")) if report else evaluate_files
    with pytest.raises(Cancelled):
        evaluate(*paths, progress=StopAtSecond())
    assert told[0] == 0.0 < told[1] < 0.5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scores.npy", "truth.npy"]


def test_truth_may_be_npy_or_mat(tmp_path):
    scores = write_raster(tmp_path / "s.tif", np.array([[5, 4, 6], [3, 2, 1]], dtype=np.float32))
    truth = np.array([[1, 0, 0], [0, 0, 0]], dtype=np.uint8)
    np.save(tmp_path / "truth.npy", truth)
    savemat(tmp_path / "usual.mat", {"data": np.zeros((2, 3, 4)), "map": truth, "wavelength": np.zeros(4)})
    savemat(tmp_path / "other.mat", {"data": np.zeros((2, 3, 4)), "mask": truth})
    savemat(tmp_path / "two.mat", {"mask": truth, "other": 1 - truth})
    for name in ("truth.npy", "usual.mat", "other.mat"):
        assert evaluate_files(scores, str(tmp_path / name)).auc == pytest.approx(0.8)
    assert evaluate_files(scores, str(tmp_path / "two.mat"), variable="other").auc == pytest.approx(0.2)
    with pytest.raises(InputError, match=r"mask.*other"):
        evaluate_files(scores, str(tmp_path / "two.mat"))


def test_unusable_files_are_one_sentence(tmp_path):
    scores = write_raster(tmp_path / "s.tif", np.zeros((2, 3), dtype=np.float32))
    three = write_raster(tmp_path / "three.tif", np.zeros((3, 2, 3), dtype=np.uint8))
    np.save(tmp_path / "cube.npy", np.zeros((2, 3, 4)))
    np.save(tmp_path / "complex.npy", np.zeros((2, 3), dtype=complex))
    (tmp_path / "text.tif").write_text("no raster")
    (tmp_path / "text.mat").write_text("no raster")
    (tmp_path / "new.mat").write_bytes(b"MATLAB 7.3 MAT-file")
    names = ("cube.npy", "complex.npy", "text.tif", "text.mat", "new.mat", "none.tif", "none.mat", "none.npy")
    for path in [three, *(str(tmp_path / name) for name in names)]:
        with pytest.raises(InputError, match=r"^[A-Z].*\.$"):
            evaluate_files(scores, path)
    with pytest.raises(InputError, match=r"three\.tif has 3 bands"):
        evaluate_files(three, scores)


def test_json_has_the_figures():
    figures = json.loads(evaluate_scores([2.0, 1.0], [1, 0]).to_json())
    assert figures["auc"] == 1.0
    assert figures["n_background"] == 1
