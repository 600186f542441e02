"""Make the installable plugin: dist/ferd_qgis_plugin-VERSION.zip, with the engine and its models inside.

The same sources give the same bytes: entries are sorted, carry one fixed time, and nothing but the listed kinds of
files goes in. Prints path, size and SHA-256.
"""

from __future__ import annotations

import argparse
import configparser
import hashlib
import re
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLUGIN = "ferd_qgis_plugin"
ENGINE = "ferd_engine"
MAX_BYTES = 15_000_000
SHIPPED = {".py", ".typed", ".svg", ".qm", ".json", ".safetensors", ".model3"}
LEFT_OUT = {".pyc", ".ts", ".md"}
# What the plugin repository's scan reads; it allows this hidden file.
SCAN_SETTINGS = ".flake8"
# The first moment that the zip format can express.
FIXED_TIME = (1980, 1, 1, 0, 0, 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="folder to write to (default: dist)")
    target = build(parser.parse_args().output)
    data = target.read_bytes()
    print(f"{target}\n{len(data)} bytes\nsha256 {hashlib.sha256(data).hexdigest()}")
    return 0


def build(folder: Path) -> Path:
    """Write the zip into `folder` and return its path; an error leaves an earlier zip as it was."""
    version = checked_version()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{PLUGIN}-{version}.zip"
    partial = target.with_suffix(".zip.partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, source in sorted(entries().items()):
            entry = zipfile.ZipInfo(f"{PLUGIN}/{name}", FIXED_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            # Unix, on whatever system the zip is built: the file modes below are read as such.
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, source.read_bytes())
    size = partial.stat().st_size
    if size > MAX_BYTES:
        partial.unlink()
        sys.exit(
            f"The plugin would take {size} bytes, more than the {MAX_BYTES} that are allowed: ship smaller models."
        )
    partial.replace(target)
    return target


def entries() -> dict[str, Path]:
    """Return the source file for each name inside the plugin's folder."""
    found = {"metadata.txt": ROOT / "metadata.txt", "LICENSE": ROOT / "LICENSE"}
    for prefix, folder in (("", ROOT / PLUGIN), (f"{ENGINE}/", ROOT / ENGINE)):
        for path in folder.rglob("*"):
            if path.is_dir() or "__pycache__" in path.parts or path.suffix in LEFT_OUT:
                continue
            if path.suffix not in SHIPPED and path.name != SCAN_SETTINGS:
                sys.exit(f"{path} is of a kind that does not belong in the plugin: remove it, or list its suffix.")
            found[prefix + path.relative_to(folder).as_posix()] = path
    return found


def checked_version() -> str:
    """Return the version, which the engine and metadata.txt must agree on."""
    match = re.search(r'__version__ = "([^"]+)"', (ROOT / ENGINE / "_version.py").read_text(encoding="utf-8"))
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(ROOT / "metadata.txt", encoding="utf-8")
    stated = metadata.get("general", "version", fallback=None)
    if match is None or stated != match[1]:
        sys.exit(f"metadata.txt states version {stated}, ferd_engine {match and match[1]}: make them agree.")
    return match[1]


if __name__ == "__main__":
    sys.exit(main())
