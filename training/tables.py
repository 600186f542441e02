"""Results as Markdown."""

from __future__ import annotations

import math

import numpy as np

from .evaluation import Table, sign_flip_test


def auc_table(table: Table, *, rows: bool = True) -> str:
    """Return AUC by scene and method, the mean over the scenes that every method can score, and seconds per scene."""
    names = list(next(iter(table.values())))
    lines = [_row(["scene", *names]), _row(["---"] * (len(names) + 1))]
    if rows:
        lines += [_row([scene, *(_auc(results[n].auc) for n in names)]) for scene, results in table.items()]
    common = common_scenes(table)
    if common:
        means = [float(np.mean([table[s][n].auc for s in common])) for n in names]
        lines.append(_row([f"mean of {len(common)}", *map(_auc, means)]))
        seconds = [float(np.mean([table[s][n].seconds for s in common])) for n in names]
        lines.append(_row(["seconds", *(f"{value:.3f}" for value in seconds)]))
    return "\n".join(lines)


def comparison_table(table: Table, method: str, others: list[str]) -> str:
    """Return mean differences of a method to others over the common scenes, wins, and the exact sign-flip p."""
    common = common_scenes(table)
    lines = [_row([f"{method} against", "mean difference", "better on", "p"]), _row(["---"] * 4)]
    for other in others:
        gaps = [table[s][method].auc - table[s][other].auc for s in common]
        wins = f"{sum(gap > 0 for gap in gaps)} of {len(gaps)}"
        lines.append(_row([other, f"{np.mean(gaps):+.4f}", wins, f"{sign_flip_test(gaps):.3f}"]))
    return "\n".join(lines)


def common_scenes(table: Table) -> list[str]:
    """Return the scenes that every method could score."""
    return [s for s, results in table.items() if not any(math.isnan(r.auc) for r in results.values())]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _auc(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"
