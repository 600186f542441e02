"""The published models through export, and the published files beside the engine on a real scene."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferd_engine
from ferd_engine import features
from ferd_engine.fen.bundle import Model
from ferd_engine.fen.export import export_model
from ferd_engine.fen.importers import TORCHSCRIPT_FILES, import_model
from tests.engine.fen.reference import relative_difference

SHARED = Path(os.environ.get("FERD_SHARED") or Path(__file__).resolve().parents[3] / "shared")
HUB = SHARED / "models" / "hub-layout" / "aviris" / "200bands"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not HUB.is_dir(), reason=f"there are no published models in {SHARED}"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture
def model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """Return the model imported from the hub's layout, whose head divides by the norm of the image."""
    pytest.importorskip("torch")
    monkeypatch.setenv("FERD_MODELS", str(folder))
    return import_model(HUB, "hub-200", overwrite=True)


@pytest.fixture(scope="module")
def crop() -> np.ndarray:
    return np.load(SHARED / "golden" / "fen_airport1_crop.npz")["crop"][:, :, :200].astype(np.float32)


def _run(files: Path, crop: np.ndarray) -> Any:
    """Return what three TorchScript files give for a crop, called as the published README calls them."""
    import torch

    scaled = ((crop - crop.min()) / np.ptp(crop) * 2 - 1) * np.float32(0.1)
    hsi = torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1)[None]))
    cwl, rnl, fpl = (torch.jit.load(str(files / name)).eval() for name in TORCHSCRIPT_FILES)
    with torch.inference_mode():
        enhanced, _ = fpl(rnl(cwl(hsi)), hsi)
    return enhanced[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("shape", [(28, 24), (9, 24), (16, 7)])
def test_blocks_do_not_show_though_the_source_divides_by_its_norm(
    model: Model, crop: np.ndarray, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    assert model.training["source_divides_by_norm"]
    monkeypatch.setattr(features, "block_shape", lambda *_: shape)
    found = ferd_engine.enhance(crop, model="hub-200")
    published = _run(HUB, crop)
    assert relative_difference(published * np.linalg.norm(found), found) < 1e-4


def test_our_export_of_the_published_model(model: Model, crop: np.ndarray, tmp_path: Path) -> None:
    report = export_model(model, tmp_path / "export", "torchscript")
    assert report.difference is not None
    assert report.difference < 1e-5
    assert relative_difference(_run(tmp_path / "export", crop), ferd_engine.enhance(crop, model="hub-200")) < 1e-4
    again = import_model(tmp_path / "export", "again-200", overwrite=True)
    assert again.sha256 == model.sha256
