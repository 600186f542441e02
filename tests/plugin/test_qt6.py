"""The sources against the real PyQt6, as QGIS 4 has it, with stand-ins for QGIS; QGIS's own names in this QGIS."""

from __future__ import annotations

import ast
import enum
import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "ferd_qgis_plugin"

needs_pyqt6 = pytest.mark.skipif(importlib.util.find_spec("PyQt6") is None, reason="PyQt6 is not installed")

# In a process of its own: PyQt5 and PyQt6 do not live in one.
HELPER = Path(__file__).with_name("under_pyqt6.py")


def helper(*arguments: str) -> dict:
    done = subprocess.run(
        [sys.executable, str(HELPER), *arguments], capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@needs_pyqt6
def test_every_name_of_qt_that_is_used_is_there():
    found = helper("names", str(PLUGIN))

    assert found["missing"] == []
    # QSizePolicy.Policy.Expanding, QProcess.ExitStatus.CrashExit and their like.
    assert found["checked"] > 20


@needs_pyqt6
def test_names_that_qt6_lost_are_found(tmp_path):
    (tmp_path / "old.py").write_text(
        "from qgis.PyQt.QtCore import Qt\nfrom qgis.PyQt.QtWidgets import QAction, QComboBox\n"
        "a = Qt.AlignLeft\nb = QComboBox.AdjustToContents\nc = Qt.AlignmentFlag.AlignLeft\n"
    )

    assert helper("names", str(tmp_path))["missing"] == [
        "old.py: QAction", "old.py: QComboBox.AdjustToContents", "old.py: Qt.AlignLeft",
    ]  # fmt: skip


@needs_pyqt6
def test_every_module_can_be_imported_and_the_page_be_shown():
    found = helper("import", str(PLUGIN))

    assert len(found["imported"]) == len([path for path in PLUGIN.rglob("*.py") if path.name != "__init__.py"])
    assert found["buttons"] == ["Create or Replace", "Remove", "Check", "Cancel"]
    assert found["german"] == "RX-Anomalieerkennung"


def names_of_qgis(folder: Path) -> tuple[list[str], list[str], int]:
    """Return the dotted names of QGIS that are not there, those of enums without their enum, and how many there are."""
    lost, unscoped, checked = [], [], 0
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 0]
        known = {
            alias.name: getattr(importlib.import_module(node.module), alias.name)
            for node in imports
            if node.module in ("qgis.core", "qgis.gui")
            for alias in node.names
        }
        for chain in {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}:
            first, *rest = chain.split(".")
            if first not in known or not all(part.isidentifier() for part in rest):
                continue
            checked += 1
            owner, found = None, known[first]
            for part in rest:
                owner, found = found, getattr(found, part, None)
            if found is None:
                lost.append(f"{path.name}: {chain}")
            elif is_of_an_enum(found) and not isinstance(found, owner):
                unscoped.append(f"{path.name}: {chain}")
    return sorted(lost), sorted(unscoped), checked


def is_of_an_enum(value: object) -> bool:
    """Say whether a value is one of an enum: of Python, or of sip before PyQt6."""
    return isinstance(value, enum.Enum) or type(type(value)).__name__ == "enumtype"


@pytest.mark.qgis
def test_every_enum_of_qgis_is_named_in_full_and_what_is_newer_is_guarded(plugin):
    """PyQt6 knows the values of an enum by its name alone."""
    lost, unscoped, checked = names_of_qgis(PLUGIN)

    assert unscoped == []
    # There they stand in a `try`, for QGIS before 3.26 and 3.36.
    assert {name.split(":")[0] for name in lost} <= {"compat.py"}
    assert checked > 30


@pytest.mark.qgis
def test_short_names_of_enums_are_found(plugin, tmp_path):
    (tmp_path / "old.py").write_text(
        "from qgis.core import Qgis, QgsMapLayer, QgsTask\n"
        "a = Qgis.Warning\nb = QgsTask.CanCancel\nc = QgsTask.Flag.CanCancel\nd = QgsMapLayer.Nothing.Here\n"
    )

    lost, unscoped, _ = names_of_qgis(tmp_path)

    assert unscoped == ["old.py: Qgis.Warning", "old.py: QgsTask.CanCancel"]
    assert lost == ["old.py: QgsMapLayer.Nothing", "old.py: QgsMapLayer.Nothing.Here"]
