"""Import of published layouts, made here from random weights, and refusal of damaged and hostile ones."""

from __future__ import annotations

import os
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ferd_engine
from ferd_engine import features
from ferd_engine.errors import MissingPackageError, ModelError, OutputError, RunError
from ferd_engine.fen import archives, backend, importers, store
from ferd_engine.fen.bundle import Model, save_model
from ferd_engine.fen.importers import STATE_DICT_FILES, TORCHSCRIPT_FILES, find_source, import_model
from ferd_engine.fen.network import Architecture
from ferd_engine.fen.safetensors import encode
from tests.engine.fen.reference import Float32Array, enhanced, random_image, random_weights, relative_difference

torch = pytest.importorskip("torch")

ARCHITECTURE = Architecture(6, 2, entry=4, inner=3, outer=5, hidden=4)
WEIGHTS = random_weights(ARCHITECTURE, 0)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERD_MODELS", str(tmp_path / "models"))


def _parts(weights: dict[str, Float32Array]) -> list[dict[str, Any]]:
    """Return the three state dicts as published, with what is in them and not used."""
    tensors = {name: torch.from_numpy(values.copy()) for name, values in weights.items()}
    entry = {"convh.weight": tensors["convh.weight"]}
    residual = {name: value for name, value in tensors.items() if name.startswith("layer1.")}
    residual["layer1.0.bn1.num_batches_tracked"] = torch.tensor(7)
    # The stem and the later layers of the backbone are in the file and have no part in the network.
    residual["conv1.weight"] = torch.zeros(8, 3, 7, 7)
    residual["layer2.0.conv1.weight"] = torch.zeros(8, 8, 1, 1)
    head = {name: tensors[name] for name in ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias")}
    head["conv3.weight"] = torch.zeros(1, 6, 1, 1)
    return [entry, residual, head]


def _state_dicts(folder: Path, weights: dict[str, Float32Array] = WEIGHTS, *, wrapped: bool = True) -> Path:
    folder.mkdir(parents=True)
    for name, part in zip(STATE_DICT_FILES, _parts(weights)):
        torch.save({"state_dict": part} if wrapped else part, folder / name)
    return folder


class _Entry(torch.nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.convh = torch.nn.Conv2d(6, 4, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.convh(torch.nn.functional.pad(x, (4, 4, 4, 4), mode="reflect"))


class _Bottleneck(torch.nn.Module):  # type: ignore[misc]
    def __init__(self, n_in: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = torch.nn.Conv2d(n_in, 3, 1, bias=False), torch.nn.BatchNorm2d(3)
        self.conv2, self.bn2 = torch.nn.Conv2d(3, 3, 3, padding=1, bias=False), torch.nn.BatchNorm2d(3)
        self.conv3, self.bn3 = torch.nn.Conv2d(3, 5, 1, bias=False), torch.nn.BatchNorm2d(5)
        projection = torch.nn.Sequential(torch.nn.Conv2d(n_in, 5, 1, bias=False), torch.nn.BatchNorm2d(5))
        self.downsample = projection if n_in != 5 else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn3(self.conv3(torch.relu(self.bn2(self.conv2(y)))))
        if self.downsample is not None:
            x = self.downsample(x)
        return torch.relu(x + y)


class _Residual(torch.nn.Module):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.layer1 = torch.nn.Sequential(_Bottleneck(4), _Bottleneck(5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer1(x)[:, :, 4:-4, 4:-4]


class _Head(torch.nn.Module):  # type: ignore[misc]
    def __init__(self, normalised: bool, factor: float) -> None:
        super().__init__()
        self.conv1, self.conv2 = torch.nn.Conv2d(5, 4, 1), torch.nn.Conv2d(4, 6, 1)
        self.normalised, self.factor = normalised, factor

    def forward(self, x: torch.Tensor, data: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        f = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        o = f * self.factor + data
        if self.normalised:
            o = o / torch.norm(o)
        return o, f


def _torchscript(folder: Path, *, normalised: bool, factor: float = 1.0) -> Path:
    folder.mkdir(parents=True)
    modules = [_Entry(), _Residual(), _Head(normalised, factor)]
    for name, module, part in zip(TORCHSCRIPT_FILES, modules, _parts(WEIGHTS)):
        own = {key: value for key, value in part.items() if key in module.state_dict()}
        module.load_state_dict(own, strict=False)
        torch.jit.script(module.eval()).save(str(folder / name))
    return folder


def _assert_imported(model: Model, name: str) -> None:
    assert model.name == name
    assert model.architecture == ARCHITECTURE
    assert all(np.array_equal(model.weights[key], WEIGHTS[key]) for key in WEIGHTS)
    assert store.find_model(name).sha256 == model.sha256


@pytest.mark.parametrize("wrapped", [True, False])
def test_state_dicts(tmp_path: Path, wrapped: bool) -> None:
    _state_dicts(tmp_path / "net", wrapped=wrapped)
    model = import_model(tmp_path / "net", "mine-6", sensor="AVIRIS", licence="CC0-1.0")
    _assert_imported(model, "mine-6")
    assert (model.trained, model.band_selection, model.licence, model.sensor) == (True, "first", "CC0-1.0", "AVIRIS")
    assert model.training["layout"] == "state-dict"
    assert model.training["probe_difference"] < 1e-5
    assert set(model.training["files_sha256"]) == set(STATE_DICT_FILES)


@pytest.mark.parametrize("normalised", [True, False])
def test_torchscript_with_and_without_the_norm_of_the_image(tmp_path: Path, normalised: bool) -> None:
    _torchscript(tmp_path / "hub" / "aviris" / "6bands", normalised=normalised)
    model = import_model(tmp_path / "hub", "hub-6")
    _assert_imported(model, "hub-6")
    assert model.training["source_divides_by_norm"] is normalised
    assert model.licence == "not stated"


@pytest.mark.parametrize("shape", [(4, 37), (16, 16), (37, 5), (41, 37)])
def test_a_norm_over_the_image_never_becomes_one_over_a_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    folder = _torchscript(tmp_path / "hub", normalised=True)
    import_model(folder, "hub-6")
    cube = random_image(41, 37, 6) * 300 + 500
    monkeypatch.setattr(features, "block_shape", lambda *_: shape)
    found = ferd_engine.enhance(cube, model="hub-6", backend="numpy")
    scaled = ((cube - cube.min()) / np.ptp(cube) * 2 - 1) * np.float32(0.1)
    assert relative_difference(found, enhanced(scaled, WEIGHTS, 2)) < 1e-5
    # The source's own output is this over one factor for all pixels, which no detector of the RX family sees.
    cwl, rnl, fpl = (torch.jit.load(str(folder / name)) for name in TORCHSCRIPT_FILES)
    hsi = torch.from_numpy(np.ascontiguousarray(scaled.transpose(2, 0, 1)[None]))
    published = fpl(rnl(cwl(hsi)), hsi)[0][0].permute(1, 2, 0).detach().numpy()
    assert np.linalg.norm(published) == pytest.approx(1.0, rel=1e-5)
    assert relative_difference(published * np.linalg.norm(found), found) < 1e-5


def test_a_network_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    for normalised in (True, False):
        folder = _torchscript(tmp_path / f"n{normalised}", normalised=normalised, factor=1.01)
        with pytest.raises(ModelError, match="differs from the files' own"):
            import_model(folder, "other-6")
    assert not (tmp_path / "models").exists()


def test_safetensors_and_bundle(tmp_path: Path) -> None:
    (tmp_path / "net.safetensors").write_bytes(encode(WEIGHTS, {}))
    _assert_imported(import_model(tmp_path / "net.safetensors", "safe-6"), "safe-6")
    folder = tmp_path / "bundle"
    save_model(Model("original", ARCHITECTURE, WEIGHTS, trained=False, sensor="S"), folder)
    model = import_model(folder, "copy-6")
    _assert_imported(model, "copy-6")
    assert (model.trained, model.sensor) == (False, "S")


def test_names_that_are_taken_or_unusable_are_refused(tmp_path: Path) -> None:
    (tmp_path / "net.safetensors").write_bytes(encode(WEIGHTS, {}))
    for name in ("fen-200", "../evil", ""):
        with pytest.raises(ModelError, match="name"):
            import_model(tmp_path / "net.safetensors", name)
    import_model(tmp_path / "net.safetensors", "safe-6")
    with pytest.raises(OutputError, match="exists"):
        import_model(tmp_path / "net.safetensors", "safe-6")
    import_model(tmp_path / "net.safetensors", "safe-6", overwrite=True, sensor="new")
    assert store.find_model("safe-6").sensor == "new"


def test_a_model_that_overflows_on_any_image_is_refused(tmp_path: Path) -> None:
    weights = dict(WEIGHTS)
    for name in ("conv1.weight", "conv2.weight", "layer1.0.downsample.0.weight", "convh.weight"):
        weights[name] = np.full(weights[name].shape, 1e25, np.float32)
    (tmp_path / "net.safetensors").write_bytes(encode(weights, {}))
    with pytest.raises(ModelError, match="NaN or infinity for an ordinary image"):
        import_model(tmp_path / "net.safetensors", "safe-6")
    assert not (tmp_path / "models").exists()


def test_places_without_exactly_one_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no folder or file"):
        find_source(tmp_path / "nowhere")
    with pytest.raises(ModelError, match=r"expected are convh\.pt"):
        find_source(tmp_path)
    (tmp_path / "x.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match="is no model"):
        find_source(tmp_path / "x.bin")
    _state_dicts(tmp_path / "a")
    _state_dicts(tmp_path / "b")
    with pytest.raises(ModelError, match="more than one model"):
        find_source(tmp_path)


def test_missing_torch_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _state_dicts(tmp_path / "net")
    monkeypatch.setattr(backend, "torch_installed", lambda: False)
    with pytest.raises(MissingPackageError, match="Importing torch files needs the package torch"):
        import_model(tmp_path / "net", "mine-6")


class _Evil:
    """Unpickling this would create the file that it names."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self.path),))


def test_a_pickle_that_runs_code_is_refused_unrun(tmp_path: Path) -> None:
    folder = _state_dicts(tmp_path / "net")
    trace = tmp_path / "trace"
    torch.save({"state_dict": {"convh.weight": _Evil(trace)}}, folder / "convh.pt")
    with pytest.raises(ModelError, match="could not be read"):
        import_model(folder, "mine-6")
    assert not trace.exists()
    # The same as a bare pickle, as torch wrote it before 1.6.
    (folder / "convh.pt").write_bytes(pickle.dumps(_Evil(trace)))
    with pytest.raises(ModelError, match="not a torch archive"):
        import_model(folder, "mine-6")
    assert not trace.exists()


def test_torchscript_that_writes_a_file_is_refused_unrun(tmp_path: Path) -> None:
    folder = _torchscript(tmp_path / "hub", normalised=False)
    trace = tmp_path / "trace"
    path = folder / "cwl_script.pt"
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.infolist()}
    n_changed = 0
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            head, arrow, rest = content.partition(b") -> Tensor:\n")
            if member.filename.endswith(".py") and arrow:
                n_changed += 1
                content = head + arrow + f'    torch.save(x, "{trace}")\n'.encode() + rest
            archive.writestr(member, content)
    assert n_changed
    with pytest.raises(ModelError, match=r"operation torch\.save"):
        import_model(folder, "hub-6")
    assert not trace.exists()


def test_a_tensor_that_claims_gigabytes_is_refused(tmp_path: Path) -> None:
    folder = _state_dicts(tmp_path / "net")
    # Four bytes in the file; written out it would take 64 GiB.
    bomb = torch.zeros(1).as_strided((1 << 17, 1 << 17, 1, 1), (0, 0, 0, 0))
    torch.save({"state_dict": {"convh.weight": bomb}}, folder / "convh.pt")
    with pytest.raises(ModelError, match="could not be read"):
        import_model(folder, "mine-6")


@pytest.mark.parametrize("content", [{"state_dict": [1, 2]}, [torch.zeros(1)], {"state_dict": {"convh.weight": 3}}])
def test_files_without_a_state_dict_are_refused(tmp_path: Path, content: Any) -> None:
    folder = _state_dicts(tmp_path / "net")
    torch.save(content, folder / "convh.pt")
    with pytest.raises(ModelError, match="holds no state dict"):
        import_model(folder, "mine-6")


def test_wrong_shapes_missing_tensors_and_nan_are_refused(tmp_path: Path) -> None:
    for index, (name, values) in enumerate(
        [("conv2.bias", np.zeros(7, np.float32)), ("layer1.1.bn2.bias", np.full(3, np.nan, np.float32))]
    ):
        folder = _state_dicts(tmp_path / f"net{index}", {**WEIGHTS, name: values})
        with pytest.raises(ModelError):
            import_model(folder, "mine-6")
    folder = _state_dicts(tmp_path / "less", {name: v for name, v in WEIGHTS.items() if name != "layer1.1.bn2.bias"})
    with pytest.raises(ModelError, match="could not be read"):
        import_model(folder, "mine-6")
    assert not (tmp_path / "models").exists()


def test_truncated_and_oversized_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _state_dicts(tmp_path / "net")
    path = folder / "enc.pt"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelError, match=r"enc\.pt is not a torch archive"):
        import_model(folder, "mine-6")
    monkeypatch.setattr(archives, "MAX_ARCHIVE_BYTES", 100)
    with pytest.raises(ModelError, match="larger than"):
        import_model(folder, "mine-6")


def test_a_reader_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="took longer than"):
        import_model(_state_dicts(tmp_path / "net"), "mine-6", timeout_s=0.01)


def test_secrets_of_the_environment_stay_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}
    run = importers.subprocess.run

    def watched(command: list[str], **options: Any) -> Any:
        seen.update(options["env"])
        return run(command, **options)

    monkeypatch.setattr(importers.subprocess, "run", watched)
    monkeypatch.setenv("HF_TOKEN", "secret")
    import_model(_state_dicts(tmp_path / "net"), "mine-6")
    assert "secret" not in seen.values()
    assert seen["CUDA_VISIBLE_DEVICES"] == ""


def test_an_interpreter_that_does_not_start_is_named(tmp_path: Path) -> None:
    folder = _state_dicts(tmp_path / "net")
    with pytest.raises(RunError, match="Cannot start"):
        import_model(folder, "mine-6", interpreter=str(tmp_path / "no-python"))
    assert sys.executable
