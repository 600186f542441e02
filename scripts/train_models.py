"""Train the embedded models again, each by its configuration, and put the bundles into a folder.

python scripts/train_models.py FOLDER [NAME ...]

Without names: all of `training/configs`. A run that was stopped goes on after its last whole epoch. Each line ends with
how the weights compare with the embedded ones: on the machine and with the versions that their cards name they are the
same bit by bit; elsewhere sums are rounded otherwise, which a training amplifies.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ferd_engine.errors import FerdError  # noqa: E402
from ferd_engine.fen.bundle import Model, load_model, save_model  # noqa: E402
from ferd_engine.fen.store import EMBEDDED_FOLDER  # noqa: E402
from training.config import load_config  # noqa: E402
from training.train import train  # noqa: E402

CONFIGS = ROOT / "training" / "configs"


def main(arguments: list[str]) -> int:
    """Train each named model and save it as FOLDER/NAME."""
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    target = Path(arguments[0])
    for name in arguments[1:] or sorted(path.stem for path in CONFIGS.glob("*.toml")):
        try:
            model = save_model(replace(train(load_config(CONFIGS / f"{name}.toml")), name=name), target / name)
        except FerdError as error:
            print(f"train_models: {name}: {error}", file=sys.stderr)
            return error.exit_code
        print(f"{model.folder}: {model.n_bands} bands, sha256 {model.sha256}: {compared(model)}")
    return 0


def compared(model: Model) -> str:
    """Return how far a model's weights are from the embedded ones of its name."""
    folder = EMBEDDED_FOLDER / model.name
    if not folder.is_dir():
        return "there is no embedded model of this name"
    embedded = load_model(folder)
    if embedded.sha256 == model.sha256:
        return "the embedded weights, bit by bit"
    if embedded.architecture != model.architecture:
        return "of another shape than the embedded model"
    furthest = max(float(np.abs(embedded.weights[name] - values).max()) for name, values in model.weights.items())
    return f"up to {furthest:.2g} from the embedded weights"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
