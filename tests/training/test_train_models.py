"""scripts/train_models.py notices what it could not save before it trains anything."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def script(monkeypatch):
    spec = importlib.util.spec_from_file_location("train_models", ROOT / "scripts" / "train_models.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def train(config):
        raise AssertionError(f"{config.name} is trained")

    monkeypatch.setattr(module, "train", train)
    return module


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "fen-50 exists: remove it, or name another folder"),
        (["fen-100", "fen-50"], "fen-50 exists: remove it, or name another folder"),
        (["fen-100", "fen-51"], "Cannot read the configuration"),
    ],
)
def test_all_models_are_checked_before_the_first_is_trained(script, tmp_path, capsys, names, message):
    (tmp_path / "fen-50").mkdir()
    assert script.main([str(tmp_path), *names]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["fen-50"]
