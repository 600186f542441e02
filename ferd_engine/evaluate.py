"""How well scores tell anomalies from background, given a truth: areas under curves and detection probabilities."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import InputError
from .raster import open_source
from .raster.array_source import is_mat73, load_mat, load_npy
from .windows import whole

FloatArray = NDArray[np.floating[Any]]

_USUAL_TRUTH = "map"
FALSE_ALARM_RATES = (1e-4, 1e-3, 1e-2)


@dataclass(frozen=True)
class Evaluation:
    """Figures of one score map against one truth.

    `auc` is the area under the ROC curve, ties counted half (Mann-Whitney); `average_precision` the mean precision
    over the anomalies, a step function without interpolation; `detection_at_1e_4`, `_1e_3` and `_1e_2` the largest
    share of anomalies found by any threshold whose false-alarm rate is at most that. Counts are in pixels; `n_left_out`
    had no score or no truth.
    """

    auc: float
    average_precision: float
    detection_at_1e_4: float
    detection_at_1e_3: float
    detection_at_1e_2: float
    n_anomalies: int
    n_background: int
    n_left_out: int

    def to_json(self) -> str:
        """Return one JSON object with the fields' names as keys."""
        return json.dumps(asdict(self))


def evaluate_scores(scores: ArrayLike, truth: ArrayLike) -> Evaluation:
    """Compare scores with a truth of the same shape.

    A higher score means more anomalous; a truth above 0 is an anomaly. NaN and infinity in either, and values that
    NumPy masked, are left out. Raises `InputError` where the shapes differ or anomalies or background are missing.

    >>> evaluate_scores([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]).auc
    0.75
    """
    scores, truth = _floats(scores), _floats(truth)
    if scores.shape != truth.shape:
        raise InputError(
            f"The scores have the size {_size(scores)} and the truth {_size(truth)}: give a truth on the same grid."
        )
    known = np.isfinite(scores) & np.isfinite(truth)
    is_anomaly = truth[known] > 0
    n_anomalies = int(np.count_nonzero(is_anomaly))
    n_background = is_anomaly.size - n_anomalies
    if not n_anomalies or not n_background:
        what = "anomaly, a value above 0," if not n_anomalies else "background, a 0,"
        raise InputError(
            f"The truth has no {what} where there is a score: check that it is the right file and its nodata not 0."
        )
    hits, false_alarms = _curve(scores[known], is_anomaly)
    hit_rate, false_rate = hits / n_anomalies, false_alarms / n_background
    found = [float(hit_rate[false_rate <= rate].max()) for rate in FALSE_ALARM_RATES]
    precision = hits[1:] / (hits[1:] + false_alarms[1:])
    return Evaluation(
        auc=_area(hits, false_alarms),
        average_precision=float(np.sum(np.diff(hit_rate) * precision)),
        detection_at_1e_4=found[0],
        detection_at_1e_3=found[1],
        detection_at_1e_2=found[2],
        n_anomalies=n_anomalies,
        n_background=n_background,
        n_left_out=known.size - is_anomaly.size,
    )


def evaluate_files(scores_path: str, truth_path: str, variable: str | None = None) -> Evaluation:
    """Compare two one-band rasters, .npy or .mat files of the same size, by pixel; nodata in either is left out.

    `variable` names the truth's array in a .mat file; without it `map` or the only array of two axes is taken.
    Both files are held in memory. Raises `InputError` where one cannot be used.
    """
    return evaluate_scores(_read_plane(scores_path, None), _read_plane(truth_path, variable))


def _curve(scores: FloatArray, is_anomaly: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return how many anomalies and how much background each threshold marks, from none to all, ties together."""
    order = np.argsort(-scores)
    ordered = scores[order]
    last_of_ties = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), ordered.size - 1)
    hits = np.cumsum(is_anomaly[order], dtype=np.int64)[last_of_ties]
    false_alarms = last_of_ties + 1 - hits
    return np.append(0, hits), np.append(0, false_alarms)


def _area(hits: NDArray[np.int64], false_alarms: NDArray[np.int64]) -> float:
    """Return the area under the ROC curve by the trapezium rule, in whole numbers until the last step."""
    doubled = int(np.dot(np.diff(false_alarms), hits[1:] + hits[:-1]))
    return doubled / (2 * int(hits[-1]) * int(false_alarms[-1]))


def _floats(values: ArrayLike) -> FloatArray:
    if isinstance(values, np.ma.MaskedArray):
        return np.where(values.mask, np.nan, values.data)
    array = np.asarray(values)
    return array if array.dtype == np.float32 else array.astype(np.float64)


def _size(values: NDArray[Any]) -> str:
    return " x ".join(map(str, values.shape)) or "of a single number"


def _read_plane(path: str, variable: str | None) -> FloatArray:
    """Return a raster's only band, or a 2-D array, as (rows, cols) with NaN for nodata."""
    if path.lower().endswith(".npy"):
        return _plane(load_npy(path), path)
    if path.lower().endswith(".mat"):
        return _plane(_load_mat_plane(path, variable), path)
    source = open_source(path, variable)
    try:
        if len(source.bands) != 1:
            raise InputError(f"The raster {path} has {len(source.bands)} bands: give a raster of one band.")
        values = source.read(whole(source.n_rows, source.n_cols), [1]).values
    finally:
        source.close()
    return values[:, :, 0]


def _load_mat_plane(path: str, variable: str | None) -> NDArray[Any]:
    if not Path(path).is_file():
        raise InputError(f"There is no file {path}: check the path.")
    if is_mat73(path):
        raise InputError(
            f"The file {path} is of MATLAB 7.3, read for cubes only: save the truth with -v7 or as GeoTIFF."
        )
    try:
        return load_mat(path, variable or _USUAL_TRUTH, n_dims=2)
    except InputError:
        if variable is not None:
            raise
        return load_mat(path, None, n_dims=2)


def _plane(array: NDArray[Any], path: str) -> FloatArray:
    if array.ndim != 2 or array.dtype.kind not in "buif":
        raise InputError(
            f"The array of {path} holds {array.dtype} values, {_size(array)}: give rows x columns of real numbers."
        )
    return _floats(array)
