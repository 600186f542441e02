"""Batches from Python: what is done, what is left alone, what is refused, and under which names."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import gdal

import ferd_engine.batch.isolated
import ferd_engine.batch.jobs
from ferd_engine import detect_raster
from ferd_engine.batch import BatchReport, run_batch
from ferd_engine.batch.lock import try_lock
from ferd_engine.batch.records import STATE_FOLDER
from ferd_engine.errors import FerdError, InputError, ModelError, OutputError, UsageError
from ferd_engine.fen.bundle import Model, save_model

from ..detectors.arrays import RecordingProgress
from ..rasters import cube, read_scores, write_envi, write_tiff
from ..test_outputs import contents


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for seed, name in enumerate(("a.tif", "b.tif", "c.tif")):
        write_tiff(folder / name, cube(23, 17, 8, "int16", seed))
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def run(source: Path, out: Path, **options: Any) -> BatchReport:
    return run_batch(source, out, **{"enhance": False, **options})


def statuses(report: BatchReport) -> dict[str, str]:
    return {os.path.relpath(result.job.input, Path(report.folder).parent): result.status for result in report.results}


def results(out: Path) -> dict[str, str]:
    """Return the hashes of what a batch wrote, without what it remembers of it."""
    return {name: digest for name, digest in contents(out).items() if not name.startswith(STATE_FOLDER)}


def records(out: Path) -> list[Path]:
    return sorted((out / STATE_FOLDER).glob("*.json"))


def test_each_raster_gets_what_detect_gives(scenes: Path, out: Path, tmp_path: Path) -> None:
    before = contents(scenes)
    report = run(scenes, out)
    assert statuses(report) == {"in/a.tif": "done", "in/b.tif": "done", "in/c.tif": "done"}
    assert report.exit_code == 0
    for name in "abc":
        alone = detect_raster(scenes / f"{name}.tif", tmp_path / "alone.tif", enhance=False, overwrite=True)
        np.testing.assert_array_equal(read_scores(out / f"{name}_score.tif"), read_scores(alone.output))
    assert contents(scenes) == before
    # No lock and no half-written record is left.
    assert {path.suffix for path in (out / STATE_FOLDER).iterdir()} == {".json"}


def test_enhancing_with_names_of_ones_own(scenes: Path, out: Path, small_model: Model) -> None:
    report = run_batch(scenes, out, task="enhance", name="fen-{name}.bsq", model=small_model.folder)
    assert report.exit_code == 0
    assert read_scores(out / "fen-a.bsq").shape == (23, 17, 6)
    again = run_batch(scenes, out, task="enhance", name="fen-{name}.bsq", model=small_model.folder, resume=True)
    assert set(statuses(again).values()) == {"current"}


def test_one_bad_file_does_not_stop_the_rest(scenes: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (scenes / "b.tif").write_bytes((scenes / "b.tif").read_bytes()[:300])
    (scenes / "d.npy").write_text("no array")
    original = ferd_engine.batch.jobs.detect_raster

    def faulty(input: str, *arguments: Any, **options: Any) -> Any:
        if input.endswith("a.tif"):
            raise ZeroDivisionError("nobody foresaw this")
        return original(input, *arguments, **options)

    monkeypatch.setattr(ferd_engine.batch.jobs, "detect_raster", faulty)
    report = run(scenes, out)
    found = statuses(report)
    assert found == {"in/a.tif": "failed", "in/b.tif": "failed", "in/c.tif": "done", "in/d.npy": "failed"}
    assert report.exit_code == 1
    assert "nobody foresaw this" in report.results[0].reason
    assert all(result.reason.endswith(".") for result in report.results if result.status == "failed")
    assert list(results(out)) == ["c_score.tif"]
    # Once the file is whole and the fault mended, the rest is done and nothing else.
    monkeypatch.undo()
    write_tiff(scenes / "b.tif", cube(23, 17, 8, "int16", 1))
    np.save(scenes / "d.npy", cube(9, 8, 5))
    found = statuses(run(scenes, out, resume=True))
    assert found == {"in/a.tif": "done", "in/b.tif": "done", "in/c.tif": "current", "in/d.npy": "done"}


def test_resume_skips_what_is_current_and_writes_nothing(scenes: Path, out: Path) -> None:
    run(scenes, out)
    before = contents(out)
    report = run(scenes, out, resume=True, memory="2GiB", threads=1)
    assert set(statuses(report).values()) == {"current"}
    assert report.exit_code == 0
    assert report.results[0].report is not None
    assert report.results[0].report["rows"] == 23
    assert contents(out) == before


def replaced_content(scenes: Path, out: Path) -> None:
    """Put other pixels into b.tif, as many bytes and of the same date."""
    path = scenes / "b.tif"
    before, content = path.stat(), bytearray(path.read_bytes())
    content[-40:-38] = bytes(255 - value for value in content[-40:-38])
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def truncated_result(scenes: Path, out: Path) -> None:
    os.truncate(out / "b_score.tif", 100)


def removed_result(scenes: Path, out: Path) -> None:
    (out / "b_score.tif").unlink()


def damaged_record(scenes: Path, out: Path) -> None:
    record_of(out, "b_score.tif").write_text('{"format": "ferd-bat')


def record_of_strange_shape(scenes: Path, out: Path) -> None:
    path = record_of(out, "b_score.tif")
    path.write_text(json.dumps({**json.loads(path.read_text()), "inputs": [["a", "b"]]}))


def record_that_is_a_list(scenes: Path, out: Path) -> None:
    record_of(out, "b_score.tif").write_text("[" * 100_000)


def record_of_a_later_version(scenes: Path, out: Path) -> None:
    path = record_of(out, "b_score.tif")
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 2}))


def metadata_beside_the_input(scenes: Path, out: Path) -> None:
    dataset = gdal.Open(str(scenes / "b.tif"))
    nodata = int(dataset.GetRasterBand(1).ReadAsArray()[3, 3])
    for number in range(1, 9):
        dataset.GetRasterBand(number).SetNoDataValue(nodata)
    del dataset
    assert (scenes / "b.tif.aux.xml").exists()


def record_of(out: Path, name: str) -> Path:
    return next(path for path in records(out) if json.loads(path.read_text())["output"] == name)


@pytest.mark.parametrize(
    "harm",
    [
        *(replaced_content, metadata_beside_the_input, truncated_result, removed_result),
        *(damaged_record, record_of_strange_shape, record_that_is_a_list, record_of_a_later_version),
    ],
)
def test_resume_does_again_what_is_not_whole_or_not_current(harm: Any, scenes: Path, out: Path) -> None:
    run(scenes, out)
    before = results(out)
    harm(scenes, out)
    report = run(scenes, out, resume=True)
    assert statuses(report) == {"in/a.tif": "current", "in/b.tif": "done", "in/c.tif": "current"}
    changed = harm in (replaced_content, metadata_beside_the_input)
    assert (results(out) != before) == changed
    assert set(statuses(run(scenes, out, resume=True)).values()) == {"current"}


def test_resume_after_other_options_models_or_versions(
    scenes: Path, out: Path, small_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def settle(**options: Any) -> set[str]:
        return set(statuses(run_batch(scenes, out, resume=True, **options)).values())

    assert small_model.folder is not None
    model = save_model(small_model, tmp_path / "model")
    options: dict[str, Any] = {"model": tmp_path / "model"}
    assert settle(**options) == {"done"}
    assert settle(**options) == {"current"}
    assert settle(**options, scaling="percentile") == {"done"}
    assert settle(**options) == {"done"}
    weights = {name: values * np.float32(1.01) for name, values in model.weights.items()}
    save_model(Model(model.name, model.architecture, weights), tmp_path / "model", overwrite=True)
    assert settle(**options) == {"done"}
    assert settle(**options) == {"current"}
    monkeypatch.setattr("ferd_engine.batch.signature.__version__", "99.0.0")
    assert settle(**options) == {"done"}


def test_a_touched_or_moved_input_is_known_by_its_content(scenes: Path, out: Path, tmp_path: Path) -> None:
    run(scenes, out)
    os.utime(scenes / "a.tif", (1, 1))
    assert set(statuses(run(scenes, out, resume=True)).values()) == {"current"}
    scenes.rename(tmp_path / "elsewhere")
    out.rename(tmp_path / "results")
    report = run(tmp_path / "elsewhere", tmp_path / "results", resume=True)
    assert set(statuses(report).values()) == {"current"}
    assert len(results(tmp_path / "results")) == 3


def test_the_mask_counts_by_its_content(scenes: Path, out: Path, tmp_path: Path) -> None:
    flags = np.ones((23, 17, 1), dtype=np.uint8)
    mask = write_tiff(scenes / "mask.tif", flags)
    assert set(statuses(run(scenes, out, mask=mask))) == {"in/a.tif", "in/b.tif", "in/c.tif"}
    assert set(statuses(run(scenes, out, mask=mask, resume=True)).values()) == {"current"}
    flags[3:5] = 0
    write_tiff(mask, flags)
    assert set(statuses(run(scenes, out, mask=mask, resume=True)).values()) == {"done"}


def test_thresholds_with_masks_and_polygons(scenes: Path, out: Path) -> None:
    options = {"threshold": "count:5", "mask_out": "{name}_mask.tif", "polygons": "{name}.gpkg"}
    report = run(scenes, out, **options)
    assert report.exit_code == 0
    assert sorted(results(out)) == sorted(
        name.format(stem) for stem in "abc" for name in ("{}.gpkg", "{}_mask.tif", "{}_score.tif")
    )
    assert report.rows()[0]["n_anomalies"] == 5
    # A viewer writes into a GeoPackage; what it did there is nothing that must be undone.
    (out / "c.gpkg").write_bytes((out / "c.gpkg").read_bytes() + b"\0" * 100)
    (out / "b.gpkg").write_bytes(b"no longer a database")
    (out / "a_mask.tif").unlink()
    found = statuses(run(scenes, out, resume=True, **options))
    assert found == {"in/a.tif": "done", "in/b.tif": "done", "in/c.tif": "current"}
    # What was not asked for before is asked for now.
    run(scenes, out.with_name("other"))
    assert set(statuses(run(scenes, out.with_name("other"), resume=True, **options)).values()) == {"done"}


def test_files_of_others_are_never_replaced(scenes: Path, out: Path) -> None:
    out.mkdir()
    (out / "a_score.tif").write_text("mine")
    for resume in (False, True):
        report = run(scenes, out, resume=resume, patterns=["a.*"])
        assert report.exit_code == 1
        assert "--overwrite" in report.results[0].reason
        assert (out / "a_score.tif").read_text() == "mine"
    assert run(scenes, out, patterns=["a.*"], overwrite=True).exit_code == 0
    read_scores(out / "a_score.tif")
    # Without --resume a second run replaces nothing, not even what a batch wrote.
    before = contents(out)
    assert run(scenes, out, patterns=["a.*"]).exit_code == 1
    assert contents(out) == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_no_output_replaces_a_raster_of_the_batch(scenes: Path, overwrite: bool) -> None:
    write_envi(scenes / "e.dat", cube(9, 8, 5))
    (scenes / "list.txt").write_text("\n".join(str(scenes / name) for name in ("a.tif", "b.tif", "e.dat")))
    before = contents(scenes)
    for name in ("{name}.tif", "{name}.bsq"):
        report = run(scenes / "list.txt", scenes, name=name, overwrite=overwrite)
        refused = [result.job.input for result in report.results if result.status == "failed"]
        expected = ["a.tif", "b.tif"] if name == "{name}.tif" else ["e.dat"]
        assert [Path(path).name for path in refused] == expected
        after = contents(scenes)
        assert {key: after[key] for key in before} == before


def test_the_same_name_twice(tmp_path: Path, out: Path) -> None:
    array = cube(9, 8, 5)
    paths = [tmp_path / "x" / "s.tif", tmp_path / "y" / "s.tif", tmp_path / "x" / "S.npy", tmp_path / "x" / "t.tif"]
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
    for path in paths:
        np.save(path, array) if path.suffix == ".npy" else write_tiff(path, array)
    list_file = tmp_path / "list.txt"
    list_file.write_text("# a comment\n\n" + "\n".join(map(str, [*paths, paths[0], tmp_path / "x/../x/s.tif"])))
    report = run(list_file, out)
    names = [result.job.output.name for result in report.results]
    assert report.exit_code == 0
    assert len(names) == len({name.casefold() for name in names}) == 4
    assert names[2:] == ["S_npy_score.tif", "t_score.tif"]
    assert all(name.startswith("s_tif_") for name in names[:2])
    # The names do not depend on the order or on what else is there.
    list_file.write_text("\n".join(map(str, reversed(paths))))
    again = run(list_file, out, resume=True)
    assert [result.job.output.name for result in again.results] == names[::-1]
    assert set(statuses(again).values()) == {"current"}
    # A raster of another folder does not take a name that one has.
    (tmp_path / "z").mkdir()
    write_tiff(tmp_path / "z" / "t.tif", cube(9, 8, 5, seed=4))
    other = run(tmp_path / "z", out, resume=True)
    assert statuses(other) == {"z/t.tif": "done"}
    assert other.results[0].job.output.name == "t_tif_score.tif"


def test_folders_are_searched_for_rasters(scenes: Path, out: Path) -> None:
    write_envi(scenes / "line1", cube(9, 8, 5))
    write_envi(scenes / "line2.bil", cube(9, 8, 5), "bil")
    for name in ("notes.txt", "a.tif.aux.xml", ".hidden.tif", "lost.hdr"):
        (scenes / name).write_text("")
    (scenes / "below" / "deeper").mkdir(parents=True)
    write_tiff(scenes / "below" / "deeper" / "a.tif", cube(9, 8, 5))
    found = statuses(run(scenes, out))
    assert list(found) == [f"in/{name}" for name in ("a.tif", "b.tif", "c.tif", "line1", "line2.bil", "lost.hdr")]
    assert found.pop("in/lost.hdr") == "failed"
    assert set(found.values()) == {"done"}
    # The results lie below the rasters, and are none.
    report = run(scenes, scenes / "results", recursive=True, patterns=["*.tif"])
    found = {os.path.relpath(result.job.input, scenes): result.status for result in report.results}
    assert found == dict.fromkeys(["a.tif", "b.tif", "c.tif", "below/deeper/a.tif"], "done")
    assert (scenes / "results" / "below" / "deeper" / "a_score.tif").is_file()
    assert len(run(scenes, scenes / "results", recursive=True, patterns=["*.tif"], resume=True).results) == 4


def test_a_cancel_leaves_whole_results_and_can_be_resumed(scenes: Path, out: Path) -> None:
    reference = RecordingProgress()
    run(scenes, out.with_name("reference"), progress=reference)
    assert reference.fractions == sorted(reference.fractions)
    n_reports = len(reference.fractions)
    for after in range(1, n_reports, max(n_reports // 6, 1)):
        place = out.with_name(f"out{after}")
        report = run(scenes, place, progress=RecordingProgress(after))
        assert report.exit_code == 130
        found = list(statuses(report).values())
        assert found == sorted(found, key=["done", "stopped"].index)
        assert len(results(place)) == found.count("done")
        resumed = list(statuses(run(scenes, place, resume=True)).values())
        assert resumed == ["current" if status == "done" else "done" for status in found]
        assert results(place) == results(out.with_name("reference"))


def test_what_another_run_holds_is_left_to_it(scenes: Path, out: Path) -> None:
    run(scenes, out)
    held = out / STATE_FOLDER / record_of(out, "b_score.tif").with_suffix(".lock").name
    for resume, rest in ((True, "current"), (False, "failed")):
        with try_lock(held) as holder:
            assert holder is None
            started = time.monotonic()
            report = run(scenes, out, resume=resume)
            assert time.monotonic() - started < 5
        assert statuses(report) == {"in/a.tif": rest, "in/b.tif": "busy", "in/c.tif": rest}
        assert report.exit_code == 1
        assert str(os.getpid()) in report.results[1].reason
    # A file that no living process holds locks nothing.
    held.write_text("process 1 on nowhere")
    assert set(statuses(run(scenes, out, resume=True)).values()) == {"current"}
    assert not held.exists()


def test_what_another_run_finished_meanwhile_is_not_done_twice(
    scenes: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = ferd_engine.batch.jobs.detect_raster, []

    def slow(input: str, *arguments: Any, **options: Any) -> Any:
        calls.append(Path(input).name)
        if len(calls) == 1:
            # Another run begins and ends while this one is at its first raster.
            found = statuses(run(scenes, out))
            assert found == {"in/a.tif": "busy", "in/b.tif": "done", "in/c.tif": "done"}
        return original(input, *arguments, **options)

    monkeypatch.setattr(ferd_engine.batch.jobs, "detect_raster", slow)
    assert list(statuses(run(scenes, out)).values()) == ["done", "current", "current"]
    assert sorted(calls) == ["a.tif", "b.tif", "c.tif"]


def test_a_raster_that_changes_while_it_is_read_gives_no_result(
    scenes: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = ferd_engine.batch.jobs.detect_raster

    def meddled(input: str, *arguments: Any, **options: Any) -> Any:
        report = original(input, *arguments, **options)
        if input.endswith("b.tif"):
            write_tiff(scenes / "b.tif", cube(23, 17, 8, "int16", 9))
        return report

    monkeypatch.setattr(ferd_engine.batch.jobs, "detect_raster", meddled)
    report = run(scenes, out)
    assert statuses(report) == {"in/a.tif": "done", "in/b.tif": "failed", "in/c.tif": "done"}
    assert "changed while it was read" in report.results[1].reason
    assert sorted(results(out)) == ["a_score.tif", "c_score.tif"]
    monkeypatch.undo()
    assert statuses(run(scenes, out, resume=True))["in/b.tif"] == "done"


# The worker, but for rasters that end it, or bring forth an error that nobody foresaw.
CRASHING = """
import os, signal, sys
sys.path.insert(0, {root!r})
from ferd_engine import worker
from ferd_engine.batch import jobs
original = jobs.run_job
def run_job(input, *arguments, **options):
    if input.endswith("c.tif"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if input.endswith("d.tif"):
        raise ZeroDivisionError("nobody foresaw this")
    return original(input, *arguments, **options)
jobs.run_job = run_job
sys.exit(worker.main([worker.SERVE]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_a_raster_that_crashes_a_library_takes_nothing_with_it(
    scenes: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scenes / "b.tif").write_text("no raster")
    for name in "defg":
        write_tiff(scenes / f"{name}.tif", cube(23, 17, 8, "int16", 5))
    started = []

    def crashing() -> list[str]:
        started.append(None)
        return [sys.executable, "-c", CRASHING.format(root=str(Path(__file__).parents[3]))]

    monkeypatch.setattr(ferd_engine.batch.isolated, "_command", crashing)
    progress = RecordingProgress()
    report = run(scenes, out, isolate=True, progress=progress)
    assert list(statuses(report).values()) == ["done", "failed", "failed", "failed", "done", "done", "done"]
    reasons = [result.reason for result in report.results]
    assert "Cannot open" in reasons[1]
    assert report.results[1].exit_code == 2
    assert "SIGSEGV" in reasons[2]
    assert "nobody foresaw this" in reasons[3]
    # A fresh process after the crash and after the fault, and none after a refusal.
    assert len(started) == 3
    assert sorted(path.name for path in out.iterdir()) == [STATE_FOLDER, *(f"{name}_score.tif" for name in "aefg")]
    assert progress.fractions == sorted(progress.fractions)
    monkeypatch.undo()
    # The same results, and known as such, whichever process made them.
    before = results(out)
    run(scenes, out.with_name("here"), patterns=["[aefg].tif"])
    assert results(out.with_name("here")) == before
    found = list(statuses(run(scenes, out, isolate=True, resume=True)).values())
    assert found == ["current", "failed", "done", "done", "current", "current", "current"]


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"task": "paint"}, UsageError, "paint"),
        ({"model": "nothing"}, ModelError, "nothing"),
        ({"enhance": False, "detector": "nothing"}, UsageError, "nothing"),
        ({"enhance": False, "block": 5}, UsageError, "no option 'block'"),
        ({"enhance": False, "threshold": "chi2:0.9", "detector": "qlrx"}, UsageError, "chi2 needs"),
        ({"enhance": False, "mask": "missing.tif"}, InputError, "missing.tif"),
        ({"enhance": False, "name": "all.tif"}, UsageError, r"\{name\}"),
        ({"enhance": False, "name": "../{name}.tif"}, UsageError, "no folder"),
        ({"enhance": False, "name": "{name}.png"}, OutputError, "known type"),
        ({"enhance": False, "threshold": "count:3", "polygons": "all.gpkg"}, UsageError, r"\{name\}"),
        ({"enhance": False, "threshold": "count:3", "mask_out": "{name}_score.tif"}, UsageError, "Two outputs"),
        ({"task": "enhance", "detector": "grx"}, UsageError, "detector"),
        ({"enhance": False, "patterns": ["*.jpg"]}, InputError, "no raster"),
    ],
)
def test_what_cannot_be_begun_is_refused_at_once(
    scenes: Path, out: Path, options: dict[str, Any], kind: type[FerdError], words: str, no_user_models: Path
) -> None:
    with pytest.raises(kind, match=words):
        run_batch(scenes, out, **options)
    assert not out.exists()


