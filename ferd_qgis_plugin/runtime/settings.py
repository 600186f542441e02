"""What the user chose on the settings page, kept with QGIS's own settings, and where the managed environment lies."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsSettings

from ..engine import engine

_PREFIX = "ferd/"


def named_python() -> str:
    """Return the path of the Python that the user named, empty without one."""
    return str(QgsSettings().value(_PREFIX + "python", "") or "").strip()


def set_named_python(path: str) -> None:
    """Keep the path of a Python, or forget it where it is empty."""
    QgsSettings().setValue(_PREFIX + "python", path.strip())


def environment_folder() -> Path:
    """Return the folder of the managed environment: beside the models, outside the plugin and QGIS's profile.

    An update of the plugin replaces its own folder, and a profile may be copied to another machine.
    """
    folder: Path = engine("fen.store").user_folder().parent / "environment"
    return folder
