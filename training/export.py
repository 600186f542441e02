"""A trained FEN as the engine's bundle, with what is needed to make it again."""

from __future__ import annotations

import platform
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from ferd_engine.fen.bundle import Model
from ferd_engine.fen.network import Weights

from .config import Config
from .scenes import Scene


def to_model(config: Config, weights: Weights, scenes: list[Scene], progress: dict[str, Any]) -> Model:
    """Return the model of a configuration: `progress` holds epoch, seconds and the selection's score."""
    data = [{"name": scene.name, "sha256": scene.sha256, "licence": scene.licence} for scene in scenes]
    shaping = asdict(config)
    for key in ("output", "data", "name"):
        shaping.pop(key)
    return Model(
        name=config.name,
        architecture=config.network.architecture(config.data.bands),
        weights=weights,
        description=(
            f"FEN for {config.data.bands} bands, trained by {config.training.objective} on {len(scenes)} background "
            "scenes, none of them with a truth of anomalies."
        ),
        trained=True,
        band_selection=config.data.band_selection,
        licence=config.licence,
        training={
            "method": config.training.objective,
            "config": shaping,
            "config_sha256": config.digest(),
            "data": data,
            "patches": {
                "size": config.data.patch,
                "rounds": config.data.rounds,
                "turned": config.data.turn_patches,
                "bands_varied": config.data.vary_bands,
            },
            **progress,
            "versions": {"torch": torch.__version__, "numpy": np.__version__, "python": platform.python_version()},
        },
        figures={},
    )
