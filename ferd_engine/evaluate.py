"""How well scores tell anomalies from background, given a truth: areas under curves and detection probabilities."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .errors import InputError
from .progress import Progress, ProgressSpan, SilentProgress
from .roc import Quantiles, Roc, quantiles
from .score_planes import Part, PlanePair, as_floats, check_same_size
from .windows import Window

FALSE_ALARM_RATES = (1e-4, 1e-3, 1e-2)
PARTIAL_RATES = (1e-2, 1e-1)


@dataclass(frozen=True)
class Evaluation:
    """Figures of one score map against one truth.

    `auc` is the area under the ROC curve, ties counted half (Mann-Whitney); `average_precision` the mean precision
    over the anomalies, a step function without interpolation; `detection_at_1e_4`, `_1e_3` and `_1e_2` the largest
    share of anomalies found by any threshold whose false-alarm rate is at most that; `partial_auc_1e_2` and `_1e_1` the
    area up to that rate, scaled so that chance gives 0.5 (`Roc.partial_auc`). `auc_d_tau` to `snpr` are Chang's figures
    of the 3D ROC curve (`Roc.three_d`); `snpr` is None where no background scores above the smallest score. Quantiles
    are those of the scores, as they are. Counts are in pixels; `n_left_out` had no score or no truth.
    """

    auc: float
    average_precision: float
    detection_at_1e_4: float
    detection_at_1e_3: float
    detection_at_1e_2: float
    partial_auc_1e_2: float
    partial_auc_1e_1: float
    auc_d_tau: float
    auc_f_tau: float
    auc_td: float
    auc_bs: float
    auc_tdbs: float
    auc_od: float
    auc_odp: float
    snpr: float | None
    anomaly_quantiles: Quantiles
    background_quantiles: Quantiles
    n_anomalies: int
    n_background: int
    n_left_out: int

    def to_json(self) -> str:
        """Return one JSON object with the fields' names as keys."""
        fields = asdict(self)
        for key in ("anomaly_quantiles", "background_quantiles"):
            fields[key] = getattr(self, key)._asdict()
        return json.dumps(fields)

    def lines(self) -> list[tuple[str, str]]:
        """Return each figure's name and value as people read them."""
        texts = []
        for key, value in json.loads(self.to_json()).items():
            if isinstance(value, dict):
                text = ", ".join(f"{name} {number:.4g}" for name, number in value.items())
            elif isinstance(value, float):
                text = f"{value:.4f}"
            else:
                text = "not defined" if value is None else str(value)
            # The fields name rates as identifiers can: detection_at_1e_4 is the detection at 1e-4.
            texts.append((key.replace("_1e_", "_1e-").replace("_", " "), text))
        return texts


def evaluate_scores(scores: ArrayLike, truth: ArrayLike) -> Evaluation:
    """Compare scores with a truth of the same shape.

    A higher score means more anomalous; a truth above 0 is an anomaly. NaN and infinity in either, and values that
    NumPy masked, are left out. Raises `InputError` where the shapes differ or anomalies or background are missing.

    >>> evaluate_scores([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]).auc
    0.75
    """
    scores, truth = as_floats(scores), as_floats(truth)
    check_same_size(scores.shape, truth.shape)
    flat = Part(Window(0, 1, 0, scores.size), scores.reshape(1, -1), truth.reshape(1, -1))
    return figures(*split([flat], scores.size, scores.dtype))


def evaluate_files(
    scores_path: str, truth_path: str, variable: str | None = None, *, progress: Progress | None = None
) -> Evaluation:
    """Compare two one-band rasters, .npy or .mat files of the same size, by pixel; nodata in either is left out.

    `variable` names the truth's array in a .mat file; without it `map` or the only array of two axes is taken. Rasters
    are read by rows; the scores of all pixels are held once, as float32 where the raster's type fits into it, and
    sorted in place. Raises `InputError` where a file cannot be used.
    """
    with PlanePair(scores_path, truth_path, variable) as planes:
        return figures(*split(_told(planes.parts(), planes.n_pixels, progress), planes.n_pixels, planes.dtype))


def evaluate_with_report(
    scores_path: str,
    truth_path: str,
    report: str,
    variable: str | None = None,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Do as `evaluate_files` and write a self-contained HTML page with figures, curves, boxes and maps.

    Raises `OutputError` before anything is read where the page may not be written there.
    """
    # The page needs what is defined here.
    from .evaluation_report import Preview, ReportFile, report_page

    with ReportFile(report, overwrite=overwrite, inputs=(scores_path, truth_path)) as file:
        with PlanePair(scores_path, truth_path, variable) as planes:
            preview = Preview(*planes.shape)
            parts = _told(planes.parts(preview.cell_px), planes.n_pixels, progress)
            roc, n_left_out = split(preview.seen(parts), planes.n_pixels, planes.dtype)
        evaluation = figures(roc, n_left_out)
        file.write(report_page(evaluation, roc, preview, scores_path, truth_path))
    return evaluation


def _told(parts: Iterable[Part], n_pixels: int, progress: Progress | None) -> Iterator[Part]:
    """Yield the parts, and tell of each; raises `Cancelled` between them."""
    # What follows, sorting and the figures, takes about as long as reading.
    reading = ProgressSpan(progress or SilentProgress(), 0.0, 0.5)
    done = 0
    for part in parts:
        reading.step(done / n_pixels, "Reading")
        yield part
        done += part.window.n_pixels
    reading.step(1.0, "Sorting")


def split(parts: Iterable[Part], n_pixels: int, dtype: np.dtype[Any]) -> tuple[Roc, int]:
    """Return the sorted scores of anomalies and background, and how many pixels have no score or no truth.

    One array of `n_pixels` is filled from both ends and sorted in place. Raises `InputError` where one is missing.
    """
    scores = np.empty(n_pixels, dtype=dtype)
    n_background, n_anomalies, seen = 0, 0, 0
    for part in parts:
        known = np.isfinite(part.scores) & np.isfinite(part.truth)
        is_anomaly = known & (part.truth > 0)
        above = part.scores[is_anomaly]
        below = part.scores[known & ~is_anomaly]
        scores[n_background : n_background + len(below)] = below
        n_background, n_anomalies, seen = n_background + len(below), n_anomalies + len(above), seen + known.size
        scores[n_pixels - n_anomalies : n_pixels - n_anomalies + len(above)] = above
    if not n_anomalies or not n_background:
        what = "anomaly, a value above 0," if not n_anomalies else "background, a 0,"
        raise InputError(
            f"The truth has no {what} where there is a score: check that it is the right file and its nodata not 0."
        )
    background, anomalies = scores[:n_background], scores[n_pixels - n_anomalies :]
    background.sort()
    anomalies.sort()
    return Roc(anomalies, background), seen - n_background - n_anomalies


def figures(roc: Roc, n_left_out: int) -> Evaluation:
    """Return the figures of sorted scores."""
    found = [roc.detection_at(rate) for rate in FALSE_ALARM_RATES]
    partial = [roc.partial_auc(rate) for rate in PARTIAL_RATES]
    return Evaluation(
        auc=roc.auc(),
        average_precision=roc.average_precision(),
        detection_at_1e_4=found[0],
        detection_at_1e_3=found[1],
        detection_at_1e_2=found[2],
        partial_auc_1e_2=partial[0],
        partial_auc_1e_1=partial[1],
        **roc.three_d()._asdict(),
        anomaly_quantiles=quantiles(roc.anomalies),
        background_quantiles=quantiles(roc.background),
        n_anomalies=len(roc.anomalies),
        n_background=len(roc.background),
        n_left_out=n_left_out,
    )
