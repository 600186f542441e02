"""Hostile and damaged models at the command line: one sentence, exit code 2, nothing installed, nothing executed."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest

from ferd_engine.cli import main
from ferd_engine.fen.bundle import Model, save_model
from ferd_engine.fen.export import export_model
from ferd_engine.fen.importers import STATE_DICT_FILES, TORCHSCRIPT_FILES
from ferd_engine.fen.network import Architecture
from ferd_engine.fen.safetensors import encode
from tests.engine.fen.reference import random_weights

torch = pytest.importorskip("torch")

ARCHITECTURE = Architecture(6, 2, entry=4, inner=3, outer=5, hidden=4)
WEIGHTS = random_weights(ARCHITECTURE, 0)
MODEL = Model("net-6", ARCHITECTURE, WEIGHTS)


class _Bomb:
    """Unpickling this makes the folder that it names."""

    def __init__(self, canary: Path) -> None:
        self._canary = canary

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self._canary),))


def _state_dicts(folder: Path, **changes: Any) -> Path:
    """Write the three published state dicts, with whole files exchanged by their stem."""
    folder.mkdir()
    tensors = {name: torch.from_numpy(values.copy()) for name, values in WEIGHTS.items()}
    prefixes = {"convh": ("convh.",), "enc": ("layer1.",), "pc": ("conv1.", "conv2.")}
    for name in STATE_DICT_FILES:
        stem = name[:-3]
        own = {key: value for key, value in tensors.items() if key.startswith(prefixes[stem])}
        content = changes.get(stem, {"state_dict": own})
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            torch.save(content, folder / name)
    return folder


def _torchscript(folder: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """Export our TorchScript, and pass the members of its first file through `change(name, content)`."""
    export_model(MODEL, folder, "torchscript")
    path = folder / TORCHSCRIPT_FILES[0]
    with zipfile.ZipFile(path) as archive:
        members = {member.filename: archive.read(member) for member in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, change(name, content))
    return folder


def _with_member(path: Path, name: str) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, b"slipped")


def _safetensors(folder: Path, content: bytes) -> Path:
    folder.mkdir()
    (folder / "net.safetensors").write_bytes(content)
    return folder


def _bundle(folder: Path, content: bytes) -> Path:
    save_model(MODEL, folder)
    (folder / "weights.safetensors").write_bytes(content)
    return folder


def _pickle_in_a_state_dict(folder: Path, canary: Path) -> Path:
    return _state_dicts(folder, convh={"state_dict": {"convh.weight": _Bomb(canary)}})


def _bare_pickle(folder: Path, canary: Path) -> Path:
    return _state_dicts(folder, convh=pickle.dumps(_Bomb(canary)))


def _pickle_named_safetensors(folder: Path, canary: Path) -> Path:
    return _safetensors(folder, pickle.dumps(_Bomb(canary)))


def _pickle_in_a_bundle(folder: Path, canary: Path) -> Path:
    return _bundle(folder, pickle.dumps(_Bomb(canary)))


def _pickle_in_torchscript(folder: Path, canary: Path) -> Path:
    bomb = pickle.dumps(_Bomb(canary), protocol=2)
    return _torchscript(folder, lambda name, content: bomb if name.endswith("/data.pkl") else content)


def _constants_in_torchscript(folder: Path, canary: Path) -> Path:
    bomb = pickle.dumps(_Bomb(canary), protocol=2)
    return _torchscript(folder, lambda name, content: bomb if name.endswith("constants.pkl") else content)


def _script_that_writes(folder: Path, canary: Path) -> Path:
    line = f'    torch.save(hsi, "{canary}")\n'.encode()
    return _torchscript(
        folder,
        lambda name, content: (
            content.replace(b") -> Tensor:\n", b") -> Tensor:\n" + line, 1) if name.endswith(".py") else content
        ),
    )


def _slip_in_a_state_dict(folder: Path, canary: Path) -> Path:
    _state_dicts(folder)
    _with_member(folder / "enc.pt", f"../../{canary.name}")
    return folder


def _slip_in_torchscript(folder: Path, canary: Path) -> Path:
    export_model(MODEL, folder, "torchscript")
    _with_member(folder / TORCHSCRIPT_FILES[1], str(canary))
    return folder


HOSTILE = {
    function.__name__.strip("_"): function
    for function in (
        _pickle_in_a_state_dict,
        _bare_pickle,
        _pickle_named_safetensors,
        _pickle_in_a_bundle,
        _pickle_in_torchscript,
        _constants_in_torchscript,
        _script_that_writes,
        _slip_in_a_state_dict,
        _slip_in_torchscript,
    )
}
HEADER = (1 << 62).to_bytes(8, "little") + b"{}"
WRONG_SHAPES = encode({**WEIGHTS, "conv2.bias": np.zeros(7, np.float32)}, {})
NAN = encode({**WEIGHTS, "conv1.bias": np.full(4, np.nan, np.float32)}, {})
WHOLE = encode(WEIGHTS, {})
DAMAGED = {
    "oversized header": HEADER,
    "wrong shapes": WRONG_SHAPES,
    "NaN": NAN,
    "truncated data": WHOLE[:-5],
    "truncated header": WHOLE[:100],
    "empty": b"",
}


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., None]:
    monkeypatch.setenv("FERD_MODELS", str(tmp_path / "models"))

    def check(*arguments: str) -> None:
        capfd.readouterr()
        assert main(list(arguments)) == 2
        out, err = capfd.readouterr()
        assert out == ""
        assert err.startswith("ferd: ")
        assert len(err.splitlines()) == 1, err
        assert err.rstrip().endswith(".")
        assert len(err) < 400
        assert "weights_only" not in err
        assert not (tmp_path / "models").exists()

    return check


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_models_are_refused_unrun(
    tmp_path: Path, refused: Callable[..., None], make: Callable[..., Path]
) -> None:
    canary = tmp_path / "canary"
    folder = make(tmp_path / "net", canary)
    before = sorted(tmp_path.rglob("*"))
    refused("models", "import", str(folder), "bad-6")
    assert not canary.exists()
    assert sorted(tmp_path.rglob("*")) == before


def test_the_bombs_are_live(tmp_path: Path) -> None:
    """A refusal proves nothing if what was refused would have done no harm."""
    pickle.loads(pickle.dumps(_Bomb(tmp_path / "canary")))  # noqa: S301
    assert (tmp_path / "canary").is_dir()


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_safetensors_are_refused(tmp_path: Path, refused: Callable[..., None], content: bytes) -> None:
    refused("models", "import", str(_safetensors(tmp_path / "net", content)), "bad-6")


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_bundles_are_refused_wherever_they_are_used(
    tmp_path: Path, refused: Callable[..., None], content: bytes
) -> None:
    folder = _bundle(tmp_path / "net", content)
    # Whoever can write the folder can write the checksum too.
    card = json.loads((folder / "model.json").read_text())
    card["weights"]["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "model.json").write_text(json.dumps(card))
    np.save(tmp_path / "scene.npy", np.random.default_rng(0).random((9, 11, 6)))
    refused("models", "import", str(folder), "bad-6")
    refused("models", "show", str(folder))
    refused("models", "export", str(folder), str(tmp_path / "out"), "--format", "safetensors")
    refused("detect", str(tmp_path / "scene.npy"), str(tmp_path / "scores.tif"), "--model", str(folder))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net", "scene.npy"]


@pytest.mark.parametrize("stem", ["convh", "enc", "pc"])
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_truncated_state_dicts_are_refused(
    tmp_path: Path, refused: Callable[..., None], stem: str, kept: float
) -> None:
    folder = _state_dicts(tmp_path / "net")
    path = folder / f"{stem}.pt"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    refused("models", "import", str(folder), "bad-6")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_torch_files_with_unusable_numbers_are_refused(
    tmp_path: Path, refused: Callable[..., None], value: float
) -> None:
    weight = torch.full((4, 6, 1, 1), value)
    refused(
        "models", "import", str(_state_dicts(tmp_path / "net", convh={"state_dict": {"convh.weight": weight}})), "x"
    )
