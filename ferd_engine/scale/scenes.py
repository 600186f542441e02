"""The rasters of a batch on a cluster: each as a whole on one worker where there are many, else strip by strip."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from .._version import __version__
from ..errors import FerdError
from ..fen.store import find_model
from ..options import LEAST_MEMORY_BYTES, EnhanceOptions
from ..progress import Progress
from .address import parse_scheduler
from .cluster import Cluster
from .start import local_cluster, open_cluster, task_options, threads_per_worker
from .strips import absolute

# Rasters in hand per task that the workers do at a time, so that none waits for the client.
_PER_TASK = 2


@dataclass(frozen=True)
class Share:
    """How a batch uses a cluster.

    options : of each raster, of which `scheduler` names the cluster where rasters are cut into strips. strips : the
    options of a run in strips on it. scenes : does a raster elsewhere, where each is a task of its own. at_a_time : how
    many rasters are in hand.
    """

    options: EnhanceOptions
    strips: EnhanceOptions
    scenes: Scenes | None = None
    at_a_time: int = 1


@contextmanager
def shared_cluster(options: EnhanceOptions, n_rasters: int, folder: Path) -> Iterator[Share]:
    """Give the cluster of a batch: one for all of its rasters.

    Whole rasters are tasks where each worker gets one, since they wait for nothing but the file. Fewer rasters are cut
    into strips, one after the other.
    """
    address = parse_scheduler(options.scheduler or "")
    if not address.n_local:
        with open_cluster(address.url) as cluster:
            if n_rasters >= cluster.n_threads:
                task = replace(options, threads=options.threads or 1)
                with _scenes(cluster, task, folder) as scenes:
                    yield Share(options, options, scenes, _PER_TASK * cluster.n_threads)
            else:
                yield Share(options, options)
        return
    n_local = address.n_local
    if n_rasters < n_local:
        with local_cluster(n_local, threads_per_worker(n_local, options.threads)) as url:
            of_task = replace(task_options(options), scheduler=url)
            yield Share(of_task, of_task)
        return
    # A raster has all threads of its worker, as it would have those of a machine.
    threads = threads_per_worker(n_local, options.threads)
    memory = max(options.budget_bytes // n_local, LEAST_MEMORY_BYTES)
    task = replace(options, threads=threads, memory=str(memory))
    with (
        local_cluster(n_local, 1) as url,
        open_cluster(url) as cluster,
        _scenes(cluster, task, folder) as scenes,
    ):
        yield Share(options, replace(task, scheduler=url), scenes, _PER_TASK * n_local)


class Scenes:
    """Has rasters done by workers, each as a whole."""

    def __init__(self, cluster: Cluster, options: EnhanceOptions, cancel: Path) -> None:
        self._cluster, self._options, self._cancel = cluster, options, cancel

    def run_job(
        self, input: str, output: str, task: str, options: dict[str, Any], progress: Progress
    ) -> dict[str, Any]:
        """Do what `batch.jobs.run_job` does; called in several threads at once."""
        own = {
            "scheduler": None,
            "threads": self._options.threads,
            "memory": self._options.memory,
            # A worker that died may have put the result in its place already; others' files were looked for before.
            "overwrite": True,
            **_everywhere(options),
        }

        def poll() -> None:
            if progress.cancelled():
                with suppress(OSError):
                    self._cancel.touch()

        key = f"ferd-scene-{uuid4().hex}"
        done: dict[str, Any] = self._cluster.result(
            key, poll, run_scene, input, output, task, {**options, **own}, str(self._cancel)
        )
        return done


def run_scene(input: str, output: str, task: str, options: dict[str, Any], cancel: str) -> dict[str, Any]:
    """Do one raster on a worker; it stops once the file `cancel` is there."""
    from ..batch.jobs import run_job

    return run_job(input, output, task, options, _Asked(Path(cancel)))


def check_scene_worker(folder: Path, version: str, model: str | None, sha256: str) -> str:
    """Say what keeps this worker from taking part; nothing where it can."""
    if __version__ != version:
        return f"it has FERD {__version__} and not {version}"
    if not folder.is_dir():
        return f"it does not see the output's folder {folder}, which all workers must share"
    if model is not None:
        try:
            if find_model(model).sha256 != sha256:
                return f"its model {model} has other weights than here"
        except FerdError as error:
            return str(error)
    return ""


class _Asked:
    """Cancel by a file, which all workers see."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def update(self, fraction: float, message: str) -> None:
        """Drop the report: the batch counts rasters."""

    def cancelled(self) -> bool:
        """Say whether the file is there."""
        return self._path.exists()


@contextmanager
def _scenes(cluster: Cluster, options: EnhanceOptions, folder: Path) -> Iterator[Scenes]:
    places = _everywhere(asdict(options))
    model = places.get("model")
    sha256 = "" if model is None else find_model(model).sha256
    cluster.check_workers(check_scene_worker, folder, __version__, model, sha256)
    cancel = folder / f"cancel-{uuid4().hex}"
    try:
        yield Scenes(cluster, options, cancel)
    finally:
        with suppress(OSError):
            cancel.unlink(missing_ok=True)


def _everywhere(options: dict[str, Any]) -> dict[str, str]:
    """Return the options that name files, by paths that do not depend on the current folder."""
    names = ("model", "mask", "background", "background_of")
    return {name: absolute(options[name]) for name in names if options.get(name) is not None}
