"""How datasets are closed: failures are told whatever GDAL's switch of exceptions says, which is left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from osgeo import gdal

from ferd_engine.errors import OUT_OF_MEMORY
from ferd_engine.raster.gdal_setup import close_dataset, gdal_exceptions

ROOT = Path(__file__).resolve().parents[2]
FULL = """
import resource, signal, sys
import numpy as np
from contextlib import nullcontext
from ferd_engine.errors import OUT_OF_MEMORY
from ferd_engine.raster.gdal_setup import close_dataset, gdal, gdal_exceptions
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
dataset = gdal.GetDriverByName("GTiff").Create(sys.argv[1], 200, 150, 1, gdal.GDT_Float32)
dataset.GetRasterBand(1).WriteArray(np.ones((150, 200), np.float32))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, 1 << 14))
with gdal_exceptions() if sys.argv[2] == "on" else nullcontext():
    print(len(close_dataset(dataset)))
"""


def small(path: Path) -> gdal.Dataset:
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), 5, 3, 1, gdal.GDT_Float32)
    dataset.GetRasterBand(1).WriteArray(np.arange(15.0, dtype=np.float32).reshape(3, 5))
    return dataset


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on the size of files is set as on Unix")
@pytest.mark.parametrize("exceptions", ["on", "off"])
def test_a_failure_while_closing_is_told_and_not_printed(exceptions: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "a.tif"), exceptions],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) > 0
    assert done.stderr == ""


def test_a_closed_dataset_is_whole_and_leaves_no_failure(tmp_path: Path) -> None:
    assert close_dataset(small(tmp_path / "a.tif")) == []
    assert gdal.Open(str(tmp_path / "a.tif")).ReadAsArray().tolist() == np.arange(15.0).reshape(3, 5).tolist()


def test_closing_does_not_change_what_other_threads_rely_on(tmp_path: Path) -> None:
    # The switch is the process's: turned off for one thread, errors of all others would pass unseen.
    found: list[list[str]] = []
    with gdal_exceptions():
        thread = Thread(target=lambda: found.append(close_dataset(small(tmp_path / "a.tif"))))
        thread.start()
        thread.join()
        assert gdal.GetUseExceptions()
        with pytest.raises(RuntimeError):
            gdal.Open(str(tmp_path / "absent.tif"))
    assert found == [[]]


def info_with_bindings(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `ferd info` beside bindings of GDAL that consist of `code`."""
    (folder / "osgeo").mkdir()
    (folder / "osgeo" / "__init__.py").write_text(code + "\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "ferd_engine", "info", "scene.tif"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise ModuleNotFoundError('No module named osgeo', name='osgeo')", "--system-site-packages"),
        ("raise ImportError('numpy.core.multiarray failed to import')", "built for another NumPy"),
        ("raise ImportError('libgdal.so: cannot map')", "do not load (libgdal.so: cannot map): install them again"),
        # As the real bindings look for their compiled part in a second place where the first does not load.
        (
            "try:\n    raise ImportError('libgdal.so: no version information')\n"
            "except ImportError:\n    raise ModuleNotFoundError('No module named _gdal', name='_gdal')",
            "do not load (libgdal.so: no version information): install them again",
        ),
    ],
)
def test_bindings_that_do_not_load_are_told_with_what_to_do(code: str, words: str, tmp_path: Path) -> None:
    done = info_with_bindings(code, tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("ferd: The Python bindings of GDAL (osgeo)")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_bindings_that_find_no_memory_are_not_called_absent(tmp_path: Path) -> None:
    done = info_with_bindings(
        "try:\n    raise ImportError('libgdal.so: failed to map segment from shared object')\n"
        "except ImportError:\n    raise ModuleNotFoundError('No module named _gdal', name='_gdal')",
        tmp_path,
    )
    assert (done.returncode, done.stderr) == (1, f"ferd: {OUT_OF_MEMORY}\n")
