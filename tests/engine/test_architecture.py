"""What DESIGN.md promises of the sources: which way imports point, what the engine needs, sizes, no printing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGINE = ROOT / "ferd_engine"
PLUGIN = ROOT / "ferd_qgis_plugin"
TRAINING = ROOT / "training"
MAX_LINES = 400
OPTIONAL = ("torch", "torchvision", "sklearn", "huggingface_hub", "safetensors", "distributed", "dask", "threadpoolctl")
BLOCKED = ("qgis", "processing", "PyQt5", "PyQt6", "ferd_qgis_plugin", "training", *OPTIONAL)
# Functions whose work is to print: the command line's, and the worker's messages.
MAY_PRINT = ("cli/", "worker.py", "__main__.py")


class Import(NamedTuple):
    """One imported module: its full dotted name, and whether it is imported with the module that names it."""

    name: str
    at_load: bool


def sources(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py")) if folder.is_dir() else []


def imports(tree: ast.AST, package: str, at_load: bool = True) -> Iterator[Import]:
    """Yield what a module imports, relative imports resolved against its package, annotations' imports left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, at_load) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            yield Import(".".join([*parents, *([node.module] if node.module else [])]), at_load)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        else:
            inside = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from imports(node, package, at_load and not inside)


def imports_of(path: Path) -> list[Import]:
    package = ".".join(path.relative_to(ROOT).parent.parts)
    return list(imports(ast.parse(path.read_text(encoding="utf-8")), package))


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_reader_of_imports_sees_what_it_should():
    text = "\n".join(
        [
            "from __future__ import annotations",
            "import numpy as np, os.path",
            "from ..errors import X",
            "from . import y",
            "if TYPE_CHECKING:",
            "    import qgis",
            "try:",
            "    import torch",
            "except ImportError:",
            "    pass",
            "class A:",
            "    def f(self):",
            "        import sklearn.metrics",
        ]
    )
    assert list(imports(ast.parse(text), "ferd_engine.fen")) == [
        ("__future__", True),
        ("numpy", True),
        ("os.path", True),
        ("ferd_engine.errors", True),
        ("ferd_engine.fen", True),
        ("torch", True),
        ("sklearn.metrics", False),
    ]


@pytest.mark.skipif(sys.version_info < (3, 10), reason="sys.stdlib_module_names came with Python 3.10")
@pytest.mark.parametrize("path", sources(ENGINE), ids=identify)
def test_engine_loads_with_numpy_scipy_and_gdal_alone(path):
    allowed = {"numpy", "scipy", "osgeo", "ferd_engine", *sys.stdlib_module_names}
    for name, at_load in imports_of(path):
        top = name.split(".")[0]
        assert top in allowed or (not at_load and top in OPTIONAL), f"imports {name}"


@pytest.mark.parametrize("path", sources(ENGINE), ids=identify)
def test_engine_names_itself_only_relatively(path):
    # The plugin's zip holds the engine as a subpackage, where the absolute name does not exist.
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert (node.module or "").split(".")[0] != "ferd_engine"
        if isinstance(node, ast.Import):
            assert all(alias.name.split(".")[0] != "ferd_engine" for alias in node.names)


@pytest.mark.skipif(sys.version_info < (3, 10), reason="sys.stdlib_module_names came with Python 3.10")
@pytest.mark.parametrize("path", sources(PLUGIN), ids=identify)
def test_plugin_needs_what_qgis_brings_and_the_engine(path):
    allowed = {"numpy", "scipy", "osgeo", "qgis", "processing", "ferd_engine", "ferd_qgis_plugin"}
    for name, _ in imports_of(path):
        assert name.split(".")[0] in allowed | sys.stdlib_module_names, f"imports {name}"
        assert name.split(".")[0] != "subprocess", "processes are started by the engine"


def test_training_knows_no_qgis():
    forbidden = ("qgis", "processing", "PyQt5", "PyQt6", "ferd_qgis_plugin")
    found = [(identify(path), name) for path in sources(TRAINING) for name, _ in imports_of(path)]
    assert not [(path, name) for path, name in found if name.split(".")[0] in forbidden]


@pytest.mark.parametrize("path", [*sources(ENGINE), *sources(PLUGIN), *sources(TRAINING)], ids=identify)
def test_modules_stay_small(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < MAX_LINES


@pytest.mark.parametrize("path", sources(ENGINE), ids=identify)
def test_engine_logs_and_does_not_print(path):
    if path.relative_to(ENGINE).as_posix().startswith(MAY_PRINT):
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"line {node.lineno}"


# Each finder is made blind to the blocked packages, which then look as if they were not installed.
BARE_RUN = """
import importlib, pkgutil, sys

class Blind:
    def __init__(self, finder):
        self.finder = finder
    def __getattr__(self, name):
        return getattr(self.finder, name)
    def find_spec(self, name, path=None, target=None):
        return None if name.split(".")[0] in {blocked!r} else self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Blind(finder) for finder in sys.meta_path]
sys.path.insert(0, {root!r})
import ferd_engine
for module in pkgutil.walk_packages(ferd_engine.__path__, "ferd_engine."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
report = ferd_engine.detect_raster({scene!r}, {scores!r})
loaded = [name for name in sys.modules if name.split(".")[0] in {blocked!r}]
assert not loaded, loaded
# It takes as long to load as all the rest.
assert "scipy.stats" not in sys.modules
print(report.backend.split()[0], report.rows, report.cols)
"""


def test_engine_runs_without_qgis_torch_and_the_rest(tmp_path):
    import numpy as np

    cube = np.random.default_rng(5).normal(size=(17, 23, 60)).astype(np.float32)
    np.save(tmp_path / "cube.npy", cube)
    code = BARE_RUN.format(
        blocked=BLOCKED, root=str(ROOT), scene=str(tmp_path / "cube.npy"), scores=str(tmp_path / "scores.tif")
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["numpy", "17", "23"]
    assert (tmp_path / "scores.tif").stat().st_size > 0


def test_front_door_loads_little():
    """The plugin and `ferd --help` import the engine: that must not cost SciPy's or GDAL's loading."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import ferd_engine; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
