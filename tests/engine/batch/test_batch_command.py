"""`ferd batch` as scripts and people call it: exit codes, tables, kill, interrupt, two at once."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ferd_engine import detect_raster
from ferd_engine.batch.records import STATE_FOLDER

from ..rasters import cube, read_scores
from ..test_cli_contract import command, environment, ferd
from ..test_outputs import contents

NAMES = ("a", "b", "c")
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for seed, name in enumerate(NAMES):
        np.save(folder / f"{name}.npy", cube(31, 23, 8, seed=seed))
    return folder


def batch(tmp_path: Path, *options: object) -> subprocess.CompletedProcess[str]:
    # A second process takes a second, and is tested where it matters.
    return ferd(tmp_path, "batch", "in", "out", "--no-enhance", "--no-isolate", *options)


def statuses(found: subprocess.CompletedProcess[str]) -> list[str]:
    return [raster["status"] for raster in json.loads(found.stdout)["rasters"]]


def check_results(tmp_path: Path, scenes: Path, names: tuple[str, ...] = NAMES) -> None:
    """Compare with what single runs give; nothing else may lie beside the results."""
    out = tmp_path / "out"
    for name in names:
        alone = detect_raster(scenes / f"{name}.npy", tmp_path / "alone.tif", enhance=False, overwrite=True)
        np.testing.assert_array_equal(read_scores(out / f"{name}_score.tif"), read_scores(alone.output))
    assert sorted(path.name for path in out.iterdir()) == [STATE_FOLDER, *(f"{name}_score.tif" for name in names)]


def test_exit_codes_and_tables(tmp_path: Path, scenes: Path) -> None:
    found = batch(tmp_path, "--json", "--table", "table.csv")
    assert (found.returncode, len(found.stdout.splitlines())) == (0, 1), found.stderr
    facts = json.loads(found.stdout)
    assert facts["counts"] == {"done": 3, "current": 0, "failed": 0, "busy": 0, "stopped": 0}
    assert facts["exit_code"] == 0
    assert [Path(raster["output"]).name for raster in facts["rasters"]] == [f"{name}_score.tif" for name in NAMES]
    assert found.stderr.splitlines()[-1] == f"[3/3] done {scenes / 'c.npy'}"
    with open(tmp_path / "table.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["status"], row["rows"], row["cols"], row["detector"]) for row in rows] == [
        ("done", "31", "23", "grx")
    ] * 3
    check_results(tmp_path, scenes)

    (scenes / "d.npy").write_text("no array")
    found = batch(tmp_path, "--resume", "--table", "table.csv")
    assert found.returncode == 1
    lines = found.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["current"] * 3 + ["failed", "4"]
    assert lines[-1].startswith("4 rasters: 3 current, 1 failed;")
    assert "Traceback" not in found.stderr
    found = batch(tmp_path, "--resume", "--pattern", "[ab].npy", "--table", "table.json")
    assert found.returncode == 0
    assert json.loads((tmp_path / "table.json").read_text())["counts"]["current"] == 2


def test_what_cannot_be_begun(tmp_path: Path, scenes: Path) -> None:
    (tmp_path / "mine.csv").write_text("mine")
    before = contents(tmp_path)
    for options, words in (
        (["--bands", "1-3", "--scaling", "percentile"], "without enhancement"),
        (["--model", "nothing"], "without enhancement"),
        (["--threads", "0"], "threads"),
        (["--pattern", "*.jpg"], "no raster"),
        (["--task", "enhance"], "--no-enhance"),
        (["--table", "mine.csv"], "no table of a batch"),
        (["--table", "table.txt"], "known type"),
        (["--scheduler", "nowhere"], "scheduler"),
    ):
        found = batch(tmp_path, *options)
        assert (found.returncode, found.stdout, len(found.stderr.splitlines())) == (2, "", 1), found.stderr
        assert words in found.stderr
    (tmp_path / "list.csv").write_text("in/a.npy")
    found = ferd(tmp_path, "batch", "list.csv", "out", "--no-enhance", "--table", "list.csv", "--overwrite")
    assert (found.returncode, "list of rasters itself" in found.stderr) == (2, True)
    (tmp_path / "list.csv").unlink()
    found = ferd(tmp_path, "batch", "in", "out", "--task", "enhance", "--covariance", "oas")
    assert (found.returncode, "--covariance" in found.stderr) == (2, True)
    assert contents(tmp_path) == before


def test_enhancing_many(tmp_path: Path, scenes: Path, small_model: object) -> None:
    found = ferd(
        tmp_path,
        "batch",
        "in",
        "out",
        "--task",
        "enhance",
        "--model",
        small_model.folder,
        "--backend",
        "numpy",
        "--json",
    )
    assert found.returncode == 0, found.stderr
    assert read_scores(tmp_path / "out" / "c_enhanced.tif").shape == (31, 23, 6)


# A batch whose second raster halts at one of three places, to be killed there.
HALTING = """
import sys, time
from pathlib import Path
import ferd_engine.batch.jobs as jobs
import ferd_engine.batch.records as records
import ferd_engine.runs as runs
from ferd_engine.cli import main

