"""Link the checkout into a QGIS profile, so that a change in the sources shows after a restart of QGIS.

Makes <profile>/python/plugins/ferd_qgis_plugin, a folder of links laid out like the installed plugin.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = "ferd_qgis_plugin"
BESIDE = ("metadata.txt", "LICENSE", "ferd_engine")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--profile", default="default", help="name of a QGIS profile (default: default)")
    where.add_argument("--plugins-dir", type=Path, help="a python/plugins folder, instead of a profile's")
    arguments = parser.parse_args()
    folder = link(arguments.plugins_dir or profile_plugins(arguments.profile))
    print(f"{folder}\nStart QGIS and enable FERD in Plugins > Manage and Install Plugins.")
    return 0


def profile_plugins(profile: str) -> Path:
    """Return the plugins folder of a profile; QGIS 4 keeps its own, which is taken where it alone exists."""
    if "QGIS_CUSTOM_CONFIG_PATH" in os.environ:
        base = Path(os.environ["QGIS_CUSTOM_CONFIG_PATH"])
        return base / "profiles" / profile / "python" / "plugins"
    if sys.platform == "win32":
        data = Path(os.environ["APPDATA"])
    elif sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    homes = [data / "QGIS" / name for name in ("QGIS3", "QGIS4")]
    base = homes[1] if homes[1].is_dir() and not homes[0].is_dir() else homes[0]
    return base / "profiles" / profile / "python" / "plugins"


def link(plugins: Path) -> Path:
    """Make the folder of links under `plugins`; refuse to touch a folder that holds anything but links."""
    folder = plugins / PLUGIN
    # QGIS leaves compiled modules beside the links.
    old = [entry for entry in folder.iterdir() if entry.name != "__pycache__"] if folder.is_dir() else []
    if folder.is_symlink() or not all(entry.is_symlink() for entry in old):
        sys.exit(f"{folder} is an installed plugin, not a development link: uninstall it in QGIS first.")
    folder.mkdir(parents=True, exist_ok=True)
    for entry in old:
        entry.unlink()
    sources = [path for path in (ROOT / PLUGIN).iterdir() if path.name != "__pycache__"]
    for source in [*sources, *(ROOT / name for name in BESIDE)]:
        (folder / source.name).symlink_to(source, target_is_directory=source.is_dir())
    return folder


if __name__ == "__main__":
    sys.exit(main())
