"""Run by test_qt6.py in a process with PyQt6: looks names of Qt up, or imports the plugin's modules.

`qgis.PyQt` is PyQt6, as in QGIS 4. Classes of QGIS are stand-ins that take anything, so that only Qt is checked.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import sys
import types
from pathlib import Path


def main() -> int:
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    task, folder = sys.argv[1], Path(sys.argv[2])
    print(json.dumps(names(folder) if task == "names" else imports(folder)))
    return 0


def names(folder: Path) -> dict:
    """Look up each dotted name of the sources that begins with something imported from Qt."""
    missing, checked = [], 0
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        known, chains = {}, set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").startswith("qgis.PyQt"):
                module = importlib.import_module(node.module.replace("qgis.PyQt", "PyQt6"))
                for alias in node.names:
                    if not hasattr(module, alias.name):
                        try:
                            importlib.import_module(f"{module.__name__}.{alias.name}")
                            continue
                        except ImportError:
                            missing.append(f"{path.name}: {alias.name}")
                            continue
                    known[alias.asname or alias.name] = getattr(module, alias.name)
            elif isinstance(node, ast.Attribute):
                chains.add(ast.unparse(node))
        for chain in chains:
            first, *rest = chain.split(".")
            if first not in known or not all(part.isidentifier() for part in rest):
                continue
            checked += 1
            found = known[first]
            for part in rest:
                found = getattr(found, part, None)
                if found is None:
                    missing.append(f"{path.name}: {chain}")
                    break
    return {"missing": sorted(missing), "checked": checked}


class Anything(type):
    """A class whose every attribute is such a class."""

    def __getattr__(cls, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return stand_in(name)

    def __or__(cls, other: object) -> object:
        return cls


def stand_in(name: str) -> type:
    return Anything(name, (), {"__init__": lambda self, *_, **__: None, "__getattr__": lambda self, key: stand_in(key)})


class Stub(types.ModuleType):
    """A module that has whatever is asked for; those classes of QGIS that are widgets or objects are Qt's."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        from PyQt6.QtCore import QObject
        from PyQt6.QtWidgets import QLineEdit, QWidget

        made: type
        if name == "QgsFileWidget":
            made = type(name, (QLineEdit,), FILE_WIDGET)
        elif name == "QgsOptionsPageWidget":
            made = type(name, (QWidget,), {})
        elif name in ("QgsTask", "QgsProcessingFeedback", "QgsFeedback"):
            made = type(name, (QObject,), {"Flag": stand_in("Flag")})
        else:
            made = stand_in(name)
        setattr(self, name, made)
        return made


FILE_WIDGET = {
    "StorageMode": stand_in("StorageMode"),
    "setStorageMode": lambda self, mode: None,
    "filePath": lambda self: self.text(),
    "setFilePath": lambda self, path: self.setText(path),
    "fileChanged": property(lambda self: self.textChanged),
}


def imports(folder: Path) -> dict:
    """Import all modules of the plugin, show its settings page, and read a text in German."""
    import PyQt6
    from PyQt6 import QtCore, QtGui, QtWidgets, sip

    qgis, core, gui = Stub("qgis"), Stub("qgis.core"), Stub("qgis.gui")
    wrappers = Stub("processing.gui.wrappers")
    known = {
        "qgis": qgis, "qgis.core": core, "qgis.gui": gui, "qgis.PyQt": PyQt6, "qgis.PyQt.QtCore": QtCore,
        "qgis.PyQt.QtGui": QtGui, "qgis.PyQt.QtWidgets": QtWidgets, "qgis.PyQt.sip": sip,
        "processing": Stub("processing"), "processing.gui": Stub("processing.gui"), "processing.gui.wrappers": wrappers,
    }  # fmt: skip
    sys.modules.update(known)
    sys.path.insert(0, str(folder.parent))
    app = QtWidgets.QApplication([])
    core.QgsApplication.locale = staticmethod(lambda: "de")
    core.QgsSettings = type("QgsSettings", (), {"value": lambda self, key, default: default})
    imported = []
    for path in sorted(folder.rglob("*.py")):
        if path.name != "__init__.py":
            name = ".".join(path.relative_to(folder.parent).with_suffix("").parts)
            importlib.import_module(name)
            imported.append(name)
    page = importlib.import_module("ferd_qgis_plugin.options_page").OptionsPage()
    page.show()
    app.processEvents()
    buttons = [button.text() for button in (page.make, page.remove, page.check, page.stop)]
    translator = importlib.import_module("ferd_qgis_plugin.translation").install_translation()
    title = importlib.import_module("ferd_qgis_plugin.help.rx_detection").rx_help().title
    assert translator is not None
    return {"imported": imported, "buttons": buttons, "german": title}


if __name__ == "__main__":
    sys.exit(main())
