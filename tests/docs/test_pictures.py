"""The scripts that draw the pictures of the pages say how they are used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.mark.parametrize("name", ["demo_picture", "tutorial_pictures"])
def test_without_arguments_a_script_prints_its_usage(name: str) -> None:
    pytest.importorskip("matplotlib")
    run = subprocess.run(
        [sys.executable, str(SCRIPTS / f"{name}.py")], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 2
    assert run.stderr.startswith(f"usage: {name}.py ")
