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

from ferd_engine.errors import FerdError, UsageError  # noqa: E402
from ferd_engine.fen.bundle import Model, load_model, save_model  # noqa: E402
from ferd_engine.fen.store import EMBEDDED_FOLDER  # noqa: E402
from training.config import Config  # noqa: E402
from training.config_file import load_config  # noqa: E402
from training.train import train  # noqa: E402

CONFIGS = ROOT / "training" / "configs"


def main(arguments: list[str]) -> int:
    """Train each named model and save it as FOLDER/NAME."""
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    target = Path(arguments[0])
    names = arguments[1:] or sorted(path.stem for path in CONFIGS.glob("*.toml"))
    try:
        # All of them before the first is trained, so that nothing is trained in vain.
        configs = {name: checked_config(name, target / name) for name in names}
        for name, config in configs.items():
            model = save_model(replace(train(config), name=name), target / name)
            print(f"{model.folder}: {model.n_bands} bands, sha256 {model.sha256}: {compared(model)}")
    except FerdError as error:
        print(f"train_models: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def checked_config(name: str, folder: Path) -> Config:
    """Return a model's configuration; raise `UsageError` where there is none, or something lies in its place."""
    if folder.exists():
        raise UsageError(f"{folder} exists: remove it, or name another folder for the models.")
    return load_config(CONFIGS / f"{name}.toml")


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
