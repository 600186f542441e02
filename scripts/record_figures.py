"""Write what an evaluation measured into the card of a model.

python -m training evaluate scenes --data SCENES --model MODEL --json TABLE.json
python scripts/record_figures.py MODEL TABLE.json

MODEL is the folder of a bundle, given to the evaluation in the same words. The weights are left as they are.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ferd_engine.errors import FerdError  # noqa: E402
from ferd_engine.fen.bundle import load_model, save_model  # noqa: E402
from training.evaluation import UNTRAINED  # noqa: E402


def figures(table: dict[str, dict[str, dict[str, float]]], name: str) -> dict[str, Any]:
    """Return AUC by scene, and the means over all scenes, of GRX, of the model and of the untrained controls."""
    methods = {"GRX": "GRX", f"{name} + GRX": "FEN + GRX"}
    controls = [key for key in next(iter(table.values())) if key.startswith(UNTRAINED[0]) and UNTRAINED[1] not in key]
    rows: dict[str, dict[str, float]] = {}
    for scene, results in table.items():
        rows[scene] = {short: results[key]["auc"] for key, short in methods.items()}
        if controls:
            rows[scene][f"untrained FEN + GRX, mean of {len(controls)}"] = _mean([results[k]["auc"] for k in controls])
    mean = {key: _mean([row[key] for row in rows.values()]) for key in next(iter(rows.values()))}
    rounded = {scene: {key: round(value, 4) for key, value in row.items()} for scene, row in rows.items()}
    return {"scenes": {**rounded, "mean": {key: round(value, 4) for key, value in mean.items()}}}


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def main(arguments: list[str]) -> int:
    """Read the table and save the model's card with it."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        model = load_model(Path(arguments[0]))
        table = json.loads(Path(arguments[1]).read_text(encoding="utf-8"))
        found = figures(table, arguments[0])
        save_model(replace(model, figures=found), Path(arguments[0]), overwrite=True)
    except (OSError, ValueError, KeyError) as error:
        print(f"record_figures: {arguments[1]} holds no results of {arguments[0]} ({error}).", file=sys.stderr)
        return 2
    except FerdError as error:
        print(f"record_figures: {error}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(found["scenes"]["mean"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
