"""A model on disk: a folder with `model.json`, the card, and `weights.safetensors`, the data.

`model.json`, format version 1 (every key is required, no other is allowed):

    format            "ferd-model"
    format_version    1
    name              letters, digits, dot, dash and underscore; see `check_name`
    description       text
    trained           false for a control with random weights
    architecture      {n_bands, bottlenecks, entry, inner, outer, hidden}: integers, see `network.Architecture`
    weights           {file: "weights.safetensors", sha256: 64 hexadecimal digits}
    band_selection    "first", "spread" or "wavelength": how bands are picked where the user says nothing
    wavelengths_nm    null, or n_bands centres in nanometres that the model was trained on
    sensor            null or text
    scaling           "minmax" or "percentile": how the input comes to [-0.1, 0.1]
    licence           text, "not stated" where it is not known
    training          object: provenance, free keys
    figures           object: measured figures, free keys

A sha256 anywhere in the card is written in groups of eight digits, and read with or without the spaces: 64 digits in
one string look like a key to programs that search for secrets, and QGIS's plugin repository refuses what they find.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import options
from ..errors import ModelError
from . import safetensors
from .folders import whole_folder
from .network import Architecture, Weights, check_shapes, fold, tensor_shapes

FORMAT = "ferd-model"
FORMAT_VERSION = 1
CARD_FILE = "model.json"
WEIGHTS_FILE = "weights.safetensors"
BUNDLE_FILES = (CARD_FILE, WEIGHTS_FILE)
# What a user may choose too, besides auto.
BAND_SELECTIONS = tuple(name for name in options.BAND_SELECTIONS if name != "auto")
MAX_CARD_BYTES = 1 << 20

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9_-])?")
_RESERVED = re.compile(r"(?i)(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")
_SHA256 = re.compile("[0-9a-f]{64}")
_GROUPED_SHA256 = re.compile("(?:[0-9a-f]{8} ){7}[0-9a-f]{8}")
_ARCHITECTURE_KEYS = ("n_bands", "bottlenecks", "entry", "inner", "outer", "hidden")


@dataclass(frozen=True)
class Model:
    """A FEN with its weights (float32, by tensor name) and its card.

    `wavelengths` are n_bands centres in nanometres, or None. `folder` and `sha256` (of the weights file) are None and
    empty for a model that was never saved.
    """

    name: str
    architecture: Architecture
    weights: Weights = field(repr=False)
    description: str = ""
    trained: bool = True
    band_selection: str = "first"
    wavelengths: tuple[float, ...] | None = None
    sensor: str | None = None
    scaling: str = "minmax"
    licence: str = "not stated"
    training: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    sha256: str = ""
    folder: Path | None = None

    @property
    def n_bands(self) -> int:
        """Bands that the model takes and gives."""
        return self.architecture.n_bands


def check_name(name: str) -> str:
    """Return the name if it can be a folder's name on every system; raises `ModelError` otherwise."""
    if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
        raise ModelError(
            f"{name[:80]!r} cannot be a model's name: use up to 64 letters, digits, dots, dashes and underscores, "
            "beginning with a letter or digit."
        )
    return name


def check_weights(architecture: Architecture, weights: Weights) -> None:
    """Raise `ModelError` unless the weights fit the architecture and are finite, folded too."""
    check_shapes(architecture, {name: values.shape for name, values in weights.items()})
    for name, values in weights.items():
        if not np.isfinite(values).all():
            raise ModelError(f"The tensor {name} holds NaN or infinity; get the model again from where it came.")
        if name.endswith("running_var") and (values < 0).any():
            raise ModelError(f"The tensor {name} holds a negative variance; get the model again from where it came.")
    fold(architecture, weights)


