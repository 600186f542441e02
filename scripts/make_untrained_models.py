"""Write untrained controls: seeded random FENs of the published shape for 50, 100 and 200 bands.

python scripts/make_untrained_models.py FOLDER [SEED]

Running it again gives the same bytes. What a trained model is worth is what it gains over these. To use them by name,
let FOLDER be the folder of installed models, or name it with FERD_MODELS: `ferd detect ... --model fen-untrained-200`.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ferd_engine.errors import FerdError  # noqa: E402
from ferd_engine.fen.bundle import Model, save_model  # noqa: E402
from ferd_engine.fen.network import Architecture, untrained_weights  # noqa: E402

BAND_COUNTS = (50, 100, 200)


def untrained_model(n_bands: int, seed: int = 0) -> Model:
    """Return the untrained control for a number of bands."""
    architecture = Architecture(n_bands)
    return Model(
        name=f"fen-untrained-{n_bands}",
        architecture=architecture,
        weights=untrained_weights(architecture, seed),
        description=(
            f"Untrained control: a FEN for {n_bands} bands with seeded random weights. It was not trained on any data; "
            "results with it show what the architecture alone does, not what a trained FEN does."
        ),
        trained=False,
        band_selection="spread",
        licence="GPL-2.0-or-later",
        training={
            "method": "none: seeded random weights (untrained control)",
            "seed": seed,
            "maker": "scripts/make_untrained_models.py",
        },
    )


def main(arguments: list[str]) -> int:
    """Write the three bundles into the folder named."""
    if len(arguments) not in (1, 2) or not all(part.isdigit() for part in arguments[1:]):
        print(__doc__, file=sys.stderr)
        return 2
    target = Path(arguments[0])
    seed = int(arguments[1]) if len(arguments) == 2 else 0
    try:
        for n_bands in BAND_COUNTS:
            untrained = untrained_model(n_bands, seed)
            model = save_model(untrained, target / untrained.name, overwrite=True)
            print(f"{model.folder}: {model.n_bands} bands, sha256 {model.sha256}")
    except FerdError as error:
        print(f"make_untrained_models: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
