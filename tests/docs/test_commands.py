"""The commands in the pages' blocks marked `sh`, run page by page in their order, on the sample scene."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ferd_engine.sample import make_sample

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PROGRAMS = {"ferd": "ferd_engine", "python": None}
# What is not run, and why.
NOT_RUN = {
    ".venv/bin/pip": "asks a package index",
    "pip wheel": "asks a package index",
    "python3 -m venv": "makes the environment that the line after it fills from a package index",
    "python3 scripts/build_plugin.py": "writes into the checkout; tests/plugin builds the zip",
    "qgis_process": "needs QGIS; tests/plugin/test_qgis_process.py runs it",
    "ferd detect line.bsq": "stands for a flight line of many gigabytes",
    "ferd detect scene.tif score.tif --backend torch --device cuda": "needs a CUDA device",
}


def commands(page: Path) -> list[str]:
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


PAGES = {str(page.relative_to(DOCS)): commands(page) for page in sorted(DOCS.rglob("*.md")) if commands(page)}


def reason(command: str) -> str | None:
    return next((why for start, why in NOT_RUN.items() if command.startswith(start)), None)


def test_pages_have_commands_and_no_reason_is_left_over():
    every = [command for lines in PAGES.values() for command in lines]
    assert len([command for command in every if reason(command) is None]) >= 15
    assert [start for start in NOT_RUN if not any(command.startswith(start) for command in every)] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, lines in PAGES.items() if any(reason(line) is None for line in lines)])
def test_the_commands_of_a_page_run(name, tmp_path):
    if not any(line.startswith("ferd sample demo") for line in PAGES[name]):
        sample = make_sample(tmp_path / "demo")
        shutil.copy(sample.scene, tmp_path / "scene.tif")
    # Stands for a scene that everyone has to fetch for themselves.
    shutil.copy(make_sample(tmp_path / "other", 1).scene, tmp_path / "enmap.tif")
    shutil.copy(DOCS / "tutorials" / "my-fen.toml", tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FERD_MODELS": str(tmp_path / "models")}
    for command in PAGES[name]:
        if reason(command) is not None:
            continue
        program, *words = command.split()
        assert program in PROGRAMS, f"{command}: run it here, or say in NOT_RUN why not"
        module = PROGRAMS[program]
        line = [sys.executable, *(["-m", module] if module else []), *words]
        run = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180)
        assert run.returncode == 0, f"{command}\n{run.stdout}{run.stderr}"
