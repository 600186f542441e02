"""Write the embedded model bundles: the seeded untrained FEN for 50, 100 and 200 bands.

python scripts/make_untrained_models.py [FOLDER]

FOLDER is `ferd_engine/models` unless named. Running it again gives the same bytes. The bundles are untrained controls:
random weights of the published architecture, there so that everything runs and as a lower bound for trained models.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ferd_engine.fen.bundle import Model, save_model  # noqa: E402
from ferd_engine.fen.network import Architecture, untrained_weights  # noqa: E402

SEED = 0
BAND_COUNTS = (50, 100, 200)


def untrained_model(n_bands: int) -> Model:
    """Return the untrained control for a number of bands."""
    architecture = Architecture(n_bands)
    return Model(
        name=f"fen-{n_bands}",
        architecture=architecture,
        weights=untrained_weights(architecture, SEED),
        description=(
            f"Untrained control: a FEN for {n_bands} bands with seeded random weights. It was not trained on any data; "
            "results with it show what the architecture alone does, not what a trained FEN does."
        ),
        trained=False,
        band_selection="spread",
        licence="GPL-2.0-or-later",
        training={
            "method": "none: seeded random weights (untrained control)",
            "seed": SEED,
            "maker": "scripts/make_untrained_models.py",
        },
    )


def main(arguments: list[str]) -> int:
    """Write the three bundles into the folder named, or into the package."""
    target = Path(arguments[0]) if arguments else ROOT / "ferd_engine" / "models"
    for n_bands in BAND_COUNTS:
        model = save_model(untrained_model(n_bands), target / f"fen-{n_bands}", overwrite=True)
        print(f"{model.folder}: {model.n_bands} bands, sha256 {model.sha256}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
