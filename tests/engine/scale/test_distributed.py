"""Detection and enhancement on a LocalCluster of real processes: the scores of one machine, whatever the workers do."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np
import pytest
from osgeo import gdal

from ferd_engine import DetectOptions, detect, detect_raster, enhance_raster, open_model
from ferd_engine.batch import run_batch
from ferd_engine.context import RunContext
from ferd_engine.detectors import DETECTORS, make_detector
from ferd_engine.errors import FerdError, InputError, RunError, UsageError
from ferd_engine.fen.bundle import save_model
from ferd_engine.scale import tasks
from ferd_engine.scale.address import parse_scheduler
from ferd_engine.scale.cluster import Cluster
from ferd_engine.scale.reach import halo_of
from ferd_engine.scale.score_tasks import Term, map_strip
from ferd_engine.scale.start import open_cluster
from ferd_engine.scale.strips import strips
from ferd_engine.statistics import Moments
from ferd_engine.windows import Window

from ..rasters import cube, read_scores, write_tiff
from .conftest import Once, local_cluster

distributed = pytest.importorskip("distributed", reason="the extra scale is not installed")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = cube(301, 23, 60)
    values[60:70, 4:9] = -9999.0
    values[:, 20, 3] = -9999.0
    return write_tiff(tmp_path_factory.mktemp("scene") / "scene.tif", values, nodata=-9999)


def left_over(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


CASES = [
    {"enhance": False},
    {"enhance": False, "covariance": "pca:9"},
    {"enhance": False, "mean": "local", "outer": 9},
    {"enhance": False, "detector": "utd", "covariance": "oas"},
    {"enhance": False, "detector": "rxd-utd"},
    {"enhance": False, "covariance": "ledoit-wolf"},
    {"enhance": False, "preset": "balanced"},
    {"enhance": False, "covariance": "trimmed:20", "mean": "local", "outer": 9},
    {"enhance": False, "detector": "utd", "covariance": "trimmed:5"},
    {"enhance": False, "detector": "fusion", "components": "raw:qlrx,raw:grx:ledoit-wolf", "bands": "1-9"},
    {"enhance": False, "detector": "slrx"},
    {"enhance": False, "detector": "slrx", "block": 3, "bands": "1-9"},
    {"enhance": False, "detector": "lrx", "inner": 3, "outer": 9, "covariance": "oas", "bands": "1-8"},
    {"enhance": False, "detector": "crd", "inner": 3, "outer": 7, "bands": "1-8"},
    {"enhance": False, "detector": "qlrx", "inner": 3, "outer": 7, "bands": "1-8"},
    {"enhance": False, "detector": "aed", "covariance": "pca:4"},
    {"model": "fen-50", "backend": "numpy"},
    {"model": "fen-50", "backend": "numpy", "detector": "slrx", "scaling": "percentile"},
    {"model": "fen-50", "backend": "numpy", "covariance": "ledoit-wolf"},
    {"model": "fen-50", "backend": "numpy", "preset": "best"},
    {"model": "fen-50", "backend": "numpy", "detector": "fusion", "components": "fen:grx:oas,fen:qlrx"},
]


@pytest.mark.parametrize("options", CASES, ids=lambda options: "-".join(str(value) for value in options.values()))
def test_scores_are_those_of_one_machine(workers: Any, scene: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    plain = read_scores(detect_raster(scene, tmp_path / "plain.tif", threads=1, **options).output)
    report = detect_raster(scene, tmp_path / "out.tif", scheduler=workers.scheduler_address, **options)
    scores = read_scores(report.output)
    np.testing.assert_array_equal(np.isnan(scores), np.isnan(plain))
    # The network computes in float32, and a strip's edge changes the order of its sums.
    tolerance = 1e-6 if options.get("enhance") is False else 1e-5
    np.testing.assert_allclose(scores, plain, rtol=tolerance, atol=tolerance * np.nanmax(np.abs(plain)))
    assert left_over(tmp_path) == ["out.tif", "plain.tif"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"detector": "lrx", "inner": 3, "outer": 9},
        {"covariance": "pca:4"},
        {"covariance": "trimmed:5"},
        {"detector": "utd"},
        {"detector": "fusion", "components": "raw:grx,raw:qlrx"},
    ],
)
def test_a_pixel_that_outshines_all_is_left_out_as_on_one_machine(
    workers: Any, tmp_path: Path, options: dict[str, Any]
) -> None:
    values = cube(301, 23, 6)
    values[150, 7] *= 1e9
    path = write_tiff(tmp_path / "hot.tif", values)
    plain = detect_raster(path, tmp_path / "plain.tif", threads=1, enhance=False, **options)
    apart = detect_raster(path, tmp_path / "out.tif", scheduler=workers.scheduler_address, enhance=False, **options)
    assert any("would hide them" in warning for warning in plain.warnings)
    assert set(apart.warnings) == set(plain.warnings)
    np.testing.assert_allclose(read_scores(apart.output), read_scores(plain.output), rtol=1e-6)


def test_a_fusion_with_slrx_is_that_of_one_machine_where_slrx_is_not_0(
    workers: Any, scene: Path, tmp_path: Path
) -> None:
    # The smallest value of a map is 0 but for its rounding, of which a logarithm makes anything.
    options = {"enhance": False, "detector": "fusion", "components": "raw:slrx,raw:grx:oas", "bands": "1-9"}
    plain = read_scores(detect_raster(scene, tmp_path / "plain.tif", threads=1, **options).output)
    report = detect_raster(scene, tmp_path / "out.tif", scheduler=workers.scheduler_address, **options)
    scores = read_scores(report.output)
    apart = ~np.isclose(scores, plain, rtol=1e-6, atol=1e-5, equal_nan=True)
    assert apart.sum() <= 3
    assert (plain[apart] < np.nanpercentile(plain, 0.1)).all()


@pytest.mark.parametrize(
    "options",
    [
        {"enhance": False},
        {"enhance": False, "covariance": "ledoit-wolf"},
        {"enhance": False, "preset": "balanced"},
        {"model": "fen-50", "backend": "numpy", "preset": "best"},
    ],
    ids=["fast", "ledoit-wolf", "balanced", "best"],
)
def test_scores_do_not_depend_on_the_number_of_workers(
    workers: Any, scene: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    two = detect_raster(scene, tmp_path / "two.tif", scheduler=workers.scheduler_address, **options)
    with local_cluster(n_workers=1) as cluster:
        one = detect_raster(scene, tmp_path / "one.tif", scheduler=cluster.scheduler_address, **options)
    np.testing.assert_array_equal(read_scores(two.output), read_scores(one.output))


def test_enhanced_cube_is_that_of_one_machine(workers: Any, scene: Path, tmp_path: Path) -> None:
    options = {"model": "fen-50", "backend": "numpy"}
    plain = gdal.Open(enhance_raster(scene, tmp_path / "plain.tif", **options).output).ReadAsArray()
    report = enhance_raster(scene, tmp_path / "out.tif", scheduler=workers.scheduler_address, **options)
    # Strips group their rows otherwise, so that some are filtered by six and some by four: other last digits.
    largest = float(np.abs(plain[plain != -9999.0]).max())
    np.testing.assert_allclose(gdal.Open(report.output).ReadAsArray(), plain, rtol=0.0, atol=1e-6 * largest)


def test_mask_and_threshold_go_with_it(workers: Any, scene: Path, tmp_path: Path) -> None:
    mask = np.ones((301, 23, 1), dtype="uint8")
    mask[100:140] = 0
    write_tiff(tmp_path / "mask.tif", mask)
    options = {"enhance": False, "mask": str(tmp_path / "mask.tif"), "threshold": "count:7"}
    plain = detect_raster(scene, tmp_path / "plain.tif", **options)
    found = detect_raster(scene, tmp_path / "out.tif", scheduler=workers.scheduler_address, **options)
    assert (found.n_anomalies, found.valid_pixels) == (7, plain.valid_pixels)
    assert found.threshold == pytest.approx(plain.threshold, rel=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"enhance": False},
        {"enhance": False, "covariance": "oas"},
        {"enhance": False, "mean": "local", "outer": 9},
        {"enhance": False, "detector": "utd"},
        {"enhance": False, "covariance": "ledoit-wolf"},
        {"enhance": False, "preset": "balanced"},
        {"enhance": False, "detector": "qlrx", "inner": 3, "outer": 7, "bands": "1-8"},
        {"enhance": False, "detector": "lrx", "inner": 3, "outer": 9, "covariance": "oas", "bands": "1-8"},
        {"enhance": False, "detector": "aed", "covariance": "pca:4"},
        {"model": "fen-50", "backend": "numpy"},
        {"model": "fen-50", "backend": "numpy", "preset": "best"},
    ],
    ids=lambda options: "-".join(str(value) for value in options.values()),
)
def test_a_background_goes_with_it(workers: Any, scene: Path, tmp_path: Path, options: dict[str, Any]) -> None:
    flags = np.zeros((301, 23, 1), dtype="uint8")
    flags[50:220, 3:17] = 1
    options = {**options, "background": str(write_tiff(tmp_path / "flags.tif", flags))}
    plain = read_scores(detect_raster(scene, tmp_path / "plain.tif", threads=1, **options).output)
    report = detect_raster(scene, tmp_path / "out.tif", scheduler=workers.scheduler_address, **options)
    tolerance = 1e-6 if options.get("enhance") is False else 1e-5
    np.testing.assert_allclose(
        read_scores(report.output), plain, rtol=tolerance, atol=tolerance * np.nanmax(np.abs(plain))
    )
    options.pop("background")
    without = read_scores(detect_raster(scene, tmp_path / "without.tif", threads=1, **options).output)
    assert np.nanmax(np.abs(without - plain)) > 1e-3 * np.nanmax(np.abs(plain))


def test_a_background_that_fits_not_is_said_as_on_one_machine(workers: Any, scene: Path, tmp_path: Path) -> None:
    flags = np.zeros((301, 23, 1), dtype="uint8")
    flags[50:52, :5] = 1
    few = str(write_tiff(tmp_path / "few.tif", flags))
    other = str(write_tiff(tmp_path / "other.tif", flags[:300]))
    for background, said in ((few, "holds 10 valid pixels of the input"), (other, "other.tif")):
        for scheduler in (None, workers.scheduler_address):
            with pytest.raises(InputError, match=said):
                detect_raster(scene, tmp_path / "out.tif", enhance=False, background=background, scheduler=scheduler)
    assert left_over(tmp_path) == ["few.tif", "other.tif"]


def test_gross_pixels_of_a_background_are_left_out_as_on_one_machine(workers: Any, tmp_path: Path) -> None:
    values = cube(301, 23, 6)
    values[150, 7] *= 1e9
    flags = np.zeros((301, 23, 1), dtype="uint8")
    flags[50:220, 3:17] = 1
    options = {"enhance": False, "background": str(write_tiff(tmp_path / "flags.tif", flags))}
    path = write_tiff(tmp_path / "hot.tif", values)
    plain = detect_raster(path, tmp_path / "plain.tif", threads=1, **options)
    apart = detect_raster(path, tmp_path / "out.tif", scheduler=workers.scheduler_address, **options)
    assert any("would hide them" in warning for warning in plain.warnings)
    assert set(apart.warnings) == set(plain.warnings)
    np.testing.assert_allclose(read_scores(apart.output), read_scores(plain.output), rtol=1e-6)


@pytest.mark.parametrize(
    ("fraction", "options"),
    [
        (0.02, {"enhance": False}),
        (0.55, {"enhance": False}),
        (0.3, {"model": "fen-50", "backend": "numpy"}),
        (0.55, {"enhance": False, "preset": "balanced"}),
        (0.72, {"enhance": False, "preset": "balanced"}),
        (0.6, {"model": "fen-50", "backend": "numpy", "preset": "best"}),
    ],
    ids=["statistics", "scores", "enhancing", "distances", "trimming", "fusion"],
)
def test_a_killed_worker_changes_nothing(scene: Path, tmp_path: Path, fraction: float, options: dict[str, Any]) -> None:
    with local_cluster() as cluster:
        options = {**options, "scheduler": cluster.scheduler_address}
        whole = detect_raster(scene, tmp_path / "whole.tif", **options)
        killer = kill_at(fraction, next(worker.pid for worker in cluster.workers.values()))
        killed = detect_raster(scene, tmp_path / "killed.tif", progress=killer, **options)
    assert killer.done
    # A strip that was computed twice is counted once: the same pixels, and the same scores to the last bit.
    assert killed.valid_pixels == whole.valid_pixels
    np.testing.assert_array_equal(read_scores(killed.output), read_scores(whole.output))
    assert left_over(tmp_path) == ["killed.tif", "whole.tif"]


def test_a_worker_that_stands_still_for_a_while_changes_nothing(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ferd_engine.scale.cluster._RESULT_SECONDS", 1)
    with local_cluster() as cluster:
        options = {"enhance": False, "scheduler": cluster.scheduler_address}
        whole = detect_raster(scene, tmp_path / "whole.tif", **options)
        pid = next(worker.pid for worker in cluster.workers.values())
        halt = halt_at(0.02, pid, seconds=4.0)
        slow = detect_raster(scene, tmp_path / "slow.tif", progress=halt, **options)
    assert halt.done
    assert slow.valid_pixels == whole.valid_pixels
    np.testing.assert_array_equal(read_scores(slow.output), read_scores(whole.output))


def kill_at(fraction: float, pid: int) -> Once:
    """Kill a process outright once so much of a run is done."""
    return Once(fraction, lambda: os.kill(pid, signal.SIGKILL))


def halt_at(fraction: float, pid: int, seconds: float) -> Once:
    """Halt a process for some seconds once so much of a run is done."""

    def halt() -> None:
        os.kill(pid, signal.SIGSTOP)
        Timer(seconds, os.kill, (pid, signal.SIGCONT)).start()

    return Once(fraction, halt)


def test_merged_results_stay_as_they_are_for_a_second_call() -> None:
    parts = []
    for start in range(3):
        parts.append(Moments(4))
        parts[-1].add(cube(5, 3, 4, seed=start).reshape(-1, 4))
    first, second = tasks.merged(parts), tasks.merged(parts)
    assert [part.count for part in parts] == [15, 15, 15]
    assert first.count == second.count == 45
    np.testing.assert_array_equal(first.covariance(), second.covariance())


def test_a_strip_that_fails_holds_no_scratch_cube(scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, make = [], RunContext.scratch_cube

    def kept(*arguments: Any) -> Any:
        made.append(make(*arguments))
        return made[-1]

    monkeypatch.setattr(RunContext, "scratch_cube", kept)
    job = tasks.Job("fails", str(scene), DetectOptions(enhance=False, threads=1), tmp_path, numbers=(1, 2, 3))
    term = Term(job, make_detector("slrx"), background=tmp_path / "gone.npz", folder=tmp_path)
    with pytest.raises(FileNotFoundError):
        map_strip(term, (0, 64), 8)
    assert len(made) == 1
    with pytest.raises(RunError, match="used after it was closed"):
        made[0].read_values(Window(0, 1, 0, 1))


def test_few_tasks_are_known_to_the_scheduler(workers: Any) -> None:
    from ferd_engine.progress import ProgressSpan, SilentProgress

    with distributed.Client(workers, direct_to_workers=True, set_as_default=False) as client:
        cluster = Cluster(client, "test")
        most = 0

        def graph_of(index: int) -> tuple[dict[str, Any], str]:
            return {f"few-{index}": (abs, -index)}, f"few-{index}"

        spans = workers.scheduler.extensions["spans"]
        before = n_words(spans)
        for index, value in enumerate(
            cluster.results(graph_of, 300, ProgressSpan(SilentProgress(), 0.0, 1.0), "Counting")
        ):
            assert value == index
            most = max(most, len(workers.scheduler.tasks))
        assert 0 < most <= 16
        # What the scheduler keeps of each message for good.
        assert n_words(spans) - before <= 300 / 4


def n_words(spans: Any) -> int:
    return sum(len(span.metadata["collections"]) for span in spans.spans.values() if span.metadata)


def test_a_failed_window_is_one_sentence(workers: Any, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "cut.tif", cube(301, 23, 9), "COMPRESS=DEFLATE", "BLOCKYSIZE=16")
    with open(path, "rb+") as file:
        # As long as before, so that only who reads these rows finds out.
        file.seek(path.stat().st_size // 2)
        file.write(bytes(20000))
    with pytest.raises(FerdError, match=r"Cannot read rows .* of .*cut\.tif") as failed:
        detect_raster(path, tmp_path / "out.tif", scheduler=workers.scheduler_address, enhance=False)
    assert "\n" not in str(failed.value)
    assert left_over(tmp_path) == ["cut.tif"]


def test_a_lost_scheduler_is_one_sentence(scene: Path, tmp_path: Path) -> None:
    with scheduler_and_worker() as (address, processes):
        killer = kill_at(0.3, processes[0].pid)
        with pytest.raises(RunError, match="was lost during the run") as failed:
            detect_raster(scene, tmp_path / "out.tif", scheduler=address, enhance=True, model="fen-50", progress=killer)
    assert killer.done
    assert "\n" not in str(failed.value)
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    ("status", "sentence"), [("connecting", "was lost"), ("closed", "was lost"), ("running", "full disk")]
)
def test_errors_of_a_client_without_scheduler_are_not_put_on_a_worker(status: str, sentence: str) -> None:
    class Client:
        def run(self, *_arguments: Any, **_options: Any) -> None:
            raise OSError("Timed out trying to connect" if status != "running" else "full disk")

    client = Client()
    client.status = status
    with pytest.raises(RunError, match=sentence):
        Cluster(client, "tcp://somewhere").check_workers(str)


@contextmanager
def scheduler_and_worker(**environment: str) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Start a scheduler and a worker as a user does, in processes of their own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    host = ["--host", "127.0.0.1"]
    scheduler = ["dask_scheduler", *host, "--port", address.rsplit(":", 1)[1], "--dashboard-address", "127.0.0.1:0"]
    worker = ["dask_worker", address, *host, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    processes = []
    try:
        for command in (scheduler, worker):
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", f"distributed.cli.{command[0]}", *command[1:]],
                    env={**os.environ, **environment},
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            )
        yield address, processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_a_worker_without_the_model_is_one_sentence(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FERD_MODELS", str(tmp_path / "models"))
    save_model(replace(open_model("fen-50"), name="mine"), tmp_path / "models" / "mine")
    with scheduler_and_worker(FERD_MODELS=str(tmp_path / "none")) as (address, _), pytest.raises(FerdError) as failed:
        detect_raster(scene, tmp_path / "out.tif", scheduler=address, model="mine")
    assert "mine" in str(failed.value)
    assert "\n" not in str(failed.value)
    assert left_over(tmp_path) == ["models"]


def test_a_local_cluster_leaves_the_environment_as_it_was(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = dict(os.environ)
    detect_raster(scene, tmp_path / "score.tif", enhance=False, scheduler="local:1")
    assert dict(os.environ) == before


def test_a_batch_without_dask_is_not_begun(scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FerdError, match="needs the package distributed"):
        run_batch(scene, tmp_path / "out", enhance=False, scheduler="local:1")
    assert not (tmp_path / "out").exists()


def test_no_scheduler_is_one_sentence(scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ferd_engine.scale.start._CONNECT_SECONDS", 1)
    with pytest.raises(RunError, match=r"No scheduler answers at tcp://127\.0\.0\.1:9"):
        detect_raster(scene, tmp_path / "out.tif", scheduler="tcp://127.0.0.1:9", enhance=False)
    assert left_over(tmp_path) == []


def test_no_worker_is_one_sentence(scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ferd_engine.scale.start._WORKER_SECONDS", 1)
    with local_cluster(n_workers=0) as cluster, pytest.raises(RunError, match="has no worker after 1 seconds"):
        detect_raster(scene, tmp_path / "out.tif", scheduler=cluster.scheduler_address, enhance=False)
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (OSError("Timed out trying to connect"), RunError, "was lost before its workers were there"),
        # A mistake of this program must not be told as one of the cluster.
        (AttributeError("n_workers"), AttributeError, "n_workers"),
    ],
)
def test_what_fails_while_workers_are_awaited(
    raised: Exception, kind: type[Exception], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Client(nullcontext):  # type: ignore[type-arg]
        def __init__(self, *_arguments: Any, **_options: Any) -> None:
            super().__init__(self)

        def wait_for_workers(self, *_arguments: Any, **_options: Any) -> None:
            raise raised

    monkeypatch.setattr(distributed, "Client", Client)
    with pytest.raises(kind, match=said), open_cluster("tcp://somewhere:8786"):
        pass


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"background": "roi.tif", "detector": "slrx"}, "'slrx' with these options takes its background from around"),
        ({"detector": "fusion", "components": "raw:grx", "enhance": True}, "No component of the fusion reads"),
        ({"scheduler": "local:0"}, "'local:0' is none"),
        ({"scheduler": "host:8786"}, "'host:8786' is none"),
    ],
)
def test_what_cannot_be_done_is_refused_before_it_is_begun(
    scene: Path, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        detect_raster(scene, tmp_path / "out.tif", **{"scheduler": "local:1", "enhance": False, **options})
    assert refused.value.exit_code == 2
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("name", sorted(set(DETECTORS) - {"fusion", "slrx"}))
def test_it_is_known_how_far_a_detector_looks(name: str) -> None:
    # Those two have passes of their own.
    assert halo_of(make_detector(name), n_bands=9) >= 0


def test_arrays_are_refused() -> None:
    with pytest.raises(UsageError, match="use detect_raster"):
        detect(cube(9, 7, 4), enhance=False, scheduler="local:1")


def test_dask_is_not_loaded_without_the_option(scene: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from ferd_engine.cli import main; main(sys.argv[1:]); "
        "sys.exit(any(name.split('.')[0] in ('dask', 'distributed') for name in sys.modules))"
    )
    arguments = ["detect", str(scene), str(tmp_path / "out.tif"), "--no-enhance", "--json"]
    assert subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, check=False).returncode == 0


def test_the_command_says_nothing_of_the_clusters_own_affairs(scene: Path, tmp_path: Path) -> None:
    arguments = ["detect", str(scene), str(tmp_path / "out.tif"), "--no-enhance", "--scheduler", "local:1", "--json"]
    run = subprocess.run(
        [sys.executable, "-m", "ferd_engine", *arguments], capture_output=True, text=True, check=True, timeout=120
    )
    assert [line for line in run.stderr.splitlines() if line.startswith("ferd:")] == []


@pytest.mark.parametrize("step", [2, 12, 64])
def test_strips_cover_the_image_once(step: int) -> None:
    for n_rows in (1, 63, 64, 1000):
        parts = strips(n_rows, 1 << 20, step=step)
        assert [row for start, stop in parts for row in range(start, stop)] == list(range(n_rows))
        assert all(start % step == 0 for start, _ in parts)


def test_addresses() -> None:
    assert parse_scheduler("local:3").n_local == 3
    assert parse_scheduler("tcp://10.0.0.1:8786").url == "tcp://10.0.0.1:8786"
