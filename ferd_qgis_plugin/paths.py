"""Where the plugin's own files lie."""

from __future__ import annotations

from pathlib import Path

PLUGIN_FOLDER = Path(__file__).parent

# The models that the plugin brings, by the name in their id, which is public and stays.
MODELS = {"scenetopolygons": PLUGIN_FOLDER / "models" / "scene_to_polygons.model3"}


def icon_path(name: str) -> str:
    """Return the path of one of the plugin's SVG icons."""
    return str(PLUGIN_FOLDER / "icons" / f"{name}.svg")
