"""The embedded bundles are what their cards say; untrained controls can be made beside them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from ferd_engine.fen.bundle import load_model, verify_model
from ferd_engine.fen.network import Architecture, untrained_weights
from ferd_engine.fen.store import DEFAULT_NAMES, EMBEDDED_FOLDER
from training.config_file import load_config

ROOT = Path(__file__).resolve().parents[3]


def test_untrained_controls_are_the_same_bytes_again(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "make_untrained_models.py"
    for folder in ("a", "b"):
        subprocess.run([sys.executable, str(script), str(tmp_path / folder)], check=True, capture_output=True)
    written = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(written) == 6
    for path in written:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes(), path
    for n_bands in (50, 100, 200):
        model = load_model(tmp_path / "a" / f"fen-untrained-{n_bands}")
        assert not model.trained
        assert model.architecture == Architecture(n_bands)
        assert (model.weights["convh.weight"] == untrained_weights(Architecture(n_bands), 0)["convh.weight"]).all()


def test_untrained_controls_that_cannot_be_written_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    script = [sys.executable, str(ROOT / "scripts" / "make_untrained_models.py"), str(tmp_path / "file")]
    run = subprocess.run(script, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.startswith("make_untrained_models: Cannot write the folder ")
    assert run.stderr.count("\n") == 1


@pytest.mark.parametrize("name", DEFAULT_NAMES)
def test_embedded_models_verify(name: str) -> None:
    assert verify_model(EMBEDDED_FOLDER / name).name == name


@pytest.mark.parametrize("name", DEFAULT_NAMES)
def test_cards_tell_how_the_model_was_made(name: str) -> None:
    model = load_model(EMBEDDED_FOLDER / name)
    config = load_config(ROOT / "training" / "configs" / f"{name}.toml")
    assert model.trained
    # Who retrains by the configuration that is here gets this model.
    assert model.training["config_sha256"] == config.digest()
    assert model.training["config"]["seed"] == config.seed
    assert model.n_bands == config.data.bands
    assert model.band_selection == config.data.band_selection
    assert model.architecture == config.network.architecture(config.data.bands)
    for entry in model.training["data"]:
        assert entry["licence"] in ("MIT", "CC0-1.0")
        assert re.fullmatch("[0-9a-f]{64}", entry["sha256"]) or entry["name"].startswith("synthetic")
        assert "abu" not in entry["name"]
    assert model.training["seconds"] > 0
    assert 0.5 < model.training["held_out_auc"] < 1.0
    assert model.figures["scenes"]["mean"]["FEN + GRX"] > model.figures["scenes"]["mean"]["GRX"]


def test_the_embedded_models_are_small() -> None:
    assert sum(path.stat().st_size for path in EMBEDDED_FOLDER.rglob("*")) < 6_000_000