def load_model(folder: str | Path) -> Model:
    """Return the model of a bundle folder, with card, checksum, shapes and values checked.

    Raises `ModelError` with one sentence for whatever is missing, damaged or of an unknown version.
    """
    folder = Path(folder)
    model, sha256 = _model_from_card(folder, _read_card(folder / CARD_FILE))
    content = safetensors.read_weights_file(folder / WEIGHTS_FILE)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelError(
            f"The weights of the model in {folder} are not those that its {CARD_FILE} names (the sha256 differs): "
            "get the model again from where it came."
        )
    weights = safetensors.decode_named(content, f"The model in {folder}")
    try:
        check_weights(model.architecture, weights)
    except ModelError as error:
        raise ModelError(f"The model in {folder} cannot be used: {error}") from error
    return replace(model, weights=weights, sha256=sha256)


def verify_model(folder: str | Path) -> Model:
    """Load a model, run it once, and return it; raises `ModelError` where that fails."""
    model = load_model(folder)
    check_runs(model)
    return model


def check_runs(model: Model) -> None:
    """Run the model on a small seeded probe; raises `ModelError` where the result is not finite."""
    from .numpy_backend import NumpyBackend

    side = 2 * model.architecture.halo_px + 3
    probe = np.random.RandomState(0).uniform(-0.1, 0.1, (side, side, model.n_bands)).astype(np.float32)
    enhanced = NumpyBackend(model.architecture, model.weights, threads=1).enhance(probe)
    if not np.isfinite(enhanced).all():
        raise ModelError(f"The model {model.name} gives NaN or infinity for an ordinary image; do not use it.")


