"""A model small enough to run in milliseconds, no models of the user's, and what files this process holds open."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from ferd_engine.fen.bundle import Model, save_model
from ferd_engine.fen.network import Architecture
from tests.engine.fen.reference import random_weights


def open_files() -> set[str]:
    """Return the regular files that this process holds open."""
    links = Path("/proc/self/fd")
    if not links.is_dir():
        pytest.skip("this system has no /proc")
    # An error that an earlier test kept holds its frames, and what they opened, until it is collected at any time.
    gc.collect()
    return {str(link.resolve()) for link in links.iterdir() if link.resolve().is_file()}


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Return a saved model of six bands whose network does something; its folder is `small_model.folder`."""
    architecture = Architecture(6, 3, entry=5, inner=4, outer=7, hidden=6)
    folder = tmp_path_factory.mktemp("models") / "small-6"
    return save_model(Model("small-6", architecture, random_weights(architecture, 3)), folder)


@pytest.fixture
def no_user_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let FERD_MODELS be an empty folder, and return it."""
    folder = tmp_path / "user-models"
    folder.mkdir()
    monkeypatch.setenv("FERD_MODELS", str(folder))
    return folder
