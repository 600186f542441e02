"""The scan of QGIS's plugin repository, which blocks a plugin for what bandit or detect-secrets find."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

PLUGIN = "ferd_qgis_plugin"


@pytest.fixture(scope="module")
def unpacked(plugin_zip, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scan")
    with zipfile.ZipFile(plugin_zip) as archive:
        archive.extractall(folder)
    return folder


def tool(module: str, *arguments: str, folder: Path) -> str:
    """Run one of the scan's tools and return what it printed."""
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def bandit(folder: Path) -> list[str]:
    found = json.loads(tool("bandit", "-r", ".", "-f", "json", "--quiet", folder=folder))
    assert not found["errors"]
    return [f"{entry['filename']}:{entry['line_number']} {entry['test_id']}" for entry in found["results"]]


def secrets(folder: Path) -> dict[str, object]:
    return json.loads(tool("detect_secrets", "scan", "--all-files", ".", folder=folder))["results"]


def flake8(folder: Path) -> list[str]:
    return tool("flake8", "--config", f"{PLUGIN}/.flake8", ".", folder=folder).splitlines()


def test_bandit_finds_nothing_at_any_severity(unpacked):
    assert bandit(unpacked) == []


def test_detect_secrets_finds_nothing(unpacked):
    assert secrets(unpacked) == {}


def test_flake8_finds_nothing(unpacked):
    assert flake8(unpacked) == []


def test_no_file_is_executable_or_binary(plugin_zip):
    with zipfile.ZipFile(plugin_zip) as archive:
        for entry in archive.infolist():
            assert entry.external_attr >> 16 & 0o111 == 0, entry.filename
            # Weights and compiled translations are data that is not text; neither can be run.
            if not entry.filename.endswith((".safetensors", ".qm")):
                archive.read(entry).decode("utf-8")


def test_the_tools_find_what_they_are_for(tmp_path):
    digits = "c45385eac64dcd3ab7694e05e9c4d6b7a378fc009193c93a6e7d4eed72cba218"
    (tmp_path / PLUGIN).mkdir()
    (tmp_path / PLUGIN / ".flake8").write_text("[flake8]\n")
    (tmp_path / "run.py").write_text("import subprocess\n")
    (tmp_path / "card.json").write_text(json.dumps({"sha256": digits}))

    assert bandit(tmp_path) == ["./run.py:1 B404"]
    assert list(secrets(tmp_path)) == ["card.json"]
    assert any("F401" in line for line in flake8(tmp_path))
