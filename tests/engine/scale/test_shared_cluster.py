"""Runs that share a cluster at the same time: each gets its own results."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np

from ferd_engine import detect_raster
from ferd_engine.context import RunContext
from ferd_engine.scale.cluster import Cluster
from ferd_engine.scale.passes import Passes

from ..rasters import cube, read_scores, write_tiff
from .conftest import Once


def test_two_runs_at_a_time_do_not_take_each_others_results(workers: Any, tmp_path: Path) -> None:
    scenes = [write_tiff(tmp_path / f"scene{seed}.tif", cube(301, 23, 9, seed=seed)) for seed in range(2)]
    # The runs wait for each other once each is at work.
    barrier = Barrier(2)

    def run(path: Path) -> np.ndarray:
        report = detect_raster(
            path,
            path.with_suffix(".out.tif"),
            enhance=False,
            scheduler=workers.scheduler_address,
            progress=Once(0.01, lambda: barrier.wait(60.0)),
        )
        return read_scores(report.output)

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(run, scenes))
    for path, scores in zip(scenes, found):
        plain = read_scores(detect_raster(path, path.with_suffix(".plain.tif"), enhance=False).output)
        np.testing.assert_allclose(scores, plain, rtol=1e-6)


def test_no_two_calls_have_one_name(workers: Any) -> None:
    from distributed import Client

    with Client(workers, direct_to_workers=True, set_as_default=False) as client:
        runs = [Passes(Cluster(client, "test"), RunContext()) for _ in range(2)]
        # Both have handed out their calls before either takes a result.
        under_way = [run.each(abs, [(-10 * (index + 1) - i,) for i in range(20)], "") for index, run in enumerate(runs)]
        first = [next(results) for results in under_way]
        assert first == [10, 20]
        assert [list(results) for results in under_way] == [list(range(11, 30)), list(range(21, 40))]


def test_results_are_merged_by_raster_in_their_order(workers: Any) -> None:
    from distributed import Client

    from ferd_engine.statistics import Moments

    def moments_of(seed: int) -> Moments:
        moments = Moments(2)
        moments.add(np.random.default_rng(seed).normal(size=(3, 2)))
        return moments

    with Client(workers, direct_to_workers=True, set_as_default=False) as client:
        passes = Passes(Cluster(client, "test"), RunContext())
        sizes = [1, 8, 9, 20]
        calls = [[(100 * index + i,) for i in range(size)] for index, size in enumerate(sizes)]
        found = list(passes.reduced_each(moments_of, calls, ""))
        assert [moments.count for moments in found] == [3 * size for size in sizes]
        for moments, seeds in zip(found, calls):
            pixels = np.concatenate([np.random.default_rng(*seed).normal(size=(3, 2)) for seed in seeds])
            np.testing.assert_allclose(moments.covariance(), np.cov(pixels.T), rtol=1e-12)
