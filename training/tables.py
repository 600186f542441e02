"""Results as Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import wilcoxon

from .evaluation import UNTRAINED, Result, Table, sign_flip_test

if TYPE_CHECKING:
    from .explore import Outcome


def auc_table(table: Table, *, rows: bool = True) -> str:
    """Return AUC by scene and method, the mean over the scenes that every method can score, and seconds per scene.

    Untrained controls of one kind are one column: their mean, and in brackets the standard deviation over the seeds.
    """
    columns = _columns(next(iter(table.values())))
    lines = [_row(["scene", *columns]), _row(["---"] * (len(columns) + 1))]

    def cells(scenes: list[str]) -> list[str]:
        """Return one cell per column for the mean over these scenes."""
        return [_spread([_mean_auc(table, scenes, name) for name in names]) for names in columns.values()]

    if rows:
        lines += [_row([scene, *cells([scene])]) for scene in table]
    common = common_scenes(table)
    if common:
        lines.append(_row([f"mean of {len(common)}", *cells(common)]))
        seconds = [np.mean([table[s][n].seconds for s in common for n in names]) for names in columns.values()]
        lines.append(_row(["seconds", *(f"{value:.3f}" for value in seconds)]))
    return "\n".join(lines)


def _columns(results: dict[str, Result]) -> dict[str, list[str]]:
    """Return the methods of each column by its title."""
    columns: dict[str, list[str]] = {}
    for name in results:
        # The longer one first, which begins with the shorter one.
        kind = next((kind for kind in reversed(UNTRAINED) if name.startswith(kind)), None)
        columns.setdefault(name if kind is None else f"{kind} + GRX", []).append(name)
    return columns


def _mean_auc(table: Table, scenes: list[str], name: str) -> float:
    return float(np.mean([table[scene][name].auc for scene in scenes]))


def _spread(values: list[float]) -> str:
    if len(values) == 1 or math.isnan(values[0]):
        return _auc(values[0])
    return f"{_auc(float(np.mean(values)))} ({np.std(values, ddof=1):.4f})"


def comparison_table(table: Table, method: str, others: list[str]) -> str:
    """Return mean differences of a method to others over the common scenes, wins, and two p: sign-flip and Wilcoxon.

    Untrained controls of one kind stand for themselves by their mean in each scene.
    """
    common = common_scenes(table)
    titles = [f"{method} against", "mean difference", "better on", "p, sign flips", "p, Wilcoxon"]
    lines = [_row(titles), _row(["---"] * len(titles))]
    for title, names in _columns({name: table[common[0]][name] for name in others}).items():
        gaps = [table[s][method].auc - float(np.mean([table[s][n].auc for n in names])) for s in common]
        wins = f"{sum(gap > 0 for gap in gaps)} of {len(gaps)}"
        ranks = float(wilcoxon(gaps).pvalue) if any(gaps) else 1.0
        lines.append(_row([title, f"{np.mean(gaps):+.4f}", wins, f"{sign_flip_test(gaps):.3f}", f"{ranks:.3f}"]))
    return "\n".join(lines)


def outcome_table(outcomes: Sequence[Outcome]) -> str:
    """Return mean AUC by recipe and held-out scene, the mean over scenes, and the seconds of training."""
    scenes = list(outcomes[0].by_scene)
    lines = [_row(["recipe", *scenes, "mean", "seconds"]), _row(["---"] * (len(scenes) + 3))]
    for one in outcomes:
        cells = [_auc(one.by_scene[scene]) for scene in scenes]
        lines.append(_row([one.name, *cells, _auc(one.mean), f"{one.seconds:.0f}" if one.seconds else "-"]))
    return "\n".join(lines)


def common_scenes(table: Table) -> list[str]:
    """Return the scenes that every method could score."""
    return [s for s, results in table.items() if not any(math.isnan(r.auc) for r in results.values())]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _auc(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
