"""`ferd models download` with the real huggingface_hub against a stand-in for the hub on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from ferd_engine.fen.bundle import Model, load_model
from ferd_engine.fen.export import export_model
from ferd_engine.fen.network import Architecture
from ferd_engine.fen.safetensors import encode
from tests.engine.fen.hub_server import REVISION, Hub, running
from tests.engine.fen.reference import random_weights

huggingface_hub = pytest.importorskip("huggingface_hub")

ARCHITECTURE = Architecture(6, 2, entry=4, inner=3, outer=5, hidden=4)
WEIGHTS = random_weights(ARCHITECTURE, 0)
FILE = "aviris/6bands/net.safetensors"
CONTENT = encode(WEIGHTS, {})
RESUMES = pytest.mark.skipif(
    int(huggingface_hub.__version__.split(".")[0]) < 2, reason="huggingface_hub 1 does not resume a broken connection"
)
ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Desk:
    """A user's machine: folders of its own, and the environment in which `ferd` runs there."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def models(self) -> Path:
        return self.folder / "models"

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def download(self, name: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ferd_engine", "models", "download", name, *options],
            env={**self.environment, **environment},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def left_behind(self) -> list[str]:
        """Return what lies in the folders of models, of downloads and of huggingface_hub, folders aside."""
        roots = (self.models, self.cache, self.folder / "hf")
        return sorted(path.name for root in roots for path in root.rglob("*") if path.is_file())


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running(Hub({FILE: CONTENT})) as served:
        yield served


@pytest.fixture
def desk(tmp_path: Path, hub: Hub) -> Desk:
    kept = {key: value for key, value in os.environ.items() if not key.lower().startswith(("hf_", "http", "all_proxy"))}
    return Desk(
        tmp_path,
        {
            **kept,
            "HF_ENDPOINT": hub.address,
            "HF_HOME": str(tmp_path / "hf"),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "FERD_MODELS": str(tmp_path / "models"),
            "FERD_CACHE": str(tmp_path / "cache"),
            "NO_PROXY": "127.0.0.1,localhost",
        },
    )


def _pins(*files: str, contents: Sequence[bytes] = (CONTENT,)) -> list[str]:
    sums = [f"{file}={hashlib.sha256(content).hexdigest()}" for file, content in zip(files, contents)]
    return ["--repo", "owner/net", "--revision", REVISION, "--sha256", *sums]


def _assert_refused(desk: Desk, done: subprocess.CompletedProcess[str], code: int, words: str) -> None:
    """The one sentence on stderr, the exit code, and nothing left behind."""
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stderr.startswith("ferd: ")
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
    assert desk.left_behind() == []


@pytest.mark.parametrize("fault", ["", "linked", pytest.param("cut once", marks=RESUMES)])
def test_a_pinned_file_is_fetched_once_and_imported(desk: Desk, hub: Hub, fault: str) -> None:
    hub.fault = fault
    done = desk.download("mine-6", *_pins(FILE), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert (facts["name"], facts["bands"]) == ("mine-6", 6)
    assert facts["training"]["imported_from"] == f"owner/net@{REVISION}"
    model = load_model(desk.models / "mine-6")
    assert all(np.array_equal(model.weights[name], WEIGHTS[name]) for name in WEIGHTS)
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert desk.left_behind() == sorted(["model.json", "weights.safetensors", digest])
    # No other file is asked for; some releases of huggingface_hub have questions of their own below /api.
    asked = {path for _, path in hub.requests if not path.startswith("/api/")}
    assert asked - {f"/elsewhere/{FILE}"} == {f"/owner/net/resolve/{REVISION}/{FILE}"}
    assert hub.agents
    assert not [agent for agent in hub.agents if "torch" in agent]
    hub.requests.clear()
    again = desk.download("again-6", *_pins(FILE), "--offline")
    assert again.returncode == 0, again.stderr
    assert hub.requests == []
    assert load_model(desk.models / "again-6").sha256 == model.sha256


def test_a_taken_name_is_refused_before_anything_is_fetched(desk: Desk, hub: Hub) -> None:
    assert desk.download("mine-6", *_pins(FILE)).returncode == 0
    hub.requests.clear()
    taken = desk.download("mine-6", *_pins(FILE))
    assert (taken.returncode, "--overwrite" in taken.stderr) == (2, True)
    assert hub.requests == []
    assert desk.download("mine-6", *_pins(FILE), "--overwrite").returncode == 0


def test_the_torchscript_layout_becomes_the_model_that_was_exported(desk: Desk, hub: Hub, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    export_model(Model("net", ARCHITECTURE, WEIGHTS), tmp_path / "export", "torchscript")
    hub.files = {f"a/6bands/{path.name}": path.read_bytes() for path in (tmp_path / "export").iterdir()}
    done = desk.download("script-6", *_pins(*hub.files, contents=list(hub.files.values())))
    assert done.returncode == 0, done.stderr
    model = load_model(desk.models / "script-6")
    assert all(np.array_equal(model.weights[name], WEIGHTS[name]) for name in WEIGHTS)
    assert model.training["layout"] == "torchscript"


def test_the_caches_are_not_trusted(desk: Desk, hub: Hub) -> None:
    desk.cache.mkdir()
    damaged = desk.cache / hashlib.sha256(CONTENT).hexdigest()
    damaged.write_bytes(CONTENT[:-1])
    done = desk.download("mine-6", *_pins(FILE), "--offline")
    assert (done.returncode, "not in the cache" in done.stderr) == (2, True)
    assert not damaged.exists()
    assert desk.download("mine-6", *_pins(FILE)).returncode == 0
    assert damaged.read_bytes() == CONTENT


def test_what_huggingface_hub_has_already_is_taken_from_there(desk: Desk, hub: Hub) -> None:
    fetch = "import huggingface_hub as h, sys; h.hf_hub_download('owner/net', sys.argv[1], revision=sys.argv[2])"
    subprocess.run([sys.executable, "-c", fetch, FILE, REVISION], env=desk.environment, check=True)
    hub.requests.clear()
    done = desk.download("mine-6", *_pins(FILE), "--offline")
    assert done.returncode == 0, done.stderr
    assert hub.requests == []


def test_a_wrong_checksum_leaves_nothing(desk: Desk, hub: Hub) -> None:
    hub.files[FILE] = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    _assert_refused(desk, desk.download("mine-6", *_pins(FILE)), 2, "the sha256 differs")


def test_a_file_shorter_than_announced_leaves_nothing(desk: Desk, hub: Hub) -> None:
    hub.fault = "short"
    _assert_refused(desk, desk.download("mine-6", *_pins(FILE)), 1, "could not be fetched whole")


@pytest.mark.slow
def test_a_connection_that_always_breaks_ends(desk: Desk, hub: Hub) -> None:
    hub.fault = "cut"
    _assert_refused(desk, desk.download("mine-6", *_pins(FILE)), 1, "could not be fetched whole")
    assert hub.n_gets > 1


def test_no_network_is_said_in_one_sentence(desk: Desk) -> None:
    # Port 1 of this machine is closed.
    done = desk.download("mine-6", *_pins(FILE), HF_ENDPOINT="http://127.0.0.1:1")
    _assert_refused(desk, done, 1, "check the network")


def test_a_proxy_that_is_not_there_is_said_in_one_sentence(desk: Desk) -> None:
    unreachable = {"HF_ENDPOINT": "http://hub.invalid", "HTTP_PROXY": "http://127.0.0.1:1"}
    _assert_refused(desk, desk.download("mine-6", *_pins(FILE), **unreachable), 1, "HTTPS_PROXY")


def test_a_proxy_is_used(desk: Desk, hub: Hub) -> None:
    done = desk.download("mine-6", *_pins(FILE), HF_ENDPOINT="http://hub.invalid", HTTP_PROXY=hub.address)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("options", [("--offline",), ()])
def test_offline_without_the_file(desk: Desk, hub: Hub, options: tuple[str, ...]) -> None:
    environment = {} if options else {"HF_HUB_OFFLINE": "1"}
    done = desk.download("mine-6", *_pins(FILE), *options, **environment)
    _assert_refused(desk, done, 2, "not in the cache")
    assert hub.requests == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("owner/net", "owner/other"), "no repository owner/other"),
        ((REVISION, "f" * 40), "no revision ffff"),
        (("net.safetensors", "less.safetensors"), "no file aviris/6bands/less.safetensors"),
    ],
)
def test_what_is_not_there_is_named(desk: Desk, change: tuple[str, str], words: str) -> None:
    options = [text.replace(*change) for text in _pins(FILE)]
    _assert_refused(desk, desk.download("mine-6", *options), 2, words)


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        ("404", 2, "has no file"),
        ("401", 2, "not open to you"),
        ("403", 2, "not open to you"),
        ("500", 1, "answered 500"),
    ],
)
def test_answers_without_a_reason(desk: Desk, hub: Hub, status: str, code: int, words: str) -> None:
    hub.fault = status
    _assert_refused(desk, desk.download("mine-6", *_pins(FILE)), code, words)


def test_a_file_that_is_no_model_is_not_installed(desk: Desk, hub: Hub) -> None:
    hub.files[FILE] = b"no tensors"
    done = desk.download("mine-6", *_pins(FILE, contents=[b"no tensors"]))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert not (desk.models / "mine-6").exists()


def test_a_cache_that_cannot_be_written_is_named(desk: Desk) -> None:
    desk.cache.write_text("a file where the folder should be")
    done = desk.download("mine-6", *_pins(FILE))
    assert done.returncode == 2
    assert "FERD_CACHE" in done.stderr


def test_without_huggingface_hub_the_sentence_says_how_to_add_it(desk: Desk, tmp_path: Path) -> None:
    blocked = (
        "import importlib.util, sys; find = importlib.util.find_spec; "
        "importlib.util.find_spec = lambda name, *a: None if name == 'huggingface_hub' else find(name, *a); "
        "from ferd_engine.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", blocked, "models", "download", "mine-6", *_pins(FILE)]
    done = subprocess.run(command, env=desk.environment, cwd=ROOT, capture_output=True, text=True, check=False)
    _assert_refused(desk, done, 2, "pip install")
