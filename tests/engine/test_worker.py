"""The worker's protocol: what each end of a job looks like from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal

import ferd_engine

ENGINE = Path(ferd_engine.__file__).parent
BY_PATH = [sys.executable, "-I", "-u", str(ENGINE / "launch.py")]
BY_NAME = [sys.executable, "-u", "-m", "ferd_engine.worker"]


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    path = tmp_path / "scene.tif"
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), 21, 33, 60, gdal.GDT_Int16)
    dataset.SetGeoTransform((500.0, 2.0, 0.0, 900.0, 0.0, -3.0))
    mixing = rng.normal(size=(5, 60))
    cube = rng.normal(size=(33, 21, 5)) @ mixing * 100 + rng.normal(scale=20, size=(33, 21, 60)) + 2000
    for index in range(60):
        dataset.GetRasterBand(index + 1).WriteArray(cube[:, :, index].round())
    return path


def _job(folder: Path, task: str, cancel_file: Path | None = None, **arguments: object) -> str:
    job = {"task": task, "arguments": arguments, "cancel_file": None if cancel_file is None else str(cancel_file)}
    path = folder / "job.json"
    path.write_text(json.dumps(job))
    return str(path)


def _events(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def _work(command: list[str], job: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*command, job], capture_output=True, text=True, check=False, env={**os.environ, **environment}, timeout=100
    )


@pytest.mark.parametrize("command", [BY_PATH, BY_NAME], ids=["path", "name"])
def test_a_detection_is_the_engines(scene: Path, tmp_path: Path, command: list[str]) -> None:
    options = {"backend": "numpy", "threshold": "count:5"}
    job = _job(tmp_path, "detect_raster", input=str(scene), output=str(tmp_path / "a.tif"),
               mask_out=str(tmp_path / "m.tif"), **options)  # fmt: skip

    done = _work(command, job)
    report = ferd_engine.detect_raster(scene, tmp_path / "b.tif", mask_out=tmp_path / "n.tif", **options)

    events = _events(done)
    assert done.returncode == 0, done.stderr
    assert events[0]["event"] == "started"
    assert events[0]["ferd"] == ferd_engine.__version__
    assert [event["event"] for event in events[1:]] == ["progress"] * (len(events) - 2) + ["result"]
    fractions = [event["fraction"] for event in events[1:-1]]
    assert fractions == sorted(fractions)
    result = events[-1]["result"]
    assert (result["threshold"], result["backend"]) == (report.threshold, report.backend)
    one, other = (gdal.Open(str(tmp_path / name)).ReadAsArray() for name in ("a.tif", "b.tif"))
    np.testing.assert_array_equal(one, other)


def test_errors_are_sentences_with_their_exit_code(scene: Path, tmp_path: Path) -> None:
    job = _job(tmp_path, "detect_raster", input=str(tmp_path / "no.tif"), output=str(tmp_path / "a.tif"))
    missing = _work(BY_PATH, job)
    one_band = _job(tmp_path, "enhance_raster", input=str(scene), output=str(tmp_path / "a.tif"), bands="1")
    bands = _work(BY_PATH, one_band)

    assert (missing.returncode, bands.returncode) == (2, 2)
    assert _events(missing)[-1]["event"] == "error"
    assert "no.tif" in str(_events(missing)[-1]["message"])
    assert _events(bands)[-1]["kind"] == "InputError"
    assert "Traceback" not in missing.stderr + bands.stderr


def test_a_fault_is_a_sentence_and_its_trace_goes_to_stderr(tmp_path: Path) -> None:
    done = _work(BY_PATH, _job(tmp_path, "detect_raster", nothing=1))

    assert done.returncode == 1
    assert _events(done)[-1]["event"] == "error"
    assert "TypeError" in str(_events(done)[-1]["message"])
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"task": "rm", "arguments": {}}', '{"task": "doctor"}'])
def test_an_unusable_job_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "job.json").write_text(content)
    done = _work(BY_PATH, str(tmp_path / "job.json"))

    assert done.returncode == 2
    assert "job.json" in str(_events(done)[-1]["message"])


def test_what_libraries_print_is_not_on_stdout(tmp_path: Path) -> None:
    """Printed by Python and by C alike, before the work begins."""
    code = (
        "import sys, os; sys.argv = ['x', sys.argv[1]]\n"
        "import ferd_engine.worker as w, ferd_engine.doctor as d\n"
        "def noisy():\n    print('hello'); os.write(1, b'from C\\n'); return {'a': 1}\n"
        "d.examine = noisy\n"
        "sys.exit(w.main(sys.argv[1:]))"
    )
    done = _work([sys.executable, "-u", "-c", code], _job(tmp_path, "doctor"))

    assert [event["event"] for event in _events(done)] == ["started", "result"]
    assert "from C" in done.stderr
    assert "hello" in done.stderr


def test_the_engine_is_the_one_beside_the_launcher(tmp_path: Path) -> None:
    """A package of the same name on PYTHONPATH or in the working folder is not taken."""
    (tmp_path / "ferd_engine").mkdir()
    (tmp_path / "ferd_engine" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    job = _job(tmp_path, "doctor")

    done = subprocess.run(
        [*BY_PATH, job], capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert _events(done)[-1]["result"]["ferd"] == ferd_engine.__version__  # type: ignore[index]


def _large(scene: Path, tmp_path: Path) -> str:
    large = str(tmp_path / "large.vrt")
    gdal.Translate(large, str(scene), format="VRT", width=700, height=900)
    return large


def test_cancel_ends_the_run_and_leaves_nothing(scene: Path, tmp_path: Path) -> None:
    out, cancel = tmp_path / "out", tmp_path / "cancel"
    out.mkdir()
    job = _job(tmp_path, "detect_raster", cancel, input=_large(scene, tmp_path), output=str(out / "a.tif"))
    worker = subprocess.Popen([*BY_PATH, job], stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    # Until it is at work.
    seen = [json.loads(worker.stdout.readline()) for _ in range(4)]

    # How fast it is benchmarks/qgis_start.py measures: a busy machine would fail a test of that.
    cancel.touch()
    rest = [json.loads(line) for line in worker.stdout]
    code = worker.wait(20)

    assert seen[-1]["event"] == "progress"
    assert [event["event"] for event in rest if event["event"] != "progress"] == ["cancelling", "cancelled"]
    assert code == 130
    assert list(out.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell that a parent has gone")
def test_a_worker_whose_parent_has_gone_stops(scene: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    job = _job(tmp_path, "detect_raster", input=_large(scene, tmp_path), output=str(out / "a.tif"))
    code = (
        "import subprocess, sys\n"
        "worker = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, text=True)\n"
        "lines = [worker.stdout.readline() for _ in range(4)]\n"
        "print(worker.pid)\n"
    )
    parent = subprocess.run([sys.executable, "-c", code, *BY_PATH, job], capture_output=True, text=True, check=True)
    pid = int(parent.stdout)

    stop = time.monotonic() + 10
    while time.monotonic() < stop and _alive(pid):
        time.sleep(0.05)

    assert not _alive(pid)
    assert list(out.iterdir()) == []


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIG_DFL)
    except ProcessLookupError:
        return False
    try:
        # A zombie that nobody waits for has ended.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True


def test_one_worker_for_many_jobs(scene: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a\nb"
    folder.mkdir()
    outputs = [tmp_path / "a.tif", tmp_path / "missing" / "b.tif", tmp_path / "c.tif"]
    jobs = []
    for number, output in enumerate(outputs):
        jobs.append(folder / f"{number}.json")
        arguments = {"input": str(scene), "output": str(output), "enhance": False}
        jobs[-1].write_text(json.dumps({"task": "detect_raster", "arguments": arguments}), encoding="utf-8")
    lines = "".join(json.dumps(str(job)) + "\n" for job in jobs)

    found = subprocess.run([*BY_PATH, "--serve"], input=lines, capture_output=True, text=True, check=False, timeout=60)

    events = [json.loads(line) for line in found.stdout.splitlines()]
    told = [event["event"] for event in events if event["event"] != "progress"]
    assert told == ["started", "result", "started", "error", "started", "result"]
    assert len({event["pid"] for event in events if event["event"] == "started"}) == 1
    assert [output.exists() for output in outputs] == [True, False, True]
    assert found.returncode == 0
