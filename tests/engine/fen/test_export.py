"""Exports are whole or absent, compute what the engine computes, and come back as the same model."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferd_engine.cli import main
from ferd_engine.cli.parser import EXPORT_FORMATS
from ferd_engine.errors import MissingPackageError, OutputError, RunError, UsageError
from ferd_engine.fen import backend, export
from ferd_engine.fen.backend import open_backend
from ferd_engine.fen.bundle import Model, load_model
from ferd_engine.fen.export import FORMATS, PROGRAM_FILE, export_model
from ferd_engine.fen.importers import TORCHSCRIPT_FILES, import_model
from ferd_engine.fen.network import Architecture
from tests.engine.fen.reference import enhanced, mirrored, random_image, random_weights, relative_difference

torch = pytest.importorskip("torch")

ARCHITECTURE = Architecture(6, 3, entry=4, inner=3, outer=5, hidden=4)
MODEL = Model(
    "net-6",
    ARCHITECTURE,
    random_weights(ARCHITECTURE, 0),
    sensor="AVIRIS",
    wavelengths=(400.0, 500.0, 600.0, 700.0, 800.0, 900.0),
    band_selection="wavelength",
)
SHAPES = [(5, 5), (7, 31), (24, 13)]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERD_MODELS", str(tmp_path / "models"))


def _hsi(image: np.ndarray) -> Any:
    """Return an image (rows, cols, bands) as the hub's models take it: (1, bands, rows, cols)."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)[None]))


def _image(hsi: Any) -> np.ndarray:
    return np.ascontiguousarray(hsi[0].permute(1, 2, 0).numpy())


@pytest.mark.parametrize("bottlenecks", [1, 3, 4])
def test_torchscript_in_the_hubs_calling_convention(tmp_path: Path, bottlenecks: int) -> None:
    architecture = replace(ARCHITECTURE, bottlenecks=bottlenecks)
    model = Model("net-6", architecture, random_weights(architecture, bottlenecks))
    report = export_model(model, tmp_path / "out", "torchscript")
    assert report.files == TORCHSCRIPT_FILES
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(TORCHSCRIPT_FILES)
    assert report.difference is not None
    assert report.difference < 1e-5
    cwl, rnl, fpl = (torch.jit.load(str(tmp_path / "out" / name)) for name in TORCHSCRIPT_FILES)
    for n_rows, n_cols in SHAPES:
        image = random_image(n_rows, n_cols, 6)
        hsi = _hsi(image)
        found, features = fpl(rnl(cwl(hsi)), hsi)
        assert relative_difference(_image(found), enhanced(image, model.weights, bottlenecks)) < 1e-5
        np.testing.assert_allclose(_image(features) + image, _image(found), atol=1e-6)
        ours = open_backend(model, "numpy").enhance(mirrored(image, architecture.halo_px))
        assert relative_difference(_image(found), ours) < 1e-5


def test_our_torchscript_comes_back_with_the_same_weights(tmp_path: Path) -> None:
    export_model(MODEL, tmp_path / "out", "torchscript")
    model = import_model(tmp_path / "out", "back-6")
    assert model.architecture == ARCHITECTURE
    assert all(np.array_equal(model.weights[name], MODEL.weights[name]) for name in MODEL.weights)
    assert not model.training["source_divides_by_norm"]


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_program_of_torch_export_takes_any_size(tmp_path: Path) -> None:
    report = export_model(MODEL, tmp_path / "out", "pt2")
    assert report.files == (PROGRAM_FILE,)
    network = torch.export.load(tmp_path / "out" / PROGRAM_FILE).module()
    for n_rows, n_cols in SHAPES:
        image = random_image(n_rows, n_cols, 6)
        assert relative_difference(_image(network(_hsi(image))), enhanced(image, MODEL.weights, 3)) < 1e-5


