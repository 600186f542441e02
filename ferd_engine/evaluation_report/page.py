"""The page: figures with their formulas, curves, boxes and small maps, in one file without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from .._version import __version__
from ..errors import OutputError, RunError
from ..evaluate import FALSE_ALARM_RATES, Evaluation
from ..outputs import OutputFolder
from ..roc import Roc
from ..statistics import Float64Array
from .figures_table import figures_table
from .preview import NOTHING, Preview, painted, png_uri, ramp
from .style import STYLE
from .svg import Axis, Plot

# The false-alarm rate at which the map shows what is found.
_MAP_RATE = 1e-3
_DECADES = 4.0
_FOUND, _MISSED, _FALSE, _QUIET = (46, 170, 120), (240, 140, 40), (214, 60, 74), (38, 44, 66)


def check_report_name(name: str) -> None:
    """Raise `OutputError` unless a report may have this name."""
    if Path(name).suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"The report {name} is a web page: end its name in .html.")


class ReportFile:
    """A page that is written as a whole or not at all; an existing file is replaced only when `overwrite` says so."""

    def __init__(self, path: str, *, overwrite: bool, inputs: Sequence[str]) -> None:
        self._folder = OutputFolder(path, overwrite=overwrite, inputs=inputs, check=check_report_name)

    def __enter__(self) -> ReportFile:
        self._folder.__enter__()
        return self

    def write(self, page: str) -> None:
        """Put the page in its place."""
        file = self._folder.folder / self._folder.path.name
        try:
            file.write_text(page, encoding="utf-8")
        except OSError as error:
            raise RunError(
                f"Cannot write the report {self._folder.path} ({error.strerror or error}): free disk space."
            ) from error
        self._folder.commit([file])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.__exit__(kind, error, trace)


def report_page(evaluation: Evaluation, roc: Roc, preview: Preview, scores_name: str, truth_name: str) -> str:
    """Return the page for scores and truth of these names."""
    n_pixels = evaluation.n_anomalies + evaluation.n_background
    cards = [
        ("AUC", f"{evaluation.auc:.4f}", "0.5 is chance, 1 is perfect"),
        (
            "Average precision",
            f"{evaluation.average_precision:.4f}",
            f"{evaluation.n_anomalies / n_pixels:.4f} is chance",
        ),
        ("Found at 1 false alarm in 1,000", f"{evaluation.detection_at_1e_3:.1%}", "of the anomaly pixels"),
        ("Found at 1 false alarm in 100", f"{evaluation.detection_at_1e_2:.1%}", "of the anomaly pixels"),
    ]
    sections = [
        _section("ROC curve", _roc_plots(evaluation, roc), _ROC_TEXT),
        _section("Where it works and where not", _maps(roc, preview), _map_text(roc, preview)),
        _section("Separability", _boxes(evaluation, roc), _BOX_TEXT),
        _section("3D ROC curve, in its three projections", _tau_plots(roc), _TAU_TEXT),
        _section("All figures", figures_table(evaluation), _TABLE_TEXT),
    ]
    facts = (
        f"<dl><dt>Scores</dt><dd>{escape(scores_name)}</dd><dt>Truth</dt><dd>{escape(truth_name)}</dd>"
        f"<dt>Pixels</dt><dd>{evaluation.n_anomalies:,} anomalies, {evaluation.n_background:,} background, "
        f"{evaluation.n_left_out:,} left out (no score or no truth)</dd></dl>"
    )
    return (
        "<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>Evaluation of {escape(Path(scores_name).name)}</title><style>{STYLE}</style></head><body><main>"
        f"<h1>Anomaly scores against truth</h1>{facts}"
        f"<div class='cards'>{''.join(_card(*card) for card in cards)}</div>{''.join(sections)}"
        f"<footer>ferd {escape(__version__)}</footer></main></body></html>\n"
    )


def _card(name: str, value: str, remark: str) -> str:
    return f"<div class='card'><b>{escape(value)}</b><span>{escape(name)}</span><small>{escape(remark)}</small></div>"


def _section(title: str, content: str, text: str) -> str:
    return f"<section><h2>{escape(title)}</h2><p>{text}</p>{content}</section>"


def _figure(content: str, caption: str) -> str:
    return f"<figure>{content}<figcaption>{escape(caption)}</figcaption></figure>"


_ROC_TEXT = (
    "Each point is a threshold: the share of anomaly pixels at or above it (detection probability, P<sub>D</sub>) over "
    "the share of background pixels at or above it (false-alarm rate, P<sub>F</sub>). The dashed line is chance. On "
    "large images the left end counts, which the logarithmic axis spreads; dots mark the rates of the table below."
)
_BOX_TEXT = (
    "Scores scaled to [0, 1] by their smallest and largest. Box: the middle half, with the median; whiskers: 10 % to "
    "90 %; thin line: smallest to largest. The less the boxes overlap, the better a threshold can tell them apart."
)
_TAU_TEXT = (
    "The 3D curve runs through (P<sub>D</sub>, P<sub>F</sub>, τ), where the threshold τ goes from 0 to 1 over the "
    "scaled scores. Beside the ROC curve its projections show at which scores anomalies are found and background is "
    "suppressed: P<sub>D</sub> should stay high, P<sub>F</sub> should fall at once. A few very high scores press both "
    "curves to the left without changing the order of any pixel."
)
_TABLE_TEXT = (
    "P<sub>D</sub> and P<sub>F</sub>: shares of anomaly and background pixels that a threshold marks, equal scores "
    "together; no figure depends on how ties are ordered. τ: threshold on the scores scaled to [0, 1]. Figures with τ: "
    "C.-I Chang, IEEE Transactions on Geoscience and Remote Sensing 59 (2021), 5131-5153; papers that print AUC_OD "
    "sometimes call it AUC_ODP. Partial AUC: D. K. McClish, Medical Decision Making 9 (1989)."
)


def _roc_plots(evaluation: Evaluation, roc: Roc) -> str:
    false_rates, hit_rates = roc.curve
    vertical = "Detection probability P_D"
    linear = Plot("ROC curve", Axis("False-alarm rate P_F", 0.0, 1.0), Axis(vertical, 0.0, 1.0))
    linear.line(np.array([0.0, 1.0]), np.array([0.0, 1.0]), "chance")
    linear.line(false_rates, hit_rates, "anomaly")
    # Half a pixel stands for no false alarm, which has no logarithm.
    least = 10.0 ** np.floor(np.log10(0.5 / evaluation.n_background))
    low = float(min(max(least, 1e-7), 1e-3))
    log = Plot(
        "ROC curve, logarithmic",
        Axis("False-alarm rate P_F (logarithmic)", low, 1.0, log=True),
        Axis(vertical, 0.0, 1.0),
    )
    rates = np.logspace(np.log10(low), 0.0, 200)
    log.line(rates, rates, "chance")
    log.line(*_dense(false_rates, hit_rates, low), "anomaly")
    found = (evaluation.detection_at_1e_4, evaluation.detection_at_1e_3, evaluation.detection_at_1e_2)
    for rate, detection in zip(FALSE_ALARM_RATES, found):
        if rate >= low:
            log.mark(rate, detection, "anomaly")
    captions = f"AUC {evaluation.auc:.4f}", "The same curve; its left edge is no false alarm at all"
    return _row(_figure(linear.svg(), captions[0]), _figure(log.svg(), captions[1]))


def _dense(false_rates: Float64Array, hit_rates: Float64Array, low: float) -> tuple[Float64Array, Float64Array]:
    """Return the curve with points between its corners, as a straight line is bent by the logarithm."""
    more = np.logspace(np.log10(low), 0.0, 300)
    x = np.concatenate([false_rates, more])
    # Where several points have one rate, the highest belongs between its neighbours.
    y = np.concatenate([hit_rates, np.interp(more, false_rates, hit_rates)])
    order = np.lexsort((y, x))
    return x[order], y[order]


def _tau_plots(roc: Roc) -> str:
    # Scores often crowd near 0.
    taus = np.unique(np.concatenate([np.linspace(0.0, 1.0, 300), np.logspace(-6.0, 0.0, 400)]))
    false_rates, hit_rates = roc.rates_over_tau(taus)
    tau, unit = "Threshold τ", (0.0, 1.0)
    plain = Plot("P_D over P_F", Axis("P_F", *unit), Axis("P_D", *unit))
    plain.line(*roc.curve, "anomaly")
    detection = Plot("P_D over the threshold", Axis(tau, *unit), Axis("P_D", *unit))
    detection.line(taus, hit_rates, "anomaly")
    alarm = Plot("P_F over the threshold", Axis(tau, *unit), Axis("P_F", *unit))
    alarm.line(taus, false_rates, "background")
    three = roc.three_d()
    return _row(
        _figure(plain.svg(), f"AUC(D,F) {roc.auc():.4f}"),
        _figure(detection.svg(), f"AUC(D,τ) {three.auc_d_tau:.4f}"),
        _figure(alarm.svg(), f"AUC(F,τ) {three.auc_f_tau:.4f}"),
    )


def _boxes(evaluation: Evaluation, roc: Roc) -> str:
    low, spread = roc.extent
    spread = spread or 1.0
    anomalies, background = (
        [(value - low) / spread for value in values]
        for values in (evaluation.anomaly_quantiles, evaluation.background_quantiles)
    )
    # Scores of background that crowd near 0 are spread by the logarithm.
    if background[3] < 0.1:
        start = float(10.0 ** np.clip(np.floor(np.log10(max(background[1], 1e-6))), -6.0, -2.0))
        axis = Axis("Scaled score (logarithmic)", start, 1.0, log=True)
    else:
        axis = Axis("Scaled score", 0.0, 1.0)
    plot = Plot("Separability of anomalies and background", axis, Axis("", 0.0, 2.0), height=190, left=84)
    plot.box(1.5, anomalies, "anomaly")
    plot.box(0.5, background, "background")
    return _row(_figure(plot.svg([(1.5, "anomaly"), (0.5, "background")]), "Scores of anomalies and of background"))


def _map_text(roc: Roc, preview: Preview) -> str:
    cells = (
        ""
        if preview.cell_px == 1
        else (f" Each cell stands for {preview.cell_px} x {preview.cell_px} pixels and shows the highest score in it.")
    )
    cutoff = roc.cutoff(_MAP_RATE)
    n_false = int(np.count_nonzero(roc.background > cutoff))
    return (
        "Left: how rare a score is, as the false-alarm rate of a threshold at it. Right: what a threshold with at most "
        f"one false alarm in 1,000 background pixels (here {n_false:,}: scores above {cutoff:g}) finds and misses."
        f"{cells}"
    )


def _maps(roc: Roc, preview: Preview) -> str:
    highest = np.maximum(preview.anomalies, preview.background)
    known = np.isfinite(highest)
    colours = painted(known.shape, [])
    rates = np.maximum(roc.false_rates(highest[known].astype(roc.background.dtype)), 0.1 / len(roc.background))
    colours[known] = ramp(-np.log10(rates) / _DECADES)
    anomaly, cutoff = np.isfinite(preview.anomalies), roc.cutoff(_MAP_RATE)
    decisions = painted(
        known.shape,
        [
            (known, _QUIET),
            (preview.background > cutoff, _FALSE),
            (anomaly & ~(preview.anomalies > cutoff), _MISSED),
            (preview.anomalies > cutoff, _FOUND),
        ],
    )
    steps = [(10.0**-decade, tuple(ramp(np.array(decade / _DECADES)).tolist())) for decade in range(5)]
    rarity = [(colour, f"{rate:g}" + (" or less" if rate < 1e-3 else "")) for rate, colour in steps]
    kinds = [
        (_FOUND, "found"),
        (_MISSED, "missed"),
        (_FALSE, "false alarm"),
        (_QUIET, "background"),
        (NOTHING, "left out"),
    ]
    return _row(
        _figure(_image(colours, "Rarity of the scores") + _legend(rarity), "False-alarm rate at each pixel's score"),
        _figure(_image(decisions, "Found and missed") + _legend(kinds), "At one false alarm in 1,000"),
    )


def _image(colours: NDArray[np.uint8], text: str) -> str:
    shape = f"{colours.shape[1]}/{colours.shape[0]}"
    return f"<img src='{png_uri(colours)}' alt='{escape(text)}' style='aspect-ratio:{shape}'>"


def _legend(entries: Sequence[tuple[tuple[int, ...], str]]) -> str:
    items = "".join(
        f"<li><i style='background:rgb{tuple(int(part) for part in colour)}'></i>{escape(text)}</li>"
        for colour, text in entries
    )
    return f"<ul class='legend'>{items}</ul>"


def _row(*figures: str) -> str:
    return f"<div class='row'>{''.join(figures)}</div>"