def _read_card(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_CARD_BYTES:
            raise ModelError(f"The model card {path} is larger than {MAX_CARD_BYTES >> 20} MiB: it is no FERD model.")
        card = json.loads(path.read_bytes().decode("utf-8"), parse_constant=_no_constant)
    except FileNotFoundError as error:
        raise ModelError(f"There is no model in {path.parent}: its {CARD_FILE} is missing.") from error
    except ModelError:
        raise
    except OSError as error:
        raise ModelError(
            f"Cannot read the model card {path} ({error.strerror}): check the file's permissions."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"The model card {path} is not valid JSON: get the model again from where it came.") from error
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        raise ModelError(f"The file {path} is not the card of a FERD model: its format is not {FORMAT!r}.")
    if card.get("format_version") != FORMAT_VERSION:
        raise ModelError(
            f"The model card {path} has the format version {card.get('format_version')!r}, and this FERD reads "
            f"version {FORMAT_VERSION}: update FERD, or get the model in that version."
        )
    plain: dict[str, Any] = _changed_texts(card, lambda text: text.replace(" ", ""), _GROUPED_SHA256)
    return plain


def _grouped(text: str) -> str:
    return " ".join(text[start : start + 8] for start in range(0, len(text), 8))


def _changed_texts(value: Any, change: Callable[[str], str], pattern: re.Pattern[str]) -> Any:
    """Return a JSON value in which every text of the pattern is changed."""
    if isinstance(value, str):
        return change(value) if pattern.fullmatch(value) else value
    if isinstance(value, dict):
        return {key: _changed_texts(item, change, pattern) for key, item in value.items()}
    if isinstance(value, list):
        return [_changed_texts(item, change, pattern) for item in value]
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _model_from_card(folder: Path, card: dict[str, Any]) -> tuple[Model, str]:
    """Return the model without its weights, and the checksum that the weights must have."""
    path = folder / CARD_FILE

    def require(condition: bool, what: str) -> None:
        if not condition:
            raise ModelError(f"The model card {path} is wrong: {what}; get the model again from where it came.")

    missing, unknown = _CARD_KEYS - set(card), set(card) - _CARD_KEYS
    require(not missing, f"it lacks {', '.join(sorted(missing))}")
    require(not unknown, f"it has the unknown key {min(unknown, default='')[:80]!r}")
    for key in ("name", "description", "licence"):
        require(isinstance(card[key], str), f"{key} is not a text")
    for key in ("training", "figures"):
        require(isinstance(card[key], dict), f"{key} is not an object")
    require(isinstance(card["trained"], bool), "trained is neither true nor false")
    require(card["sensor"] is None or isinstance(card["sensor"], str), "sensor is neither null nor a text")
    require(card["band_selection"] in BAND_SELECTIONS, f"band_selection is not one of {', '.join(BAND_SELECTIONS)}")
    require(card["scaling"] in options.SCALINGS, f"scaling is not one of {', '.join(options.SCALINGS)}")
    sizes, weights = card["architecture"], card["weights"]
    require(isinstance(sizes, dict) and set(sizes) == set(_ARCHITECTURE_KEYS), "architecture has other keys")
    require(type(sizes["hidden"]) is int and sizes["hidden"] > 0, "architecture.hidden is not a positive integer")
    require(isinstance(weights, dict) and set(weights) == {"file", "sha256"}, "weights needs file and sha256")
    require(weights["file"] == WEIGHTS_FILE, f"its weights file is not {WEIGHTS_FILE}")
    sha256 = weights["sha256"]
    require(isinstance(sha256, str) and bool(_SHA256.fullmatch(sha256)), "weights.sha256 is no sha256")
    architecture = Architecture(**sizes)
    wavelengths = card["wavelengths_nm"]
    if wavelengths is not None:
        require(_are_wavelengths(wavelengths, architecture.n_bands), "wavelengths_nm are not n_bands positive numbers")
        wavelengths = tuple(float(value) for value in wavelengths)
    require(card["band_selection"] != "wavelength" or wavelengths is not None, "band_selection needs wavelengths_nm")
    model = Model(
        name=check_name(card["name"]),
        architecture=architecture,
        weights={},
        wavelengths=wavelengths,
        folder=folder,
        **{key: card[key] for key in _PLAIN_KEYS},
    )
    return model, sha256


_PLAIN_KEYS = ("description", "trained", "band_selection", "sensor", "scaling", "licence", "training", "figures")
_CARD_KEYS = {"format", "format_version", "name", "architecture", "weights", "wavelengths_nm", *_PLAIN_KEYS}


def _are_wavelengths(values: Any, n_bands: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == n_bands
        and all(type(value) in (int, float) and 0 < value < 1e9 and math.isfinite(value) for value in values)
    )


def card_of(model: Model, sha256: str) -> dict[str, Any]:
    """Return the contents of `model.json` for a model whose weights file has this checksum."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "name": model.name,
        "description": model.description,
        "trained": model.trained,
        "architecture": {key: getattr(model.architecture, key) for key in _ARCHITECTURE_KEYS},
        "weights": {"file": WEIGHTS_FILE, "sha256": sha256},
        "band_selection": model.band_selection,
        "wavelengths_nm": None if model.wavelengths is None else list(model.wavelengths),
        "sensor": model.sensor,
        "scaling": model.scaling,
        "licence": model.licence,
        "training": model.training,
        "figures": model.figures,
    }


def save_model(model: Model, folder: str | Path, *, overwrite: bool = False) -> Model:
    """Write a bundle folder, whole or not at all, and return the model as it would be loaded from there.

    The weights are checked first; equal models give equal files. Raises `OutputError` where the folder exists and
    `overwrite` is not set, holds other things than a model, or cannot be written.
    """
    folder = Path(folder)
    check_name(model.name)
    check_weights(model.architecture, model.weights)
    with whole_folder(folder, overwrite=overwrite, replaceable=BUNDLE_FILES) as fresh:
        saved = write_bundle(model, fresh)
    return replace(saved, folder=folder)


def write_bundle(model: Model, folder: Path) -> Model:
    """Write the two files of a bundle into a folder that is there, and return the model as it is loaded from there."""
    ordered = {name: np.asarray(model.weights[name], np.float32) for name in tensor_shapes(model.architecture)}
    content = safetensors.encode(ordered, {})
    described = _changed_texts(card_of(model, hashlib.sha256(content).hexdigest()), _grouped, _SHA256)
    card = json.dumps(described, indent=2, allow_nan=False) + "\n"
    (folder / WEIGHTS_FILE).write_bytes(content)
    (folder / CARD_FILE).write_bytes(card.encode("utf-8"))
    # Reading it back means that a card which this version would refuse never takes its place.
    return load_model(folder)
