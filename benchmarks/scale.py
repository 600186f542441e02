"""GRX on dask.distributed workers beside GRX without them: overhead, two workers, a worker killed outright, bare tasks.

    python benchmarks/scale.py FOLDER [--rows 4000] [--cols 2000] [--bands 100] [--tasks 5000]

FOLDER gets the seeded int16 raster of make_raster.py (1.6 GB at the default size) unless it is there. Every run has one
thread per worker, the plain one a single thread; the cluster is up before the clock starts. The distributed runs must
give the same scores to the last bit, also where a worker is killed half-way, and those of the plain run within 1e-6 of
the largest, or the benchmark fails.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Client, LocalCluster
from machine import describe
from make_raster import make_raster
from osgeo import gdal

from ferd_engine import detect_raster
from ferd_engine.progress import ProgressSpan, SilentProgress
from ferd_engine.scale.cluster import Cluster


class KillHalfWay:
    """Kills a process outright once half of a run is done."""

    def __init__(self, pid: int) -> None:
        self._pid, self.done = pid, False

    def update(self, fraction: float, message: str) -> None:
        """Kill once it is time."""
        if fraction >= 0.5 and not self.done:
            self.done = True
            os.kill(self._pid, signal.SIGKILL)

    def cancelled(self) -> bool:
        """Go on."""
        return False


def workers(count: int) -> LocalCluster:
    return LocalCluster(
        n_workers=count,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        silence_logs=50,
    )


def timed(scene: Path, output: Path, **options: Any) -> tuple[float, np.ndarray]:
    started = time.perf_counter()
    detect_raster(scene, output, enhance=False, overwrite=True, **options)
    return time.perf_counter() - started, gdal.Open(str(output)).ReadAsArray()


def digest(scores: np.ndarray) -> str:
    return hashlib.sha256(scores.tobytes()).hexdigest()[:16]


def bare_tasks(cluster: LocalCluster, count: int) -> tuple[float, int]:
    """Return seconds for tasks that do nothing, and the most that the scheduler knew of at a time."""
    most = 0
    with Client(cluster, direct_to_workers=True, set_as_default=False) as client:
        started = time.perf_counter()
        results = Cluster(client, "benchmark").results(
            lambda client, index: client.submit(abs, -index, key=f"bare-{count}-{index}"),
            count,
            ProgressSpan(SilentProgress(), 0.0, 1.0),
            "Bare tasks",
        )
        for index, value in enumerate(results):
            assert value == index
            most = max(most, len(cluster.scheduler.tasks))
        return time.perf_counter() - started, most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--cols", type=int, default=2000)
    parser.add_argument("--bands", type=int, default=100)
    parser.add_argument("--tasks", type=int, default=5000)
    arguments = parser.parse_args()
    gdal.UseExceptions()
    print(describe())
    scene, output = arguments.folder / "scene.bil", arguments.folder / "scores.tif"
    if not scene.exists():
        make_raster(scene, arguments.rows, arguments.cols, arguments.bands, seed=0)
    timed(scene, output, threads=1)
    alone, plain = timed(scene, output, threads=1)
    print(f"plain, 1 thread             {alone:7.2f} s")
    digests = set()
    with workers(1) as cluster:
        timed(scene, output, scheduler=cluster.scheduler_address)
        one, scores = timed(scene, output, scheduler=cluster.scheduler_address)
        digests.add(digest(scores))
        np.testing.assert_allclose(scores, plain, rtol=0.0, atol=1e-6 * plain.max())
        print(f"1 worker                    {one:7.2f} s   overhead {100 * (one / alone - 1):.1f} %")
    with workers(2) as cluster:
        timed(scene, output, scheduler=cluster.scheduler_address)
        two, scores = timed(scene, output, scheduler=cluster.scheduler_address)
        digests.add(digest(scores))
        print(f"2 workers                   {two:7.2f} s   speed-up {one / two:.2f}")
        seconds, most = bare_tasks(cluster, arguments.tasks)
        print(
            f"{arguments.tasks} bare tasks, 2 workers   {seconds:7.2f} s   {arguments.tasks / seconds:.0f} a second, "
            f"{1e3 * seconds / arguments.tasks:.2f} ms each, at most {most} known to the scheduler"
        )
        killer = KillHalfWay(next(worker.pid for worker in cluster.workers.values()))
        killed, scores = timed(scene, output, scheduler=cluster.scheduler_address, progress=killer)
        digests.add(digest(scores))
        assert killer.done
        print(f"2 workers, one killed       {killed:7.2f} s")
    assert len(digests) == 1, digests
    print(f"one result: sha256 {digests.pop()}...")


if __name__ == "__main__":
    main()
