"""Model folders: written whole, read strictly."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from ferd_engine.errors import ModelError, OutputError
from ferd_engine.fen import bundle
from ferd_engine.fen.bundle import Model, check_name, load_model, save_model, verify_model
from ferd_engine.fen.network import Architecture
from ferd_engine.fen.safetensors import encode
from tests.engine.fen.reference import random_weights

ARCHITECTURE = Architecture(6, 1, entry=4, inner=3, outer=5, hidden=4)


def _model(**changes: Any) -> Model:
    weights = random_weights(ARCHITECTURE, 0)
    return replace(Model("small-6", ARCHITECTURE, weights, description="a test"), **changes)


def test_round_trip(tmp_path: Path) -> None:
    model = _model(
        wavelengths=(400.0, 450.5, 500.0, 550.0, 600.0, 2400.0),
        band_selection="wavelength",
        sensor="AVIRIS",
        licence="CC0-1.0",
        trained=False,
        training={"steps": 3},
        figures={"auc": 0.5},
    )
    saved = save_model(model, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert loaded.folder == tmp_path / "m"
    assert loaded.sha256 == hashlib.sha256((tmp_path / "m" / "weights.safetensors").read_bytes()).hexdigest()
    assert all(np.array_equal(loaded.weights[name], model.weights[name]) for name in model.weights)
    for one in (saved, loaded):
        assert replace(one, weights=model.weights, sha256="", folder=None) == model
    assert verify_model(tmp_path / "m").name == "small-6"


def test_checksums_in_the_card_are_grouped_and_read_either_way(tmp_path: Path) -> None:
    digits = hashlib.sha256(b"scene").hexdigest()
    training = {"data": [{"name": "scene", "sha256": digits}], "note": digits[:8] + " " + digits[8:16]}
    saved = save_model(_model(training=training), tmp_path / "m")
    card = tmp_path / "m" / "model.json"
    text = card.read_text()
    assert saved.training == training
    assert digits not in text
    assert saved.sha256 not in text
    grouped = " ".join(saved.sha256[start : start + 8] for start in range(0, 64, 8))
    assert grouped in text
    card.write_text(text.replace(grouped, saved.sha256))
    assert load_model(tmp_path / "m").sha256 == saved.sha256


def test_equal_models_give_equal_files_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_model(_model(), tmp_path / name)
    for file in ("model.json", "weights.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["model.json", "weights.safetensors"]


def test_an_existing_folder_is_replaced_only_when_allowed(tmp_path: Path) -> None:
    save_model(_model(), tmp_path / "m")
    with pytest.raises(OutputError, match="exists"):
        save_model(_model(sensor="other"), tmp_path / "m")
    assert load_model(tmp_path / "m").sensor is None
    save_model(_model(sensor="other"), tmp_path / "m", overwrite=True)
    assert load_model(tmp_path / "m").sensor == "other"
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_failed_save_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(_model(), tmp_path / "m")

    def full(*_: Any, **__: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        save_model(_model(sensor="other"), tmp_path / "m", overwrite=True)
    assert load_model(tmp_path / "m").sensor is None
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_never_saved_nor_loaded(tmp_path: Path, value: float) -> None:
    model = _model()
    weights = dict(model.weights)
    weights["conv1.bias"] = np.full(4, value, np.float32)
    with pytest.raises(ModelError, match=r"conv1\.bias holds NaN or infinity"):
        save_model(replace(model, weights=weights), tmp_path / "m")
    assert not (tmp_path / "m").exists()
    save_model(model, tmp_path / "m")
    _replace_weights(tmp_path / "m", weights)
    with pytest.raises(ModelError, match=r"conv1\.bias holds NaN or infinity"):
        load_model(tmp_path / "m")


def _replace_weights(folder: Path, weights: dict[str, Any]) -> None:
    content = encode(weights, {})
    (folder / "weights.safetensors").write_bytes(content)
    card = json.loads((folder / "model.json").read_text())
    card["weights"]["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "model.json").write_text(json.dumps(card))


def test_negative_variance_and_wrong_shapes_are_refused(tmp_path: Path) -> None:
    model = _model()
    save_model(model, tmp_path / "m")
    _replace_weights(tmp_path / "m", {**model.weights, "layer1.0.bn1.running_var": np.full(3, -1, np.float32)})
    with pytest.raises(ModelError, match="negative variance"):
        load_model(tmp_path / "m")
    _replace_weights(tmp_path / "m", {**model.weights, "conv2.bias": np.zeros(7, np.float32)})
    with pytest.raises(ModelError, match=r"conv2\.bias has the shape"):
        load_model(tmp_path / "m")


def test_changed_truncated_and_missing_weights_are_refused(tmp_path: Path) -> None:
    save_model(_model(), tmp_path / "m")
    path = tmp_path / "m" / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="sha256 differs"):
        load_model(tmp_path / "m")
    path.write_bytes(content[:100])
    with pytest.raises(ModelError, match="sha256 differs"):
        load_model(tmp_path / "m")
    path.unlink()
    with pytest.raises(ModelError, match="Cannot read the weights file"):
        load_model(tmp_path / "m")


def _set(*keys: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(card: dict[str, Any]) -> None:
        for key in keys[:-1]:
            card = card[key]
        card[keys[-1]] = value

    return change


WRONG_CARDS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "other format": (_set("format", value="onnx"), "not the card of a FERD model"),
    "later version": (_set("format_version", value=2), "format version 2.*update FERD"),
    "missing key": (lambda card: card.pop("licence") and None, "lacks licence"),
    "unknown key": (_set("code", value="x"), "unknown key 'code'"),
    "name with a path": (_set("name", value="../evil"), "cannot be a model's name"),
    "trained as text": (_set("trained", value="yes"), "trained"),
    "sensor as number": (_set("sensor", value=3), "sensor"),
    "training as list": (_set("training", value=[]), "training is not an object"),
    "unknown selection": (_set("band_selection", value="best"), "band_selection"),
    "selection as list": (_set("band_selection", value=["first"]), "band_selection"),
    "selection without wavelengths": (_set("band_selection", value="wavelength"), "needs wavelengths_nm"),
    "unknown scaling": (_set("scaling", value="none"), "scaling"),
    "architecture as list": (_set("architecture", value=[1]), "architecture has other keys"),
    "zero hidden": (_set("architecture", "hidden", value=0), "hidden"),
    "text bands": (_set("architecture", "n_bands", value="6"), "n_bands"),
    "gigantic bands": (_set("architecture", "n_bands", value=10**12), "n_bands"),
    "five bottlenecks": (_set("architecture", "bottlenecks", value=5), "bottlenecks"),
    "weights elsewhere": (_set("weights", "file", value="../../etc/passwd"), "weights file is not"),
    "short checksum": (_set("weights", "sha256", value="ab"), "no sha256"),
    "too few wavelengths": (_set("wavelengths_nm", value=[400.0]), "wavelengths_nm"),
    "negative wavelength": (_set("wavelengths_nm", value=[-1.0] * 6), "wavelengths_nm"),
    "wavelength as text": (_set("wavelengths_nm", value=["400"] * 6), "wavelengths_nm"),
}


@pytest.mark.parametrize(("change", "message"), WRONG_CARDS.values(), ids=WRONG_CARDS.keys())
def test_wrong_cards_are_refused(tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    save_model(_model(), tmp_path / "m")
    path = tmp_path / "m" / "model.json"
    card = json.loads(path.read_text())
    change(card)
    path.write_text(json.dumps(card))
    with pytest.raises(ModelError, match=message):
        load_model(tmp_path / "m")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"format": NaN}', b"[" * 100_000])
def test_cards_that_are_no_json_object_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.json"):
        load_model(tmp_path)


def test_missing_and_oversized_cards_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="no model in"):
        load_model(tmp_path / "nowhere")
    save_model(_model(), tmp_path / "m")
    monkeypatch.setattr(bundle, "MAX_CARD_BYTES", 10)
    with pytest.raises(ModelError, match="larger than"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize("name", ["fen-200", "a", "AVIRIS_ng.2", "x" * 64])
def test_usable_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a\\b", "/etc", "-x", "a ", "a.", "a\n", "CON", "nul.txt", "x" * 65, "ä", "a:b"]
)
def test_unusable_names(name: str) -> None:
    with pytest.raises(ModelError, match="cannot be a model's name"):
        check_name(name)


def test_verify_runs_the_model(tmp_path: Path) -> None:
    weights = dict(_model().weights)
    # Finite, folded too, but large enough to overflow on any image.
    for name in ("conv1.weight", "conv2.weight", "layer1.0.downsample.0.weight", "convh.weight"):
        weights[name] = np.full(weights[name].shape, 1e25, np.float32)
    save_model(_model(weights=weights), tmp_path / "m")
    with pytest.raises(ModelError, match="NaN or infinity for an ordinary image"):
        verify_model(tmp_path / "m")
