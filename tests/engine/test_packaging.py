"""What is stated in more than one place is the same in all of them."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

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