def test_safetensors_keep_everything_and_need_no_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "torch_installed", lambda: False)
    report = export_model(MODEL, tmp_path / "out", "safetensors")
    assert report.difference is None
    loaded = load_model(tmp_path / "out")
    assert replace(loaded, weights=MODEL.weights, sha256="", folder=None) == MODEL
    assert all(np.array_equal(loaded.weights[name], MODEL.weights[name]) for name in MODEL.weights)
    package = pytest.importorskip("safetensors.numpy")
    assert set(package.load_file(tmp_path / "out" / "weights.safetensors")) == set(MODEL.weights)


def test_an_existing_folder_gives_way_only_when_allowed_and_when_it_is_an_export(tmp_path: Path) -> None:
    target = tmp_path / "out"
    export_model(MODEL, target, "torchscript")
    with pytest.raises(OutputError, match="--overwrite"):
        export_model(MODEL, target, "safetensors")
    assert sorted(path.name for path in target.iterdir()) == sorted(TORCHSCRIPT_FILES)
    export_model(MODEL, target, "safetensors", overwrite=True)
    assert sorted(path.name for path in target.iterdir()) == ["model.json", "weights.safetensors"]
    (target / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match=r"holds thesis\.tex"):
        export_model(MODEL, target, "safetensors", overwrite=True)
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "file").write_text("x")
    for name in ("link", "file"):
        with pytest.raises(OutputError, match="not a folder that can be replaced"):
            export_model(MODEL, tmp_path / name, "safetensors", overwrite=True)
    assert (target / "thesis.tex").read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link", "out"]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("existing", [False, True])
def test_a_failed_export_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str, existing: bool
) -> None:
    if existing:
        export_model(MODEL, tmp_path / "out", "safetensors")
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        write(path, content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        export_model(MODEL, tmp_path / "out", format, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == (["out"] if existing else [])
    if existing:
        assert load_model(tmp_path / "out").name == "net-6"


def test_an_export_that_computes_something_else_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = export.build_parts

    def wrong(architecture: Architecture, weights: Any) -> Any:
        return build(architecture, {**weights, "conv2.bias": weights["conv2.bias"] + 0.01})

    monkeypatch.setattr(export, "build_parts", wrong)
    with pytest.raises(RunError, match="differs from the engine"):
        export_model(MODEL, tmp_path / "out", "torchscript")
    assert list(tmp_path.iterdir()) == []


def test_the_command(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert FORMATS == EXPORT_FORMATS
    bundle = str(export_model(MODEL, tmp_path / "net-6", "safetensors").folder)
    out = str(tmp_path / "out")
    assert main(["models", "export", bundle, out, "--format", "torchscript", "--json"]) == 0
    facts = json.loads(capfd.readouterr().out)
    assert (facts["folder"], facts["format"], facts["files"]) == (out, "torchscript", list(TORCHSCRIPT_FILES))
    assert main(["models", "export", bundle, out, "--format", "safetensors"]) == 2
    assert re.fullmatch(r"ferd: .* exists: .*--overwrite\.\n", capfd.readouterr().err)
    assert main(["models", "export", bundle, out, "--format", "safetensors", "--overwrite"]) == 0
    assert main(["models", "export", "nowhere", str(tmp_path / "other"), "--format", "pt2"]) == 2
    capfd.readouterr()
    monkeypatch.setattr(backend, "torch_installed", lambda: False)
    assert main(["models", "export", bundle, str(tmp_path / "other"), "--format", "torchscript"]) == 2
    assert re.fullmatch(r"ferd: Exporting to torchscript needs .*pip install.*\n", capfd.readouterr().err)
    assert not (tmp_path / "other").exists()


def test_python_refuses_other_formats_and_missing_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="torchscript, safetensors, pt2"):
        export_model(MODEL, tmp_path / "out", "onnx")
    monkeypatch.setattr(backend, "torch_installed", lambda: False)
    for format in ("torchscript", "pt2"):
        with pytest.raises(MissingPackageError, match="needs the package torch"):
            export_model(MODEL, tmp_path / "out", format)
    assert list(tmp_path.iterdir()) == []
