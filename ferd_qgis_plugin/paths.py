"""Where the plugin's own files lie."""

from __future__ import annotations

from pathlib import Path

PLUGIN_FOLDER = Path(__file__).parent


def icon_path(name: str) -> str:
    """Return the path of one of the plugin's SVG icons."""
    return str(PLUGIN_FOLDER / "icons" / f"{name}.svg")
