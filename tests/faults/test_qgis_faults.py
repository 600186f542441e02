"""The same faults under `qgis_process`, a QGIS of its own with the installed zip in a clean profile."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.engine.rasters import cube, write_envi, write_tiff
from tests.faults.conftest import Counts
from tests.faults.harness import FAULTS, HOOK, ROOT, Command, spread
from tests.faults.test_faults import Undisturbed, survive_all

# Debian's `qgis_process` is a shell script, which would take the signals in QGIS's place.
_PLAIN = Path("/usr/bin/qgis_process.bin")
PROGRAM = str(_PLAIN) if _PLAIN.is_file() else shutil.which("qgis_process")
# A run takes seconds to start QGIS: nine kinds at five points each are 45 points of an algorithm.
SHORT_POINTS, LONG_POINTS = 1, 5
# The profile belongs to the user of the tests, so that no other one can lose a permission.
QGIS_FAULTS = tuple(fault for fault in FAULTS if fault != "denied")

pytestmark = [
    pytest.mark.qgis,
    pytest.mark.skipif(PROGRAM is None, reason="qgis_process is not there"),
]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what points QGIS to a profile that has the zip and nothing else, with the plugin switched on."""
    spec = importlib.util.spec_from_file_location("build_plugin", ROOT / "scripts" / "build_plugin.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = tmp_path_factory.mktemp("config")
    plugins = config / "profiles" / "default" / "python" / "plugins"
    plugins.mkdir(parents=True)
    with zipfile.ZipFile(module.build(tmp_path_factory.mktemp("dist"))) as archive:
        archive.extractall(plugins)
    variables = {
        "QGIS_CUSTOM_CONFIG_PATH": str(config),
        "QT_QPA_PLATFORM": "offscreen",
        "XDG_DATA_HOME": str(config / "data"),
    }
    enabled = subprocess.run(
        [PROGRAM, "plugins", "enable", "ferd_qgis_plugin"],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert enabled.returncode == 0, enabled.stderr
    return {**variables, "PYTHONPATH": str(HOOK)}


@pytest.fixture(scope="module")
def runs(
    environment: dict[str, str],
    tiff_scene: Sequence[Path],
    envi_scene: Sequence[Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Undisturbed]:
    detect = Command(
        "qgis_process rxanomalydetection",
        [
            *(PROGRAM, "run", "ferd:rxanomalydetection", "--", "INPUT={input}", "OUTPUT={out}/scores.tif"),
            *("THRESHOLD=count:20", "MASK_OUT={out}/mask.tif"),
        ],
        ("mask.tif", "scores.tif"),
        environment,
    )
    enhance = Command(
        "qgis_process fenenhance",
        [PROGRAM, "run", "ferd:fenenhance", "--", "INPUT={input}", "OUTPUT={out}/cube.bsq"],
        ("cube.hdr", "cube.bsq"),
        environment,
    )
    old = tmp_path_factory.mktemp("earlier")
    old_tiff = write_tiff(old / "scene.tif", cube(223, 101, 60, "int16", seed=5))
    old_envi = write_envi(old / "scene.bsq", cube(223, 101, 60, "int16", seed=5))
    return {
        "detect": Undisturbed(detect, tiff_scene, [old_tiff], tmp_path_factory.mktemp("detect")),
        "enhance": Undisturbed(
            enhance, envi_scene, [old_envi, old_envi.with_suffix(".hdr")], tmp_path_factory.mktemp("enhance")
        ),
    }


@pytest.mark.parametrize("fault", QGIS_FAULTS)
@pytest.mark.parametrize("task", ["detect", "enhance"])
def test_qgis_process_survives(
    task: str, fault: str, runs: dict[str, Undisturbed], counts: Counts, is_long: bool
) -> None:
    known = runs[task]
    if task == "enhance" and fault == "spoiled":
        pytest.skip("an uncompressed file has no block that cannot be decoded")
    # From where the engine reads or writes its first file: what is before is QGIS's own start.
    first = next(index for index, name in enumerate(known.points) if name.startswith(("progress", "os.mkdir")))
    count = LONG_POINTS if is_long else SHORT_POINTS
    points = spread(len(known.points) - first, count, (FAULTS.index(fault) + 0.5) / len(FAULTS))
    survive_all(known, fault, [first + point for point in points], counts)
