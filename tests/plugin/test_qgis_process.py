"""The installed zip under `qgis_process`, a QGIS of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import ferd_engine

pytestmark = [
    pytest.mark.qgis,
    pytest.mark.skipif(shutil.which("qgis_process") is None, reason="qgis_process is not there"),
]


@pytest.fixture(scope="module")
def qgis_process(profile):
    """Return a function that runs qgis_process on the clean profile with the plugin enabled."""
    # Debian's `qgis_process` is a shell script whose only work is to set the GRASS library path.
    plain = Path("/usr/bin/qgis_process.bin")
    program = str(plain) if plain.is_file() else shutil.which("qgis_process")
    environment = {**os.environ, "QGIS_CUSTOM_CONFIG_PATH": str(profile), "QT_QPA_PLATFORM": "offscreen"}

    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [program, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    enabled = run("plugins", "enable", "ferd_qgis_plugin")
    assert enabled.returncode == 0, enabled.stderr
    return run


def test_both_algorithms_are_listed(qgis_process):
    listed = qgis_process("list", "--json")

    algorithms = json.loads(listed.stdout)["providers"]["ferd"]["algorithms"]
    assert sorted(algorithms) == ["ferd:fenenhance", "ferd:rxanomalydetection"]


def test_a_run_gives_the_engines_scores(qgis_process, scene, tmp_path, read_raster):
    output = tmp_path / "scores.tif"

    done = qgis_process(
        "run", "--json", "ferd:rxanomalydetection", "--", f"INPUT={scene}", "DETECTOR=grx", f"OUTPUT={output}"
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["results"]["OUTPUT"] == str(output)
    ferd_engine.detect_raster(str(scene), str(tmp_path / "engine.tif"), backend="numpy")
    np.testing.assert_array_equal(read_raster(output), read_raster(tmp_path / "engine.tif"))


def test_a_failure_is_a_sentence_and_an_exit_code(qgis_process, make_scene, tmp_path):
    few = make_scene("few.tif", n_bands=8)

    failed = qgis_process("run", "ferd:rxanomalydetection", "--", f"INPUT={few}", f"OUTPUT={tmp_path / 'scores.tif'}")

    assert failed.returncode != 0
    said = failed.stdout + failed.stderr
    assert "50" in said
    assert "Traceback" not in said
    assert not (tmp_path / "scores.tif").exists()
