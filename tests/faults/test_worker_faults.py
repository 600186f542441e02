"""A batch whose worker is killed anywhere: one raster failed with a sentence, no file lost, the next run gives all.

The worker of the plugin is the same program (`tests/plugin/test_worker.py` has what QGIS says of its end), that of a
cluster is another (`tests/engine/scale/test_distributed.py`).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.engine.rasters import cube, write_tiff
from tests.faults.conftest import Counts
from tests.faults.harness import LIMIT_S, ROOT, fresh_place, hashes

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds the worker as Linux tells it")

SHORT_POINTS, LONG_POINTS = 4, 20
SCORES = "scene_score.tif"


def batch(folder: Path, out: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "ferd_engine", "batch", str(folder), str(out), "--overwrite", "--backend", "numpy"]
    return subprocess.Popen(
        [*argv, "--threads", "1", "--memory", "64MiB"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "FERD_MODELS": "/nonexistent"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def worker_of(run: subprocess.Popen[str]) -> int | None:
    """Wait for the worker of a batch and return its number, None where the batch ended first."""
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    while run.poll() is None:
        try:
            found = children.read_text().split()
        except OSError:
            return None
        if found:
            return int(found[0])
        time.sleep(0.005)
    return None


def results(out: Path) -> dict[str, str]:
    return {name: found for name, found in hashes(out).items() if not name.startswith(".ferd")}


def test_a_killed_worker(tiff_scene: Sequence[Path], tmp_path: Path, counts: Counts, is_long: bool) -> None:
    with fresh_place(tiff_scene) as place:
        run = batch(place.scene.parent, place.out)
        assert worker_of(run) is not None
        started = time.monotonic()
        said, _ = run.communicate(timeout=LIMIT_S)
        lasts = time.monotonic() - started
        assert run.returncode == 0, said
        whole = results(place.out)
        shutil.copytree(place.out, tmp_path / "whole")
    assert set(whole) == {SCORES}
    earlier = write_tiff(tmp_path / SCORES, cube(223, 101, 1, "float32"))
    n_points = LONG_POINTS if is_long else SHORT_POINTS
    n_hit = 0
    for index in range(n_points):
        counts.add("worker")
        with fresh_place(tiff_scene) as place:
            before = hashes(place.scene.parent)
            shutil.copy(earlier, place.out)
            kept = results(place.out)
            run = batch(place.scene.parent, place.out)
            worker = worker_of(run)
            # Spread over what the worker took undisturbed; near the end it may have gone before.
            time.sleep(lasts * (index + 0.5) / n_points * 0.9)
            if worker is not None and run.poll() is None:
                try:
                    os.kill(worker, signal.SIGKILL)
                except ProcessLookupError:
                    worker = None
            said, _ = run.communicate(timeout=LIMIT_S)
            assert "Traceback" not in said, said
            assert hashes(place.scene.parent) == before
            if run.returncode == 0:
                assert results(place.out) == whole
            else:
                assert run.returncode == 1, said
                # A worker that dies after the renaming, before it could say so, leaves the new result, whole.
                found = results(place.out)
                assert found in (kept, whole)
                n_hit += found == kept
                assert "the worker" in said or "ended" in said, said
            again = batch(place.scene.parent, place.out)
            said, _ = again.communicate(timeout=LIMIT_S)
            assert again.returncode == 0, said
            assert results(place.out) == whole
            assert not list(place.out.glob(".ferd-*"))
        counts.add_survived("worker")
    assert n_hit >= n_points // 2
