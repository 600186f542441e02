"""The commands and Python lines of README and the pages, run page by page in their order, on the sample scene.

A block marked `sh` or `python` is run, line by line or as a whole; `bash` marks scripts for a cluster, `text` what is
only shown. The examples of models.md that begin with >>> are run by tests/engine/test_python_api.py.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ferd_engine.sample import make_sample

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PROGRAMS = {"ferd": ["-m", "ferd_engine"], "python": []}
# What is not run, by the beginning of the command, and why.
NOT_RUN = {
    ".venv/bin/pip": "asks a package index",
    "python -m pip": "asks a package index",
    "pip wheel": "asks a package index",
    "python3 -m venv": "makes the environment that the line after it fills from a package index",
    ". .venv/bin/activate": "enters that environment",
    "python3 scripts/build_plugin.py": "writes into the checkout; tests/plugin builds the zip",
    "bash scripts/": "installs what the tests themselves need, or runs them",
    "make ": "runs the tests themselves, or one of the scripts",
    "python -m pytest": "the tests themselves",
    "python scripts/train_models.py": "needs the training scenes, which are not in the repository",
    "qgis_process": "needs QGIS; tests/plugin/test_page.py runs it",
    "ferd detect line.bsq": "stands for a flight line of many gigabytes",
    "ferd detect scene.tif score.tif --backend torch --device cuda": "needs a CUDA device",
    "ferd models download": "asks a hub; tests/engine/fen/test_hub.py stands one in",
    "jq ": "stands for the answer of a catalogue",
    "ferd batch items.txt": "reads rasters from the web",
    "ferd detect scene.tif scores.tif --scheduler tcp:": "needs a cluster; tests/engine/scale starts one",
    "python -m training evaluate": "needs scenes with a truth, which are not in the repository",
}
# Modules that are not installed for the tests: blocks that import one are compiled and not run.
ABSENT = ("dask_jobqueue", "dask_kubernetes", "ferd_qgis_plugin", "processing")


def blocks(page: Path, language: str) -> list[str]:
    pattern = rf"^ *```{language}\n(.*?)^ *```$"
    return re.findall(pattern, page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    lines = [line.strip() for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


FILES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
PAGES = {str(page.relative_to(ROOT)): page for page in FILES if commands(page) or blocks(page, "python")}


def reason(command: str) -> str | None:
    return next((why for start, why in NOT_RUN.items() if command.startswith(start)), None)


def is_run(page: Path) -> bool:
    return any(reason(command) is None for command in commands(page)) or any(map(can_run, blocks(page, "python")))


def can_run(code: str) -> bool:
    return not any(re.search(rf"^(from|import) {module}\b", code, re.MULTILINE) for module in ABSENT)


def test_pages_have_commands_and_no_reason_is_left_over() -> None:
    every = [command for page in PAGES.values() for command in commands(page)]
    assert len([command for command in every if reason(command) is None]) >= 40
    assert [start for start in NOT_RUN if not any(command.startswith(start) for command in every)] == []
    code = "".join(block for page in PAGES.values() for block in blocks(page, "python"))
    assert [module for module in ABSENT if module not in code] == []


@pytest.mark.parametrize("page", FILES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_command_stands_in_a_block_that_is_not_run(page: Path) -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"^(?: {4,}|\t)(?:ferd|python3?|pip|bash|make|import|from) .*$", text, re.MULTILINE) == []


@pytest.mark.parametrize("name", PAGES)
def test_the_python_lines_of_a_page_compile(name: str) -> None:
    for code in blocks(PAGES[name], "python"):
        compile(code, name, "exec")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the folders of the sample scene and of another one."""
    return [make_sample(tmp_path_factory.mktemp("samples") / str(seed), seed).scene.parent for seed in (0, 1)]


def furnish(folder: Path, page: Path, samples: list[Path]) -> None:
    """Put into a folder what the pages speak of, but for what they make themselves."""
    if not any(command.startswith("ferd sample demo") for command in commands(page)):
        shutil.copytree(samples[0], folder / "demo")
        shutil.copy(folder / "demo" / "scene.tif", folder / "scene.tif")
    # Stands for a scene that everyone has to fetch for themselves.
    shutil.copytree(samples[1], folder / "other")
    other = folder / "other" / "scene.tif"
    shutil.copy(other, folder / "enmap.tif")
    shutil.copy(DOCS / "tutorials" / "my-fen.toml", folder)
    (folder / "lines").mkdir()
    for name in ("06.tif", "07.tif"):
        shutil.copy(other, folder / "lines" / name)
    for name in ("list.txt", "lines.txt"):
        (folder / name).write_text("lines/06.tif\nlines/07.tif\n", encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if is_run(page)])
def test_the_commands_of_a_page_run(name: str, tmp_path: Path, samples: list[Path]) -> None:
    page = PAGES[name]
    furnish(tmp_path, page, samples)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FERD_MODELS": str(tmp_path / "models")}

    def run(arguments: list[str], what: str) -> None:
        line = [sys.executable, *arguments]
        found = subprocess.run(line, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180)
        assert found.returncode == 0, f"{what}\n{found.stdout}{found.stderr}"

    for command in commands(page):
        if reason(command) is None:
            program, *words = shlex.split(command, comments=True)
            assert program in PROGRAMS, f"{command}: run it here, or say in NOT_RUN why not"
            run([*PROGRAMS[program], *words], command)
    for code in filter(can_run, blocks(page, "python")):
        run(["-c", code], code)
