"""Which Python runs the worker, and which one makes environments."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from qgis.PyQt.QtCore import QCoreApplication

from .settings import environment_folder, named_python

translate = QCoreApplication.translate

# Left in an environment once everything is in it.
READY_FILE = "ferd-ready"


@dataclass(frozen=True)
class Interpreter:
    """A Python, and for the log where it comes from."""

    path: str
    origin: str


def worker_python() -> Interpreter | None:
    """Return the Python for the worker: the named one, else the managed, else QGIS's own where it has torch, else None.

    A named Python is returned even where it is missing, so that its absence is told and not passed over.
    """
    named = named_python()
    if named:
        return Interpreter(named, translate("FERD", "named on the settings page"))
    return unnamed_python()


def unnamed_python() -> Interpreter | None:
    """Return the Python for the worker where the user names none."""
    managed = python_of(environment_folder())
    if managed.is_file() and (environment_folder() / READY_FILE).is_file():
        return Interpreter(str(managed), translate("FERD", "managed environment"))
    own = base_python()
    if own is not None and find_spec("torch") is not None:
        return Interpreter(own, translate("FERD", "QGIS's own Python, which has PyTorch"))
    return None


def python_of(environment: Path) -> Path:
    """Return where a virtual environment has its Python."""
    return environment / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def base_python() -> str | None:
    """Return the program of the Python that runs inside QGIS, None where it cannot be found.

    `sys.executable` is QGIS itself on Windows and macOS, whose installers put Python beside it.
    """
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    prefixes = [Path(sys.prefix), Path(sys.base_prefix)]
    names = ["python.exe", "python3.exe"] if sys.platform == "win32" else [f"bin/python{version}", "bin/python3"]
    places = [prefix / name for prefix in prefixes for name in names]
    if Path(sys.executable).name.lower().startswith("python"):
        places.insert(0, Path(sys.executable))
    if sys.platform == "darwin":
        places += [Path(sys.executable).parent / name for name in names]
    return next((str(place) for place in places if place.is_file()), None)
