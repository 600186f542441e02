"""The published models against the golden crops, by both backends and from both published layouts.

Golden: `golden/fen_airport1_crop.npz`, the published code's output on a crop of abu-airport-1; tolerance 1e-4 of the
largest magnitude is the contract, 1e-5 is what is reached.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferd_engine.fen.backend import open_backend
from ferd_engine.fen.bundle import Model
from ferd_engine.fen.importers import import_model
from tests.engine.fen.reference import enhanced, mirrored, relative_difference

SHARED = Path(os.environ.get("FERD_SHARED") or Path(__file__).resolve().parents[3] / "shared")
NAMES = ("aviris-ng-50", "aviris-ng-100", "aviris-ng-200", "aviris-200")

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not (SHARED / "models").is_dir(), reason=f"there are no published models in {SHARED}"),
]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Model]:
    pytest.importorskip("torch")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERD_MODELS", str(tmp_path_factory.mktemp("models")))
        imported = {name: import_model(SHARED / "models" / "upstream" / name, name) for name in NAMES}
        imported["hub"] = import_model(SHARED / "models" / "hub-layout", "hub")
    return imported


@pytest.fixture(scope="module")
def golden() -> Any:
    return np.load(SHARED / "golden" / "fen_airport1_crop.npz")


def _scaled_crop(golden: Any, n_bands: int) -> Any:
    crop = golden["crop"][:, :, :n_bands].astype(np.float32)
    low, high = crop.min(), crop.max()
    return ((crop - low) / (high - low) * np.float32(2) - np.float32(1)) * np.float32(0.1)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("name", NAMES)
def test_golden_crops(models: dict[str, Model], golden: Any, name: str, backend: str) -> None:
    model = models[name]
    image = _scaled_crop(golden, model.n_bands)
    found = open_backend(model, backend, "cpu").enhance(mirrored(image, model.architecture.halo_px))
    assert relative_difference(found, golden[f"enhanced_{name}"]) < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_of_the_tests_gives_the_golden_crops(models: dict[str, Model], golden: Any, name: str) -> None:
    model = models[name]
    expected = enhanced(_scaled_crop(golden, model.n_bands), model.weights, 3)
    assert relative_difference(golden[f"enhanced_{name}"], expected) < 1e-5


def test_both_layouts_give_one_model(models: dict[str, Model], golden: Any) -> None:
    assert models["hub"].sha256 == models["aviris-200"].sha256
    assert models["hub"].training["source_divides_by_norm"]
    assert not models["aviris-200"].training["source_divides_by_norm"]


@pytest.mark.parametrize("name", [*NAMES, "hub"])
def test_imported_models_state_what_is_known(models: dict[str, Model], name: str) -> None:
    model = models[name]
    assert (model.trained, model.band_selection, model.licence) == (True, "first", "not stated")
    assert model.training["probe_difference"] < 1e-5
