"""A trained FEN for another number of bands: entry and head interpolated along the spectrum.

What such a network is worth is measured, not assumed: see docs/accuracy.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ferd_engine.errors import UsageError
from ferd_engine.fen.bundle import Model
from ferd_engine.fen.network import Architecture, Weights

Float32Array = NDArray[np.float32]


def stretched_model(model: Model, n_bands: int, name: str) -> Model:
    """Return the model for another number of bands, its origin in its card; `UsageError` for fewer than 2."""
    if n_bands < 2:
        raise UsageError(f"A model for {n_bands} bands is of no use: give 2 or more.")
    architecture, weights = stretched(model.architecture, model.weights, n_bands)
    return replace(
        model,
        name=name,
        architecture=architecture,
        weights=weights,
        wavelengths=None,
        band_selection="spread",
        description=f"{model.description} Interpolated from its {model.n_bands} bands to {n_bands}.",
        training={**model.training, "stretched_from": {"bands": model.n_bands, "sha256": model.sha256}},
        figures={},
    )


def stretched(
    architecture: Architecture, weights: Weights, n_bands: int
) -> tuple[Architecture, dict[str, Float32Array]]:
    """Return architecture and weights for `n_bands` bands; the residual layer stays as it is.

    The entry's rows are interpolated over the relative place of the bands and multiplied by the old number of bands
    over the new one, so that a smooth spectrum gives the same features; the head's rows and biases are interpolated.
    """
    a = architecture
    there, wanted = np.linspace(0.0, 1.0, a.n_bands), np.linspace(0.0, 1.0, n_bands)
    changed = {name: np.array(values) for name, values in weights.items()}
    entry = np.stack([np.interp(wanted, there, row) for row in weights["convh.weight"][:, :, 0, 0]])
    changed["convh.weight"] = _kernel(entry * (a.n_bands / n_bands))
    head = np.stack([np.interp(wanted, there, column) for column in weights["conv2.weight"][:, :, 0, 0].T], axis=1)
    changed["conv2.weight"] = _kernel(head)
    changed["conv2.bias"] = np.interp(wanted, there, weights["conv2.bias"]).astype(np.float32)
    return Architecture(n_bands, a.bottlenecks, a.entry, a.inner, a.outer, a.hidden), changed


def _kernel(matrix: NDArray[np.float64]) -> Float32Array:
    return np.ascontiguousarray(matrix[:, :, None, None], dtype=np.float32)
