"""Train the embedded models again, each by its configuration, and put the bundles into a folder.

python scripts/train_models.py FOLDER [NAME ...]

Without names: all of `training/configs`. A run that was stopped goes on after its last whole epoch.
"""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ferd_engine.errors import FerdError  # noqa: E402
from ferd_engine.fen.bundle import save_model  # noqa: E402
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
        print(f"{model.folder}: {model.n_bands} bands, sha256 {model.sha256}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