def test_unusable_sources(scenes: Path, out: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.txt").write_text("\n# nothing\n")
    for source, words in (
        (tmp_path / "empty", "no raster"),
        (tmp_path / "missing", "Cannot read"),
        (scenes / "a.tif", "no list of rasters"),
        (tmp_path / "list.txt", "names no raster"),
    ):
        with pytest.raises(InputError, match=words):
            run(source, out)
    with pytest.raises(UsageError, match="--recursive"):
        run(tmp_path / "list.txt", out, recursive=True)
    with pytest.raises(OutputError, match="another folder for the results"):
        run(scenes, tmp_path / "in" / "." / ".." / "in")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="may write"):
        run(scenes, tmp_path / "file" / "out")
    assert not out.exists()


def test_a_list_may_name_what_is_not_there(scenes: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scenes)
    odd = os.fsdecode(b"odd \xff name\t.tif")
    Path("b.tif").rename(odd)
    Path("c.tif").rename("'ü' \t, {name}.tif")
    names = [b"\xef\xbb\xbfa.tif\r", b"missing.tif", os.fsencode(odd), "'ü' \t, {name}.tif".encode()]
    Path("list.txt").write_bytes(b"\n".join(names))
    report = run(Path("list.txt"), out)
    # GDAL's bindings take no name that is not UTF-8.
    assert [result.status for result in report.results] == ["done", "failed", "failed", "done"]
    assert (out / "'ü' _, {name}_score.tif").exists()
    assert "no file" in report.results[1].reason
    assert all(line.isprintable() for line in report.lines())
    assert b"odd \xff name" in report.to_csv().encode("utf-8", "surrogateescape")
    assert json.loads(report.to_json())["rasters"][2]["input"] == str(scenes / odd)
