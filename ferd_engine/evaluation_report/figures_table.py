"""The table of figures: value, formula and what it tells."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

from ..evaluate import Evaluation


class Figure(NamedTuple):
    """A field of `Evaluation`, how the page names it, its formula, and what it tells."""

    field: str
    name: str
    formula: str
    meaning: str


_DETECTION = "largest P_D of a threshold with P_F ≤ {}"
_PARTIAL = "½ (1 + (A − x²/2) / (x − x²/2)), A the area up to P_F = x = {}"

ORDER = (
    Figure(
        "auc", "AUC(D,F)", "∫ P_D dP_F", "Chance that an anomaly pixel scores above a background pixel; 0.5 is chance"
    ),
    Figure(
        "average_precision",
        "Average precision",
        "mean over the anomalies of hits / (hits + false alarms)",
        "How clean a list of the highest scores is; a random one has the share of anomalies",
    ),
    Figure(
        "partial_auc_1e_1", "Partial AUC, 10 %", _PARTIAL.format("0.1"), "AUC of the left part alone; 0.5 is chance"
    ),
    Figure(
        "partial_auc_1e_2", "Partial AUC, 1 %", _PARTIAL.format("0.01"), "The same, still nearer to few false alarms"
    ),
    Figure(
        "detection_at_1e_4", "P_D at P_F = 1e-4", _DETECTION.format("1e-4"), "Share found, one false alarm in 10,000"
    ),
    Figure(
        "detection_at_1e_3", "P_D at P_F = 1e-3", _DETECTION.format("1e-3"), "Share found, one false alarm in 1,000"
    ),
    Figure("detection_at_1e_2", "P_D at P_F = 1e-2", _DETECTION.format("1e-2"), "Share found, one false alarm in 100"),
    Figure(
        "auc_d_tau", "AUC(D,τ)", "∫ P_D dτ = mean scaled score of anomalies", "How high anomalies score: more is better"
    ),
    Figure(
        "auc_f_tau",
        "AUC(F,τ)",
        "∫ P_F dτ = mean scaled score of background",
        "How high background scores: less is better",
    ),
    Figure("auc_td", "AUC_TD", "AUC(D,F) + AUC(D,τ)", "Target detectability: more is better, at most 2"),
    Figure("auc_bs", "AUC_BS", "AUC(D,F) − AUC(F,τ)", "Background suppressibility: more is better, at most 1"),
    Figure(
        "auc_tdbs", "AUC_TDBS", "AUC(D,τ) − AUC(F,τ)", "Both together, without the order: more is better, at most 1"
    ),
    Figure("auc_od", "AUC_OD", "AUC(D,F) + AUC(D,τ) − AUC(F,τ)", "Overall detection: more is better, at most 2"),
    Figure(
        "auc_odp", "AUC_ODP", "AUC(D,τ) + (1 − AUC(F,τ))", "Overall detection probability: more is better, at most 2"
    ),
    Figure("snpr", "SNPR", "AUC(D,τ) / AUC(F,τ)", "Signal to noise probability ratio: more is better"),
)


def figures_table(evaluation: Evaluation) -> str:
    """Return the table."""
    rows = "".join(
        f"<tr><th scope='row'>{escape(figure.name)}</th><td class='value'>{_text(evaluation, figure.field)}</td>"
        f"<td>{escape(figure.formula)}</td><td>{escape(figure.meaning)}</td></tr>"
        for figure in ORDER
    )
    head = "".join(f"<th scope='col'>{name}</th>" for name in ("Figure", "Value", "Formula", "What it tells"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _text(evaluation: Evaluation, name: str) -> str:
    value = getattr(evaluation, name)
    return "not defined" if value is None else f"{value:.4f}"
