"""What is stated in more than one place is the same in all of them."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from importlib import metadata as installed
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ferd_engine._version import __version__

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def metadata():
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read(ROOT / "metadata.txt", encoding="utf-8")
    return parser["general"]


def test_plugin_has_the_engines_version(metadata):
    assert metadata["version"] == __version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


def test_plugin_metadata_has_what_qgis_asks_for(metadata):
    required = ("name", "description", "about", "qgisMinimumVersion", "author", "email", "repository", "tracker")
    assert all(metadata.get(key) for key in required)
    assert metadata["hasProcessingProvider"] == "yes"
    assert (ROOT / "ferd_qgis_plugin" / metadata["icon"]).is_file()


def test_licence_is_named_the_same_everywhere(metadata):
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert 'license = "GPL-2.0-or-later"' in text
    assert metadata["license"] == "GPL-2.0-or-later"
    assert "GNU GENERAL PUBLIC LICENSE" in (ROOT / "LICENSE").read_text(encoding="utf-8")


def test_changelog_has_unreleased_on_top():
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"


LOCKS = [ROOT / "scripts" / name for name in ("requirements.lock", "requirements-torch.lock")]
# Debian's, which GDAL's bindings are built against.
FROM_DEBIAN = {"matplotlib"}
locked_python = pytest.mark.skipif(
    sys.version_info[:2] != (3, 11) or sys.platform != "linux", reason="the lock is for Python 3.11 on Linux"
)


def locked() -> dict[str, list[str]]:
    """Return what each lock entry says: "name==version", and the hashes of its files."""
    entries: dict[str, list[str]] = {}
    for path in LOCKS:
        text = path.read_text(encoding="utf-8").replace("\\\n", " ")
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, *hashes = line.split()
                entries[name] = hashes
    return entries


@locked_python
def test_the_lock_has_what_pyproject_asks_for():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = {canonicalize_name(entry.split("==")[0]): entry.split("==")[1] for entry in locked()}
    for text in (text for extra in ("dev", "docs", "torch") for text in project["optional-dependencies"][extra]):
        wanted = Requirement(text)
        if wanted.name in FROM_DEBIAN or (wanted.marker and not wanted.marker.evaluate()):
            continue
        found = versions.get(canonicalize_name(wanted.name))
        assert found is not None, f"{wanted.name} is not locked: run scripts/lock.sh"
        assert wanted.specifier.contains(found), f"{wanted} is locked at {found}: run scripts/lock.sh"


def test_every_locked_file_is_known_by_its_hash():
    entries = locked()
    assert len(entries) > 40
    for name, hashes in entries.items():
        assert re.fullmatch(r"[a-z0-9][a-z0-9.-]*==[0-9][^ ]*", name)
        assert hashes
        assert all(re.fullmatch("--hash=sha256:[0-9a-f]{64}", text) for text in hashes), name
    # PyPI's torch for Linux brings gigabytes of CUDA.
    assert next(name for name in entries if name.startswith("torch==")).endswith("+cpu")
    # No index, path or address may change where a locked name comes from.
    assert not [path for path in LOCKS if re.search("^-|://", path.read_text(encoding="utf-8"), re.MULTILINE)]


def asked_of_apt(folder: Path, *options: str) -> set[str]:
    """Return the packages that scripts/setup.sh asks for on a Debian that has none, where apt then fails."""
    asked = folder / "asked"
    # Without root it goes through sudo.
    for name, line in {
        "dpkg-query": "exit 1",
        "sudo": 'exec "$@"',
        "apt-get": f'[ "$1" = update ] || {{ echo "$@" >"{asked}"; exit 1; }}',
    }.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    script = ["bash", str(ROOT / "scripts" / "setup.sh"), *options]
    run = subprocess.run(script, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stderr
    return {word for word in asked.read_text(encoding="utf-8").split() if not word.startswith("-")} - {"install"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="scripts/setup.sh asks apt on Debian alone")
def test_the_demo_asks_for_no_package_that_only_tests_need(tmp_path):
    everything, without_qgis = asked_of_apt(tmp_path), asked_of_apt(tmp_path, "--without-qgis")
    assert everything - without_qgis == {"qgis", "python3-qgis", "qgis-providers", "xvfb", "imagemagick", "openbox"}
    assert {"python3-venv", "python3-gdal", "python3-matplotlib", "libopenblas0-pthread"} < without_qgis
    # What runs the tests needs all, what shows the command does not.
    called = {name: (ROOT / "scripts" / name).read_text(encoding="utf-8") for name in ("test.sh", "demo.sh")}
    assert "bash scripts/setup.sh\n" in called["test.sh"]
    assert "bash scripts/setup.sh --without-qgis\n" in called["demo.sh"]


@locked_python
@pytest.mark.skipif(sys.prefix != str(ROOT / ".venv"), reason="not the environment of scripts/setup.sh")
def test_what_is_installed_is_what_is_locked():
    for entry in locked():
        name, version = entry.split("==")
        assert installed.version(name) == version, f"{name}: run scripts/setup.sh"
