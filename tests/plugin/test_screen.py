"""The zip in a real QGIS window on a virtual screen: installed by the plugin manager, run from the dialog, seen."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("qgis", "Xvfb", "convert")
_MISSING = [program for program in PROGRAMS if shutil.which(program) is None]

pytestmark = [
    pytest.mark.qgis,
    pytest.mark.slow,
    pytest.mark.skipif(bool(_MISSING), reason=f"not installed: {', '.join(_MISSING)}"),
]


def share_of(picture: Path, colour: tuple[int, int, int]) -> float:
    """Return the part of a picture's pixels that have about this colour; pictures are kept in 256 colours."""
    from qgis.PyQt.QtGui import QImage

    image = QImage(str(picture)).convertToFormat(QImage.Format.Format_RGB888)
    data = image.constBits()
    data.setsize(image.sizeInBytes())
    rows = np.frombuffer(data, np.uint8).reshape(image.height(), image.bytesPerLine())[:, : 3 * image.width()]
    near = np.abs(rows.reshape(-1, 3).astype(int) - colour).max(axis=1) <= 24
    return float(near.mean())


def test_installed_run_and_seen_in_a_window(tmp_path):
    # The session's own settings for QGIS are for one without a screen.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("QT_", "QGIS_"))}
    done = subprocess.run(
        ["bash", str(ROOT / "scripts" / "screenshots.sh"), "", str(tmp_path)],
        env=kept, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    assert "from zip to first map in " in done.stdout
    pictures = {path.stem for path in tmp_path.glob("*.png")}
    assert pictures == {path.stem for path in (ROOT / "docs" / "images").glob("qgis-*.png")}
    # The middle of the score ramp, the outlines of objects, and neither where it has no place.
    assert share_of(tmp_path / "qgis-scores.png", (0x27, 0x40, 0x7E)) > 0.01
    assert share_of(tmp_path / "qgis-toolbox.png", (0x27, 0x40, 0x7E)) < 0.01
    assert share_of(tmp_path / "qgis-polygons.png", (0x2E, 0xE6, 0xE6)) > 1e-4
    assert share_of(tmp_path / "qgis-toolbox.png", (0x2E, 0xE6, 0xE6)) < 1e-4
