"""The embedded bundles are what their script writes, and they run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ferd_engine.fen.bundle import verify_model
from ferd_engine.fen.store import DEFAULT_NAMES, EMBEDDED_FOLDER

ROOT = Path(__file__).resolve().parents[3]


def test_the_script_writes_the_same_bytes_again(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "make_untrained_models.py"
    for _ in range(2):
        subprocess.run([sys.executable, str(script), str(tmp_path)], check=True, capture_output=True)
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert len(written) == 6
    for path in written:
        assert (tmp_path / path).read_bytes() == (EMBEDDED_FOLDER / path).read_bytes(), path


@pytest.mark.parametrize("name", DEFAULT_NAMES)
def test_embedded_models_verify(name: str) -> None:
    assert verify_model(EMBEDDED_FOLDER / name).name == name
