"""Rules for the plugin's sources: what they may import, and nothing that QGIS 4 or Qt 6 took away."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

SOURCES = sorted((Path(__file__).resolve().parents[2] / "ferd_qgis_plugin").rglob("*.py"))
ALLOWED = {
    "__future__",
    "collections",
    "contextlib",
    "dataclasses",
    "json",
    "sys",
    "tempfile",
    "threading",
    "ferd_engine",
    "importlib",
    "numpy",
    "os",
    "osgeo",
    "pathlib",
    "re",
    "shutil",
    "types",
    "typing",
}
QGIS = {
    "qgis.core",
    "qgis.gui",
    "qgis.PyQt",
    "qgis.PyQt.QtCore",
    "qgis.PyQt.QtGui",
    "qgis.PyQt.QtWidgets",
    "processing.gui.wrappers",
}
# An enum member without its enum: Qt 6 dropped these.
UNSCOPED = re.compile(
    r"\b(Qt\.[A-Z]\w+(?!\.|\w)|Q(?:ComboBox|SizePolicy|FileDialog|MessageBox|DialogButtonBox|Frame|Font)\.[A-Z]\w+(?![\w.(]))"
)
GONE = re.compile(
    r"\bPyQt[56]\b|\.exec_\(|QRegExp|QVariant\.|setMargin\(|pyqtSlot\(|QgsMapLayer\.\w*Layer\b|resources_rc"
)


def imports(tree: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_imports_are_the_allowed_ones(path):
    for name in imports(ast.parse(path.read_text(encoding="utf-8"))):
        assert name in QGIS or name.split(".")[0] in ALLOWED, name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_nothing_that_qt6_or_qgis4_took_away(path):
    text = path.read_text(encoding="utf-8")

    assert not UNSCOPED.findall(text)
    assert not GONE.findall(text)


def test_the_patterns_find_what_they_are_for():
    assert UNSCOPED.findall("a = Qt.AlignLeft; b = QSizePolicy.Expanding")
    assert not UNSCOPED.findall("a = Qt.AlignmentFlag.AlignLeft; b = QSizePolicy.Policy.Expanding; QComboBox()")
    assert GONE.findall("dialog.exec_()")
