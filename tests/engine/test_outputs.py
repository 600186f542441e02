"""Output is whole or absent: cancel, failure, overwrite, scratch of killed and of living runs, refused targets."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import Any, Callable

import numpy as np
import pytest
from osgeo import gdal

import ferd_engine.outputs
import ferd_engine.pipeline
import ferd_engine.plan
import ferd_engine.runs
from ferd_engine import detect_raster, enhance_raster
from ferd_engine.errors import Cancelled, OutputError, RunError
from ferd_engine.fen.bundle import Model
from ferd_engine.outputs import OutputFolder
from ferd_engine.raster.writer import RasterWriter

from .detectors.arrays import RecordingProgress
from .rasters import cube, read_scores, write_envi, write_tiff

DOORS: dict[str, Callable[..., Any]] = {"detect": detect_raster, "enhance": enhance_raster}


def contents(folder: Path) -> dict[str, str]:
    """Return name and hash of every file below a folder, hidden ones included."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return write_tiff(folder / "scene.tif", cube(60, 41, 8, "int16"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("scan", "features"):
        monkeypatch.setattr(f"ferd_engine.{module}.block_shape", lambda *_: (16, 16))


@pytest.mark.parametrize("name", ["out.tif", "out.bsq", "out.hdr"])
@pytest.mark.parametrize("door", DOORS)
def test_cancel_at_any_time_leaves_everything_as_it_was(
    door: str, name: str, scene: Path, folder: Path, small_model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_blocks(monkeypatch)
    options = {"model": small_model.folder, "backend": "numpy"}
    DOORS[door](scene, folder / name, **options, bands="8,1-7")
    (folder / "other.txt").write_text("other")
    inputs, before = contents(scene.parent), contents(folder)
    progress = RecordingProgress()
    reference = scene.with_name("reference.tif")
    DOORS[door](scene, reference, **options, progress=progress)
    reference.unlink()
    n_reports = len(progress.fractions)
    assert n_reports > 12
    for after in range(1, n_reports + 1, max(n_reports // 12, 1)):
        with pytest.raises(Cancelled, match="nothing was written"):
            DOORS[door](scene, folder / name, **options, overwrite=True, progress=RecordingProgress(after))
        assert contents(folder) == before
        with pytest.raises(Cancelled):
            DOORS[door](scene, folder / f"new_{name}", **options, progress=RecordingProgress(after))
        assert contents(folder) == before
    assert contents(scene.parent) == inputs


@pytest.mark.parametrize("door", DOORS)
def test_progress_rises_from_zero_to_one(door: str, scene: Path, folder: Path, small_model: Model) -> None:
    progress = RecordingProgress()
    DOORS[door](scene, folder / "out.tif", model=small_model.folder, progress=progress)
    assert progress.fractions == sorted(progress.fractions)
    assert 0.0 <= progress.fractions[0] < 0.1
    assert 0.9 <= progress.fractions[-1] <= 1.0


class Breakdown(Exception):
    """An error that nobody foresaw."""


def broken(monkeypatch: pytest.MonkeyPatch, place: tuple[Any, str], after: int) -> None:
    """Let a function raise at its call number `after`."""
    owner, name = place
    original, calls = getattr(owner, name), []

    def failing(*arguments: Any, **options: Any) -> Any:
        calls.append(None)
        if len(calls) == after:
            raise Breakdown
        return original(*arguments, **options)

    monkeypatch.setattr(owner, name, failing)


@pytest.mark.parametrize(
    ("place", "after"),
    [
        ((ferd_engine.plan, "scan"), 1),
        ((ferd_engine.pipeline, "open_backend"), 1),
        ((RasterWriter, "write"), 1),
        ((RasterWriter, "add_metadata"), 1),
        ((RasterWriter, "finish"), 1),
        ((ferd_engine.outputs, "place_all"), 1),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
@pytest.mark.parametrize("name", ["out.tif", "out.bsq"])
@pytest.mark.parametrize("door", DOORS)
def test_a_failure_anywhere_leaves_everything_as_it_was(
    door: str,
    name: str,
    place: tuple[Any, str],
    after: int,
    scene: Path,
    folder: Path,
    small_model: Model,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    DOORS[door](scene, folder / name, model=small_model.folder, bands="8,1-7")
    before = contents(folder)
    broken(monkeypatch, place, after)
    with pytest.raises(Breakdown):
        DOORS[door](scene, folder / name, model=small_model.folder, overwrite=True)
    assert contents(folder) == before


def test_overwrite_replaces_the_output_and_what_spoke_of_the_old_one(scene: Path, folder: Path) -> None:
    output = folder / "out.tif"
    first = detect_raster(scene, output, enhance=False)
    dataset = gdal.Open(str(output))
    dataset.GetRasterBand(1).ComputeStatistics(False)
    dataset.BuildOverviews("NEAREST", [2])
    dataset = None
    assert sorted(path.name for path in folder.iterdir()) == ["out.tif", "out.tif.aux.xml", "out.tif.ovr"]
    with pytest.raises(OutputError, match="exists already"):
        detect_raster(scene, output, enhance=False)
    second = detect_raster(scene, output, enhance=False, bands="1-5", overwrite=True)
    assert [path.name for path in folder.iterdir()] == ["out.tif"]
    assert (first.bands, second.bands) == (8, 5)
    dataset = gdal.Open(str(output))
    assert dataset.GetRasterBand(1).GetOverviewCount() == 0
    assert "STATISTICS_MEAN" not in dataset.GetRasterBand(1).GetMetadata()


def test_files_of_the_report_are_the_files_there_are(scene: Path, folder: Path) -> None:
    for name in ("out.tif", "cube.bsq", "other.hdr"):
        report = detect_raster(scene, folder / name, enhance=False)
        assert all(Path(file).is_file() for file in report.files)
        assert report.output in report.files
        assert Path(report.output).parent == folder
    assert sorted(path.name for path in folder.iterdir()) == [
        *("cube.bsq", "cube.bsq.aux.xml", "cube.hdr"),
        *("other.bsq", "other.bsq.aux.xml", "other.hdr", "out.tif"),
    ]


def test_scratch_of_a_killed_run_is_removed_and_that_of_a_living_one_left_alone(
    scene: Path, folder: Path, tmp_path: Path
) -> None:
    code = (
        "import sys, time\n"
        "from ferd_engine.outputs import OutputFolder\n"
        "with OutputFolder(sys.argv[1], overwrite=False, inputs=()) as output:\n"
        "    (output.folder / 'scratch').write_bytes(b'x' * 1000)\n"
        "    print(output.folder, flush=True)\n"
        "    time.sleep(60)\n"
    )
    root = Path(__file__).parents[2]
    runs = [
        subprocess.Popen([sys.executable, "-c", code, str(folder / f"{i}.tif")], stdout=subprocess.PIPE, cwd=root)
        for i in range(2)
    ]
    try:
        scratch = [Path(run.stdout.readline().decode().strip()) for run in runs if run.stdout]
        assert all((path / "scratch").exists() for path in scratch)
        runs[0].kill()
        runs[0].wait()
        assert (scratch[0] / "scratch").exists()
        detect_raster(scene, folder / "out.tif", enhance=False)
        assert not scratch[0].exists()
        assert (scratch[1] / "scratch").exists()
    finally:
        for run in runs:
            run.kill()
            run.wait()
            if run.stdout:
                run.stdout.close()
    detect_raster(scene, folder / "out.tif", enhance=False, overwrite=True)
    assert [path.name for path in folder.iterdir()] == ["out.tif"]


def test_a_folder_that_only_looks_like_scratch_is_left_alone(scene: Path, folder: Path) -> None:
    (folder / ".ferd-mine").mkdir()
    (folder / ".ferd-mine" / "data").write_text("data")
    (folder / ".ferd-file").write_text("data")
    detect_raster(scene, folder / "out.tif", enhance=False)
    assert sorted(path.name for path in folder.iterdir()) == [".ferd-file", ".ferd-mine", "out.tif"]
    assert (folder / ".ferd-mine" / "data").exists()


def refused(input: Path, output: Path | str, message: str, **options: Any) -> None:
    """Check that a run is refused and that neither folder changes."""
    folders = {input.parent, Path(output).absolute().parent}
    before = {path: contents(path) for path in folders if path.is_dir()}
    with pytest.raises(OutputError, match=message):
        detect_raster(input, output, enhance=False, **options)
    assert {path: contents(path) for path in before} == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_input_is_never_the_output(scene: Path, overwrite: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(scene, scene, "is the input itself", overwrite=overwrite)
    refused(scene, scene.parent / ".." / "in" / "scene.tif", "is the input itself", overwrite=overwrite)
    (scene.parent / "link.tif").symlink_to(scene)
    refused(scene, scene.parent / "link.tif", "is the input itself", overwrite=overwrite)
    refused(scene.parent / "link.tif", scene, "is the input itself", overwrite=overwrite)
    os.link(scene, scene.parent / "hard.tif")
    refused(scene, scene.parent / "hard.tif", "is the input itself", overwrite=overwrite)
    monkeypatch.chdir(scene.parent)
    refused(scene, "scene.tif", "is the input itself", overwrite=overwrite)
    gdal.Translate("view.vrt", "scene.tif")
    refused(Path("view.vrt").absolute(), scene, "is the input itself", overwrite=overwrite)


@pytest.mark.parametrize("output", ["scene.img", "scene.hdr", "scene.bsq", "scene.bil", "scene.dat"])
@pytest.mark.parametrize("named", ["scene.img", "scene.hdr"])
def test_an_envi_output_never_takes_the_header_of_the_input(tmp_path: Path, named: str, output: str) -> None:
    write_envi(tmp_path / "scene.img", cube(9, 8, 3))
    refused(
        tmp_path / named,
        tmp_path / output,
        "is the input itself|would take the input's header scene.hdr",
        overwrite=True,
    )
    # A GeoTIFF of that name is no conflict.
    detect_raster(tmp_path / named, tmp_path / "scene.tif", enhance=False)


def test_a_mask_is_never_the_output(scene: Path) -> None:
    mask = write_tiff(scene.with_name("mask.tif"), np.ones((60, 41, 1), dtype=np.uint8))
    refused(scene, mask, "is the input itself", overwrite=True, mask=mask)


def test_the_header_of_another_file_counts_as_existing_output(scene: Path, folder: Path) -> None:
    write_envi(folder / "out.dat", cube(9, 8, 3))
    refused(scene, folder / "out.bsq", r"out\.hdr exists already")


def test_places_that_cannot_be_written(scene: Path, folder: Path, tmp_path: Path) -> None:
    refused(scene, tmp_path / "missing" / "out.tif", "There is no folder")
    (tmp_path / "file").write_text("a file")
    refused(scene, tmp_path / "file" / "out.tif", "There is no folder")
    (folder / "dir.tif").mkdir()
    refused(scene, folder / "dir.tif", "is a folder", overwrite=True)
    refused(scene, folder / ("long" * 100 + ".tif"), "too long|exists no|no folder")
    for name in ("out", "out.png", "out.jp2", ".tif", "out.tif.gz"):
        refused(scene, folder / name, "no known type")


def test_a_folder_without_permission(scene: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: Any, **__: Any) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(ferd_engine.outputs.tempfile, "mkdtemp", denied)
    refused(scene, folder / "out.tif", "Permission denied")


def test_an_output_that_cannot_be_put_in_its_place(scene: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any) -> Path:
        raise PermissionError(13, "The process cannot access the file")

    monkeypatch.setattr("ferd_engine.placing.os.replace", busy)
    with pytest.raises(RunError, match="close programs that hold it open"):
        detect_raster(scene, folder / "out.tif", enhance=False)
    assert list(folder.iterdir()) == []


LIMITED = """
import resource, signal, sys
from ferd_engine import detect_raster, enhance_raster
from ferd_engine.errors import RunError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), int(sys.argv[4])))
try:
    enhance_raster(sys.argv[1], sys.argv[2], model=sys.argv[3], backend="numpy")
except RunError as error:
    print(error)
    sys.exit(1)
"""


@pytest.mark.parametrize("name", ["out.tif", "out.bsq", "out.bil"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.98])
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on file sizes")
def test_a_full_disk_is_an_error_and_leaves_nothing(
    name: str, part: float, scene: Path, folder: Path, small_model: Model, tmp_path: Path
) -> None:
    whole = Path(enhance_raster(scene, tmp_path / name, model=small_model.folder).output).stat().st_size
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            LIMITED,
            str(scene),
            str(folder / name),
            str(small_model.folder),
            str(int(whole * part)),
        ],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stderr) == (1, ""), found.stderr
    assert "free disk space" in found.stdout
    assert list(folder.iterdir()) == []


def test_two_runs_into_one_folder_at_a_time(scene: Path, folder: Path) -> None:
    with OutputFolder(str(folder / "one.tif"), overwrite=False, inputs=()) as one:
        (one.folder / "scratch").write_text("x")
        detect_raster(scene, folder / "two.tif", enhance=False)
        assert (one.folder / "scratch").exists()
    assert [path.name for path in folder.iterdir()] == ["two.tif"]
    assert np.isfinite(read_scores(folder / "two.tif")).all()


def test_runs_that_begin_at_once_do_not_take_each_others_scratch(tmp_path: Path) -> None:
    # Each looks for what killed runs left while the others are just creating theirs.
    failures: list[str] = []

    def begin(which: int) -> None:
        for index in range(40):
            try:
                with OutputFolder(str(tmp_path / f"{which}_{index}.tif"), overwrite=False, inputs=()) as folder:
                    (folder.raster_folder / "part").write_text("x")
            except OutputError as error:
                failures.append(str(error))

    threads = [Thread(target=begin, args=(which,)) for which in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert list(tmp_path.iterdir()) == []
