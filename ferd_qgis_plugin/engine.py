"""The one door from the plugin to the engine, whose parts are imported when they are asked for, not with the plugin."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from .paths import PLUGIN_FOLDER

if TYPE_CHECKING:
    from types import ModuleType

# The installed plugin carries the engine inside; a checkout has it beside the plugin.
_ENGINE = f"{__package__}.ferd_engine" if (PLUGIN_FOLDER / "ferd_engine").is_dir() else "ferd_engine"


def engine(part: str = "") -> ModuleType:
    """Return the engine's front door, or one of its modules: `engine("options")`."""
    return import_module(f"{_ENGINE}.{part}" if part else _ENGINE)


def engine_folder() -> Path:
    """Return the folder of the engine that this plugin uses."""
    return Path(str(engine().__file__)).parent


def missing_packages() -> list[str]:
    """Return the packages that the engine needs and QGIS's Python lacks, by a look-up without importing them."""
    return [name for name in ("numpy", "scipy", "osgeo") if find_spec(name) is None]
