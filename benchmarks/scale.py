"""GRX on dask.distributed workers beside GRX without them: overhead, a worker killed outright, bare tasks.

    python benchmarks/scale.py FOLDER [--rows 4000] [--cols 2000] [--bands 100] [--workers 1 2] [--rounds 2]
    python benchmarks/scale.py FOLDER --workers --tasks 1000000

FOLDER gets the seeded int16 raster of make_raster.py (1.6 GB at the default size) unless it is there. All runs, with
and without workers, may use all CPUs; the cluster is up before the clock starts. The distributed runs must give the
same scores to the last bit, also where a worker is killed half-way, and those of the plain run within 1e-6 of the
largest, or the benchmark fails. With --tasks: what a task costs by itself, and whether client and scheduler grow.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import dask
import numpy as np
import psutil
from distributed import Client, LocalCluster
from machine import describe
from make_raster import make_raster
from osgeo import gdal

from ferd_engine import detect_raster
from ferd_engine.progress import ProgressSpan, SilentProgress
from ferd_engine.scale.cluster import Cluster
from ferd_engine.scale.start import SETTINGS, threads_per_worker


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
    """Start workers that use all CPUs together, as `--scheduler local:N` does."""
    dask.config.set(SETTINGS)
    before = dict(os.environ)
    cluster = LocalCluster(
        n_workers=count,
        threads_per_worker=threads_per_worker(count, None),
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        memory_limit=0,
        silence_logs=50,
    )
    # The nannies set OMP_NUM_THREADS=1 here too, which would leave the plain runs one thread.
    for name in set(os.environ) - set(before):
        del os.environ[name]
    return cluster


def timed(scene: Path, output: Path, **options: Any) -> tuple[float, np.ndarray]:
    started = time.perf_counter()
    detect_raster(scene, output, enhance=False, overwrite=True, **options)
    return time.perf_counter() - started, gdal.Open(str(output)).ReadAsArray()


def digest(scores: np.ndarray) -> str:
    return hashlib.sha256(scores.tobytes()).hexdigest()[:16]


def bare_tasks(cluster: LocalCluster, count: int) -> str:
    """Time tasks that do nothing, and note the most that the scheduler knew of and what its memory grew by.

    The scheduler runs in this process, beside the client. Memory is read after a tenth of the tasks and at the end.
    """
    most, early, process = 0, 0, psutil.Process()
    with Client(cluster, direct_to_workers=True, set_as_default=False) as client:
        started = time.perf_counter()
        results = Cluster(client, "benchmark").results(
            lambda index: ({f"bare-{count}-{index}": (abs, -index)}, f"bare-{count}-{index}"),
            count,
            ProgressSpan(SilentProgress(), 0.0, 1.0),
            "Bare tasks",
        )
        for index, value in enumerate(results):
            assert value == index
            most = max(most, len(cluster.scheduler.tasks))
            if index == count // 10:
                early = process.memory_info().rss
        seconds, late = time.perf_counter() - started, process.memory_info().rss
    return (
        f"{count} bare tasks on 2 workers: {seconds:.1f} s, {count / seconds:.0f} a second, "
        f"{1e3 * seconds / count:.2f} ms each, at most {most} known to the scheduler; "
        f"client and scheduler {early / 1e6:.0f} MB after a tenth, {late / 1e6:.0f} MB at the end"
    )


def compare(scene: Path, output: Path, count: int, rounds: int) -> None:
    """Time runs with and without workers in turn; then, if there are several, one that loses a worker half-way."""
    with workers(count) as cluster:
        address = cluster.scheduler_address
        plain, apart, digests = [], [], set()
        # Once each before the clock counts: the file comes into the page cache, and the workers load their modules.
        for options in ({}, {"scheduler": address}):
            timed(scene, output, **options)
        for _ in range(rounds):
            seconds, expected = timed(scene, output)
            plain.append(seconds)
            seconds, scores = timed(scene, output, scheduler=address)
            apart.append(seconds)
            digests.add(digest(scores))
        np.testing.assert_allclose(scores, expected, rtol=0.0, atol=1e-6 * expected.max())
        alone, shared = min(plain), min(apart)
        print(f"plain {spread(plain)}   {count} workers {spread(apart)}   overhead {100 * (shared / alone - 1):+.1f} %")
        if count > 1:
            killer = KillHalfWay(next(worker.pid for worker in cluster.workers.values()))
            seconds, scores = timed(scene, output, scheduler=address, progress=killer)
            digests.add(digest(scores))
            assert killer.done
            print(f"{count} workers, one killed {seconds:.2f} s")
    assert len(digests) == 1, digests
    print(f"one result: sha256 {digests.pop()}...")


def spread(seconds: list[float]) -> str:
    return f"{min(seconds):.2f} s (to {max(seconds):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--cols", type=int, default=2000)
    parser.add_argument("--bands", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--tasks", type=int, default=0, help="time so many bare tasks too")
    arguments = parser.parse_args()
    gdal.UseExceptions()
    print(describe())
    scene, output = arguments.folder / "scene.bil", arguments.folder / "scores.tif"
    if arguments.workers and not scene.exists():
        make_raster(scene, arguments.rows, arguments.cols, arguments.bands, seed=0)
    for count in arguments.workers:
        compare(scene, output, count, arguments.rounds)
    if arguments.tasks:
        with workers(2) as cluster:
            print(bare_tasks(cluster, arguments.tasks))


if __name__ == "__main__":
    main()
