"""The plugin's sources against the real PyQt6, as QGIS 4 has it; QGIS itself is stood in for."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "ferd_qgis_plugin"

pytestmark = pytest.mark.skipif(importlib.util.find_spec("PyQt6") is None, reason="PyQt6 is not installed")

# In a process of its own: PyQt5 and PyQt6 do not live in one.
HELPER = Path(__file__).with_name("under_pyqt6.py")


def helper(*arguments: str) -> dict:
    done = subprocess.run(
        [sys.executable, str(HELPER), *arguments], capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_every_name_of_qt_that_is_used_is_there():
    found = helper("names", str(PLUGIN))

    assert found["missing"] == []
    # QSizePolicy.Policy.Expanding, QProcess.ExitStatus.CrashExit and their like.
    assert found["checked"] > 20


def test_names_that_qt6_lost_are_found(tmp_path):
    (tmp_path / "old.py").write_text(
        "from qgis.PyQt.QtCore import Qt\nfrom qgis.PyQt.QtWidgets import QAction, QComboBox\n"
        "a = Qt.AlignLeft\nb = QComboBox.AdjustToContents\nc = Qt.AlignmentFlag.AlignLeft\n"
    )

    assert helper("names", str(tmp_path))["missing"] == [
        "old.py: QAction", "old.py: QComboBox.AdjustToContents", "old.py: Qt.AlignLeft",
    ]  # fmt: skip


def test_every_module_can_be_imported_and_the_page_be_shown():
    found = helper("import", str(PLUGIN))

    assert len(found["imported"]) == len([path for path in PLUGIN.rglob("*.py") if path.name != "__init__.py"])
    assert found["buttons"] == ["Create or Replace", "Remove", "Check", "Cancel"]
    assert found["german"] == "RX-Anomalieerkennung"
