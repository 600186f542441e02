"""The zip: its content, its size, the same bytes each time; and the development link."""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = "ferd_qgis_plugin"


@pytest.fixture(scope="module")
def names(plugin_zip) -> list[str]:
    with zipfile.ZipFile(plugin_zip) as archive:
        return archive.namelist()


def test_one_folder_with_plugin_engine_models_and_licence(names):
    assert {name.split("/")[0] for name in names} == {PLUGIN}
    for needed in ("metadata.txt", "LICENSE", "__init__.py", "icons/ferd.svg", "ferd_engine/__init__.py"):
        assert f"{PLUGIN}/{needed}" in names
    assert sum(name.endswith("/weights.safetensors") for name in names) >= 3
    assert sum(name.endswith("/model.json") for name in names) >= 3


def test_nothing_else_is_inside(names):
    assert not [name for name in names if re.search(r"__pycache__|\.pyc|/tests?/|\.(so|dll|pyd|pt|pth|pkl)$", name)]


def test_it_is_small_enough(plugin_zip):
    assert plugin_zip.stat().st_size <= 15_000_000


def test_the_same_sources_give_the_same_bytes(build_plugin, plugin_zip, tmp_path):
    def digest(path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    assert digest(build_plugin.build(tmp_path)) == digest(plugin_zip)


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="not a git checkout")
def test_two_clones_at_two_times_give_the_same_bytes(tmp_path):
    digests = []
    # Another place, umask, time zone, language, hash seed and age of the files.
    for name, umask, when, variables in (
        ("one", 0o022, 1_000_000_000, {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"}),
        ("a longer name/two", 0o077, 1_700_000_001, {"TZ": "Asia/Tokyo", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "2"}),
    ):
        clone = tmp_path / name
        environment = {**os.environ, **variables}
        before = os.umask(umask)
        try:
            subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
            for path in clone.rglob("*.py"):
                os.utime(path, (when, when))
            script = [sys.executable, "scripts/build_plugin.py", "--output", "out"]
            subprocess.run(script, cwd=clone, env=environment, check=True, capture_output=True)
        finally:
            os.umask(before)
        (built,) = (clone / "out").iterdir()
        digests.append(hashlib.sha256(built.read_bytes()).hexdigest())

    assert digests[0] == digests[1]


def test_metadata_says_what_the_plugin_repository_asks_for(plugin_zip):
    metadata = configparser.ConfigParser(interpolation=None)
    with zipfile.ZipFile(plugin_zip) as archive:
        metadata.read_string(archive.read(f"{PLUGIN}/metadata.txt").decode())
        content = set(archive.namelist())
    general = metadata["general"]

    for key in ("name", "description", "about", "author", "email", "repository", "tracker", "tags"):
        assert general[key].strip()
    assert general["qgisMinimumVersion"] == "3.22"
    assert general["qgisMaximumVersion"] == "4.99"
    # QGIS 3.38 to 3.44 built with Qt 6 refuse a plugin without it; QGIS 4 goes by the version.
    assert general["supportsQt6"] == "True"
    assert general["hasProcessingProvider"] == "yes"
    assert f"{PLUGIN}/{general['icon']}" in content
    assert general["version"] in plugin_zip.name


def test_a_version_that_disagrees_stops_the_build(build_plugin, monkeypatch, tmp_path):
    (tmp_path / "ferd_engine").mkdir()
    (tmp_path / "ferd_engine" / "_version.py").write_text('__version__ = "9.9.9"\n')
    (tmp_path / "metadata.txt").write_text("[general]\nversion=0.0.1\n")
    monkeypatch.setattr(build_plugin, "ROOT", tmp_path)

    with pytest.raises(SystemExit, match="make them agree"):
        build_plugin.build(tmp_path / "dist")


def test_a_stray_file_stops_the_build(build_plugin, monkeypatch, tmp_path):
    for folder in ("ferd_engine", PLUGIN):
        (tmp_path / folder).mkdir()
    (tmp_path / PLUGIN / "notes.bin").write_bytes(b"x")
    monkeypatch.setattr(build_plugin, "ROOT", tmp_path)

    with pytest.raises(SystemExit, match=r"notes\.bin"):
        build_plugin.entries()


def link(plugins: Path) -> subprocess.CompletedProcess:
    script = ROOT / "scripts" / "link_plugin.py"
    return subprocess.run(
        [sys.executable, script, "--plugins-dir", plugins], capture_output=True, text=True, check=False
    )


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_the_development_link_is_laid_out_like_the_zip(names, tmp_path):
    assert link(tmp_path).returncode == 0
    (tmp_path / PLUGIN / "__pycache__").mkdir()
    again = link(tmp_path)

    assert again.returncode == 0, again.stderr
    for name in names:
        assert (tmp_path / name).is_file()


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_the_link_never_replaces_an_installed_plugin(tmp_path):
    (tmp_path / PLUGIN).mkdir()
    (tmp_path / PLUGIN / "metadata.txt").write_text("installed")

    refused = link(tmp_path)

    assert refused.returncode == 1
    assert "uninstall" in refused.stderr
    assert (tmp_path / PLUGIN / "metadata.txt").read_text() == "installed"
