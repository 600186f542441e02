"""`ferd batch` on a cluster: one for all rasters, whole rasters on workers where there are many."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ferd_engine import detect_raster
from ferd_engine.batch import run_batch
from ferd_engine.batch.jobs import DONE, STOPPED
from ferd_engine.cli import main
from ferd_engine.scale import scenes as scenes_module
from ferd_engine.scale import start

from ..rasters import cube, read_scores, write_tiff
from .conftest import local_cluster

distributed = pytest.importorskip("distributed", reason="the extra scale is not installed")

N_SCENES = 5


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    folder = tmp_path / "scenes"
    folder.mkdir()
    for index in range(N_SCENES):
        write_tiff(folder / f"line{index}.tif", cube(61 + index, 23, 9, seed=index))
    return folder


@pytest.fixture
def clusters(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Note the workers and threads of each cluster that is started on this machine."""
    started = []

    def noted(n_workers: int, n_threads: int) -> Any:
        started.append((n_workers, n_threads))
        return start_cluster(n_workers, n_threads)

    start_cluster = start.local_cluster
    monkeypatch.setattr(start, "local_cluster", noted)
    monkeypatch.setattr(scenes_module, "local_cluster", noted)
    return started


def assert_scores(scenes: Path, out: Path, scratch: Path) -> None:
    for path in sorted(scenes.iterdir()):
        plain = read_scores(detect_raster(path, scratch / "plain.tif", enhance=False, overwrite=True).output)
        np.testing.assert_allclose(read_scores(out / f"{path.stem}_score.tif"), plain, rtol=1e-6)


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".ferd_batch")


def test_many_rasters_share_one_cluster_and_are_tasks(
    scenes: Path, tmp_path: Path, clusters: list[tuple[int, int]]
) -> None:
    out = tmp_path / "out"
    report = run_batch(scenes, out, enhance=False, scheduler="local:2")
    assert report.counts[DONE] == N_SCENES
    assert clusters == [(2, 1)]
    assert [Path(result.job.input).name for result in report.results] == sorted(p.name for p in scenes.iterdir())
    assert_scores(scenes, out, tmp_path)
    assert visible(out) == [f"line{index}_score.tif" for index in range(N_SCENES)]


def test_fewer_rasters_than_workers_are_cut_into_strips(
    scenes: Path, tmp_path: Path, clusters: list[tuple[int, int]]
) -> None:
    for path in sorted(scenes.iterdir())[2:]:
        path.unlink()
    report = run_batch(scenes, tmp_path / "out", enhance=False, scheduler="local:3", threads=3, isolate=True)
    assert report.counts[DONE] == 2
    assert clusters == [(3, 1)]
    assert_scores(scenes, tmp_path / "out", tmp_path)


def test_a_running_cluster_takes_whole_rasters(workers: Any, scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = main(["batch", str(scenes), str(out), "--no-enhance", "--scheduler", workers.scheduler_address, "--json"])
    assert code == 0
    assert_scores(scenes, out, tmp_path)


def test_one_bad_raster_is_one_failure(workers: Any, scenes: Path, tmp_path: Path) -> None:
    (scenes / "line2.tif").write_bytes(b"II*\0 no raster")
    report = run_batch(scenes, tmp_path / "out", enhance=False, scheduler=workers.scheduler_address)
    assert [result.status for result in report.results] == ["done", "done", "failed", "done", "done"]
    assert "line2.tif" in report.results[2].reason
    assert report.results[2].exit_code == 2


def test_resume_finds_what_a_cluster_did(workers: Any, scenes: Path, tmp_path: Path) -> None:
    options = {"enhance": False, "resume": True}
    run_batch(scenes, tmp_path / "out", scheduler=workers.scheduler_address, **options)
    assert run_batch(scenes, tmp_path / "out", **options).counts["current"] == N_SCENES


def test_files_of_others_are_not_replaced(workers: Any, scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "line1_score.tif").write_text("mine")
    report = run_batch(scenes, out, enhance=False, scheduler=workers.scheduler_address)
    assert report.counts["failed"] == 1
    assert (out / "line1_score.tif").read_text() == "mine"


def test_a_cancel_stops_what_is_not_done(workers: Any, scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    progress = CancelOnce()
    report = run_batch(
        scenes, out, enhance=False, scheduler=workers.scheduler_address, progress=progress, on_result=progress.on_result
    )
    counts = report.counts
    assert counts[DONE] >= 1
    assert counts[STOPPED] >= 1
    assert counts[DONE] + counts[STOPPED] == N_SCENES
    assert visible(out) == [Path(r.job.output).name for r in report.results if r.status == DONE]
    assert not [path for path in (out / ".ferd_batch").iterdir() if path.name.startswith("cancel")]


class CancelOnce:
    """Wants to stop once there is a result."""

    def __init__(self) -> None:
        self._wish = False

    def on_result(self, *_: Any) -> None:
        self._wish = True

    def update(self, fraction: float, message: str) -> None:
        pass

    def cancelled(self) -> bool:
        return self._wish


def test_a_killed_worker_loses_no_raster(scenes: Path, tmp_path: Path) -> None:
    with local_cluster() as cluster:
        killed = []

        def kill(*_: Any) -> None:
            if not killed:
                killed.append(next(worker.pid for worker in cluster.workers.values()))
                os.kill(killed[0], signal.SIGKILL)

        report = run_batch(scenes, tmp_path / "out", enhance=False, scheduler=cluster.scheduler_address, on_result=kill)
    assert killed
    assert report.counts[DONE] == N_SCENES
    assert_scores(scenes, tmp_path / "out", tmp_path)