def halt():
    Path("halted").write_text("")
    time.sleep(60)

def halting(owner, name, when):
    original = getattr(owner, name)
    def function(*arguments, **options):
        if when(arguments):
            halt()
        return original(*arguments, **options)
    setattr(owner, name, function)

if sys.argv[1] == "computing":
    halting(runs, "run_detection", lambda arguments: arguments[0].path.endswith("b.npy"))
elif sys.argv[1] == "result in place":
    halting(jobs, "_read_inputs", lambda arguments: arguments[0].endswith("b.npy"))
else:
    halting(Path, "replace", lambda arguments: arguments[0].suffix == ".tmp" and '"done"' in arguments[0].read_text()
            and "b.npy" in arguments[0].read_text())
sys.exit(main(sys.argv[2:]))
"""
PLACES = ("computing", "result in place", "record half written")


def halted_batch(tmp_path: Path, place: str) -> subprocess.Popen[str]:
    arguments = ["batch", "in", "out", "--no-enhance", "--json", "--no-isolate"]
    run = subprocess.Popen(
        [sys.executable, "-c", HALTING, place, *arguments],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 30
    while not (tmp_path / "halted").exists() and time.monotonic() < until:
        assert run.poll() is None, run.communicate()
        time.sleep(0.01)
    return run


@pytest.mark.parametrize("place", PLACES)
@posix
def test_killed_and_resumed(tmp_path: Path, scenes: Path, place: str) -> None:
    inputs = contents(scenes)
    run = halted_batch(tmp_path, place)
    assert run.poll() is None
    # While it lives, its raster is left to it.
    (tmp_path / "halted").unlink()
    found = batch(tmp_path, "--resume", "--json")
    assert (found.returncode, statuses(found)) == (1, ["current", "busy", "done"])
    run.kill()
    run.communicate()
    for name in NAMES:
        if (path := tmp_path / "out" / f"{name}_score.tif").exists():
            read_scores(path)
    found = batch(tmp_path, "--resume", "--json")
    assert (found.returncode, statuses(found)) == (0, ["current", "done", "current"]), found.stderr
    check_results(tmp_path, scenes)
    assert {path.suffix for path in (tmp_path / "out" / STATE_FOLDER).iterdir()} == {".json"}
    assert contents(scenes) == inputs


@posix
def test_a_killed_batch_takes_its_worker_along(tmp_path: Path, scenes: Path) -> None:
    np.save(scenes / "b.npy", cube(700, 600, 60, "int16"))
    for name in "ac":
        np.save(scenes / f"{name}.npy", cube(31, 23, 60))
    out = tmp_path / "out"
    arguments = ("batch", "in", "out", "--backend", "numpy", "--threads", "1")
    with subprocess.Popen(command(*arguments), cwd=tmp_path, env=environment(tmp_path), stderr=subprocess.PIPE) as run:
        until = time.monotonic() + 30
        # Two records: the second raster has begun. Two scratch folders: the batch's and its worker's.
        while [len(list(out.glob(name))) for name in (f"{STATE_FOLDER}/*.json", ".ferd-*/raster")] != [2, 2]:
            assert time.monotonic() < until
            time.sleep(0.01)
        time.sleep(0.3)
        assert run.poll() is None
        run.kill()
        run.communicate()
    assert len(list(out.glob(".ferd-*/job.json"))) == 1
    # The worker, which has lost its parent, removes its scratch; only what the killed process had is left.
    until = time.monotonic() + 15
    while len(list(out.glob(".ferd-*"))) > 1 and time.monotonic() < until:
        time.sleep(0.01)
    assert len(list(out.glob(".ferd-*"))) == 1
    assert not (out / "b_score.tif").exists()
    np.save(scenes / "b.npy", cube(31, 23, 60))
    found = ferd(tmp_path, *arguments, "--resume", "--json")
    assert (found.returncode, statuses(found)) == (0, ["current", "done", "done"]), found.stderr
    names = [STATE_FOLDER, "a_score.tif", "b_score.tif", "c_score.tif"]
    assert sorted(path.name for path in out.iterdir()) == names


@pytest.mark.parametrize("interrupt", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@posix
def test_interrupted_and_resumed(tmp_path: Path, scenes: Path, interrupt: int) -> None:
    # Its first raster takes seconds.
    np.save(scenes / "b.npy", cube(700, 600, 60, "int16"))
    arguments = (
        "batch",
        "in",
        "out",
        "--backend",
        "numpy",
        "--threads",
        "1",
        "--table",
        "table.json",
        "--bands",
        "1-60",
    )
    np.save(scenes / "a.npy", cube(31, 23, 60))
    np.save(scenes / "c.npy", cube(31, 23, 60))
    with subprocess.Popen(
        command(*arguments),
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        until = time.monotonic() + 30
        while not (tmp_path / "out" / "a_score.tif").exists() and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.4)
        assert run.poll() is None
        run.send_signal(interrupt)
        output, errors = run.communicate(timeout=30)
    assert run.returncode == 130, errors
    assert [line.split()[0] for line in output.splitlines()[:3]] == ["done", "stopped", "stopped"]
    assert "Traceback" not in errors
    assert [raster["status"] for raster in json.loads((tmp_path / "table.json").read_text())["rasters"]] == [
        *("done", "stopped", "stopped")
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [STATE_FOLDER, "a_score.tif"]
    np.save(scenes / "b.npy", cube(31, 23, 60))
    resumed = ferd(tmp_path, *arguments, "--resume", "--json")
    assert (resumed.returncode, statuses(resumed)) == (0, ["current", "done", "done"]), resumed.stderr


def test_two_at_once_do_each_raster_once(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    names = tuple("abcdefgh")
    for seed, name in enumerate(names):
        np.save(folder / f"{name}.npy", cube(160, 130, 30, seed=seed))
    arguments = command("batch", "in", "out", "--no-enhance", "--no-isolate", "--json", "--resume")
    runs = [
        subprocess.Popen(
            arguments,
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    found = [(run.communicate(timeout=60), run.returncode) for run in runs]
    tables = [[raster["status"] for raster in json.loads(output)["rasters"]] for (output, _), _ in found]
    for pair in zip(*tables):
        assert pair.count("done") == 1, tables
        assert {*pair} <= {"done", "current", "busy"}
    for table, (_, code) in zip(tables, found):
        assert code == (1 if "busy" in table else 0)
    check_results(tmp_path, folder, names)


@pytest.fixture
def unwritable(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "out"
    folder.mkdir()
    folder.chmod(0o500)
    yield folder
    folder.chmod(0o700)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_an_output_folder_without_permission(tmp_path: Path, scenes: Path, unwritable: Path) -> None:
    found = batch(tmp_path)
    assert (found.returncode, found.stdout, len(found.stderr.splitlines())) == (2, "", 1), found.stderr


@posix
def test_a_full_disk_fails_rasters_and_not_the_batch(tmp_path: Path, scenes: Path) -> None:
    np.save(scenes / "b.npy", cube(300, 200, 8))
    code = (
        "import resource, signal, sys\n"
        "from ferd_engine.cli import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    arguments = [sys.executable, "-c", code, "batch", "in", "out", "--no-enhance", "--no-isolate", "--json"]
    found = subprocess.run(
        arguments, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert (found.returncode, statuses(found)) == (1, ["done", "failed", "done"]), found.stderr
    found = batch(tmp_path, "--resume", "--json")
    assert (found.returncode, statuses(found)) == (0, ["current", "done", "current"])
    check_results(tmp_path, scenes)
