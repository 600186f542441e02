"""The Python lines and commands of docs/qgis.md, run as a reader would run them."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest

pytestmark = pytest.mark.qgis

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "qgis.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def test_the_lines_of_the_page_run_in_their_order(provider, qgis_process, read_raster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for code in blocks("python"):
        Path("lines.py").write_text(code, encoding="utf-8")
        runpy.run_path("lines.py")
    assert (read_raster("scores.tif") > 0).any()

    Path("scores.tif").unlink()
    Path("sample/scene.tif").rename("scene.tif")
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert [line.split()[:2] for line in commands] == [["qgis_process", "plugins"], ["qgis_process", "run"]]
    # The fixture has enabled the plugin with the first line, which cannot be done twice.
    done = qgis_process(*shlex.split(commands[1])[1:])
    assert done.returncode == 0, done.stderr
    assert (read_raster("scores.tif") > 0).any()
