"""Scenes and undisturbed runs that the faults are compared with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import pytest

from ferd_engine.fen.bundle import Model, save_model
from ferd_engine.fen.network import Architecture
from tests.engine.fen.reference import random_weights
from tests.engine.rasters import cube, write_envi, write_tiff
from tests.faults.harness import FAULTS
from tests.faults.hostile import Trials
from tests.faults.hostile import trials as start_trials


class Counts:
    """How many faults were tried, survived and lost, by kind."""

    def __init__(self) -> None:
        self.tried: dict[str, int] = dict.fromkeys((*FAULTS, "worker"), 0)
        self.survived: dict[str, int] = dict.fromkeys((*FAULTS, "worker"), 0)
        # Runs out of memory that ended inside a library, without a sentence.
        self.wordless = 0
        self._lock = Lock()

    def add(self, fault: str) -> None:
        """Count a fault that was tried, for now as lost."""
        with self._lock:
            self.tried[fault] += 1

    def add_survived(self, fault: str, *, wordless: bool = False) -> None:
        """Count a fault of those tried as survived."""
        with self._lock:
            self.survived[fault] += 1
            self.wordless += wordless

    def lines(self) -> list[str]:
        kinds = [f"{kind} {self.survived[kind]}/{tried}" for kind, tried in self.tried.items() if tried]
        tried, survived = sum(self.tried.values()), sum(self.survived.values())
        return [
            f"faults tried {tried}, survived {survived}, lost {tried - survived}",
            f"  {', '.join(kinds)}; out of memory without a word {self.wordless}",
        ]


_counts = Counts()
# What the odd and hostile inputs of this run came to.
_tried: list[Trials] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults", choices=("short", "long"), default="short", help="how many faults tests/faults tries")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if sum(_counts.tried.values()):
        for line in _counts.lines():
            terminalreporter.write_line(line)
    for tried in _tried:
        terminalreporter.write_line(tried.line())


@pytest.fixture(scope="session")
def counts() -> Counts:
    return _counts


@pytest.fixture(scope="session")
def is_long(pytestconfig: pytest.Config) -> bool:
    return pytestconfig.getoption("--faults", default="short") == "long"


@pytest.fixture(scope="session")
def tiff_scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """A compressed raster that is not square and has a ragged edge; each band is a strip of its own."""
    path = tmp_path_factory.mktemp("scene") / "scene.tif"
    return (write_tiff(path, cube(223, 101, 60, "int16"), "COMPRESS=DEFLATE", "INTERLEAVE=BAND", "BLOCKYSIZE=16"),)


@pytest.fixture(scope="session")
def envi_scene(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    path = write_envi(tmp_path_factory.mktemp("scene") / "scene.bsq", cube(223, 101, 60, "int16"))
    return path, path.with_suffix(".hdr")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count the odd and hostile inputs when all of them have been tried."""
    items.sort(key=lambda item: item.originalname == "test_how_many_inputs_were_tried" if _is_here(item) else False)


def _is_here(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and item.path.parent == Path(__file__).parent


@pytest.fixture(scope="session")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    """Run commands on odd and hostile files, count them, and say at the end how many there were."""
    with start_trials(tmp_path_factory.mktemp("driver")) as tried:
        _tried.append(tried)
        yield tried


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a model of four bands."""
    architecture = Architecture(4, 3, entry=5, inner=4, outer=7, hidden=6)
    folder = tmp_path_factory.mktemp("models") / "tiny-4"
    save_model(Model("tiny-4", architecture, random_weights(architecture, 3)), folder)
    return folder
