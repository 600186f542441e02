"""Runs in another Python: the same results, progress and cancel, and a sentence for each way in which a worker ends."""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import ferd_engine

pytestmark = [
    pytest.mark.qgis,
    pytest.mark.skipif(os.name == "nt", reason="the stand-ins for a Python are shell scripts"),
]

RX = "ferd:rxanomalydetection"


@pytest.fixture
def name_python(part):
    """Return a function that names a Python for the worker, as the settings page does; forgotten after the test."""
    settings = part("runtime.settings")
    yield settings.set_named_python
    settings.set_named_python("")


@pytest.fixture
def stand_in(tmp_path, name_python):
    """Return a function that names a shell script as the Python; `$5` is the job's file."""

    def make(script: str) -> Path:
        path = tmp_path / "python-stand-in"
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        name_python(str(path))
        return path

    return make


def run(feedback=None, **parameters):
    import processing

    return processing.run(RX, parameters, feedback=feedback)


def failure(provider, feedback, **parameters) -> str:
    from qgis.core import QgsProcessingContext

    algorithm = provider.algorithm("rxanomalydetection").create()
    _, done = algorithm.run(parameters, QgsProcessingContext(), feedback)
    assert not done
    assert len(feedback.errors) == 1
    assert "\n" not in feedback.errors[0].strip()
    return feedback.errors[0]


def test_a_run_in_the_worker_is_the_engines(provider, scene, tmp_path, read_raster, feedback, name_python):
    name_python(sys.executable)

    result = run(
        feedback, INPUT=str(scene), MODEL="fen-50", THRESHOLD="count:7", OUTPUT=str(tmp_path / "qgis.tif"),
        MASK_OUT=str(tmp_path / "mask.tif"),
    )  # fmt: skip
    report = ferd_engine.detect_raster(
        str(scene), str(tmp_path / "engine.tif"), model="fen-50", threshold="count:7", mask_out=str(tmp_path / "m.tif")
    )

    np.testing.assert_array_equal(read_raster(result["OUTPUT"]), read_raster(tmp_path / "engine.tif"))
    np.testing.assert_array_equal(read_raster(result["MASK_OUT"]), read_raster(tmp_path / "m.tif"))
    log = "\n".join(feedback.infos)
    assert sys.executable in log
    assert f"Backend: {report.backend}" in log
    assert "7 pixels above it" in log
    assert any("constant were left out" in warning for warning in feedback.warnings)
    assert feedback.steps
    assert feedback.progress() == 100.0


def test_a_preset_goes_through_the_worker(provider, scene, tmp_path, feedback, name_python):
    name_python(sys.executable)

    run(feedback, INPUT=str(scene), MODEL="fen-50", PRESET="best", OUTPUT=str(tmp_path / "s.tif"))

    assert any("fusion" in line for line in feedback.infos)


def test_the_torch_worker_ran_torch(provider, scene, tmp_path, read_raster, feedback, name_python):
    pytest.importorskip("torch")
    name_python(sys.executable)

    torch = run(feedback, INPUT=str(scene), MODEL="fen-50", BACKEND="torch", OUTPUT=str(tmp_path / "t.tif"))
    numpy = run(INPUT=str(scene), MODEL="fen-50", BACKEND="numpy", OUTPUT=str(tmp_path / "n.tif"))

    assert any(line.startswith("Backend: torch") for line in feedback.infos)
    one, other = read_raster(torch["OUTPUT"]), read_raster(numpy["OUTPUT"])
    np.testing.assert_allclose(one, other, rtol=1e-4)


def test_without_a_worker_auto_is_numpy_and_the_log_says_so(provider, scene, tmp_path, feedback):
    run(feedback, INPUT=str(scene), MODEL="fen-50", OUTPUT=str(tmp_path / "s.tif"))

    assert "Runs inside QGIS with NumPy." in feedback.infos


@pytest.mark.parametrize("parameters", [{"BACKEND": "torch"}, {"DEVICE": "cuda"}])
def test_torch_without_a_worker_is_refused_before_the_run(provider, scene, parameters):
    from qgis.core import QgsProcessingContext

    values = {"INPUT": str(scene), "OUTPUT": "TEMPORARY_OUTPUT", **parameters}
    fits, reason = provider.algorithm("rxanomalydetection").checkParameterValues(values, QgsProcessingContext())

    assert not fits
    assert "Options, FERD" in reason


def test_an_error_of_the_engine_comes_through(provider, scene, feedback, tmp_path, name_python):
    """Band 7 is constant, which only the run sees: 49 of the 50 named bands are left."""
    name_python(sys.executable)

    message = failure(provider, feedback, INPUT=str(scene), BANDS="1-50", OUTPUT=str(tmp_path / "s.tif"))

    assert "49" in message
    assert not (tmp_path / "s.tif").exists()


ENDS = {
    "not there": (None, "cannot be started"),
    "garbage": ("echo '{\"event\": '; echo '[1]'; echo 'null'; printf '\\377\\376'; exit 3", "exit code 3"),
    "silence": ("exit 0", "without a result"),
    "half a result": ('printf \'{"event": "result", "result": 5}\'; exit 0', "without a result"),
    "an exception": ("echo 'ImportError: no such thing' >&2; exit 1", "no such thing"),
    "killed": ("kill -9 $$", "memory ran out"),
    "its own word": ('echo \'{"event": "error", "message": "The disk is full: make room."}\'; exit 1', "disk is full"),
}


@pytest.mark.parametrize("script", ENDS)
def test_a_worker_that_ends_badly_says_why(provider, scene, feedback, tmp_path, stand_in, name_python, script):
    content, words = ENDS[script]
    if content is None:
        name_python(str(tmp_path / "no-python"))
    else:
        stand_in(content)

    message = failure(provider, feedback, INPUT=str(scene), OUTPUT=str(tmp_path / "s.tif"))

    assert words in message
    assert not (tmp_path / "s.tif").exists()


def pressed_after(seconds: float, feedback) -> threading.Timer:
    timer = threading.Timer(seconds, feedback.cancel)
    timer.start()
    return timer


def test_a_worker_that_hangs_is_killed_soon(provider, scene, feedback, tmp_path, stand_in):
    from qgis.core import QgsProcessingContext

    stand_in(f"echo $$ > {tmp_path}/pid; trap '' INT; while true; do sleep 1; done")
    pressed_after(0.7, feedback)
    started = time.monotonic()

    algorithm = provider.algorithm("rxanomalydetection").create()
    result, _ = algorithm.run(
        {"INPUT": str(scene), "OUTPUT": str(tmp_path / "s.tif")}, QgsProcessingContext(), feedback
    )

    assert result == {}
    assert time.monotonic() - started < 0.7 + 5.0
    assert feedback.errors == []
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_cancel_stops_the_worker_which_leaves_nothing(provider, make_scene, feedback, tmp_path, name_python, quickest):
    from osgeo import gdal
    from qgis.core import QgsProcessingContext

    name_python(sys.executable)
    large, out = str(tmp_path / "large.vrt"), tmp_path / "out"
    out.mkdir()
    gdal.Translate(large, str(make_scene()), format="VRT", width=900, height=1000)

    class Watched(type(feedback)):
        def __init__(self):
            super().__init__()
            self.at_work = threading.Event()

        def setProgressText(self, text):
            self.at_work.set()

    def seconds_after_cancel() -> float:
        watched, pressed = Watched(), []

        def press():
            watched.at_work.wait(30)
            time.sleep(0.3)
            pressed.append(time.monotonic())
            watched.cancel()

        threading.Thread(target=press, daemon=True).start()
        algorithm = provider.algorithm("rxanomalydetection").create()
        result, _ = algorithm.run({"INPUT": large, "OUTPUT": str(out / "s.tif")}, QgsProcessingContext(), watched)
        stopped = time.monotonic()

        assert result == {}
        assert pressed, "the run ended before it could be cancelled"
        assert list(out.iterdir()) == []
        assert any("nothing was written" in info for info in watched.infos)
        return stopped - pressed[0]

    assert quickest(seconds_after_cancel, 1.0) < 3.0


def test_in_a_background_task_as_the_dialog_runs_it(provider, scene, tmp_path, feedback, name_python):
    """QGIS's own thread goes on in the meantime: a timer of its event loop is on time."""
    from qgis.core import QgsApplication, QgsProcessingAlgRunnerTask, QgsProcessingContext
    from qgis.PyQt.QtCore import QEventLoop, QTimer

    name_python(sys.executable)
    context, outcomes, ticks = QgsProcessingContext(), [], []
    algorithm = provider.algorithm("rxanomalydetection").create()
    parameters = {"INPUT": str(scene), "MODEL": "fen-50", "OUTPUT": str(tmp_path / "scores.tif")}
    task = QgsProcessingAlgRunnerTask(algorithm, parameters, context, feedback)
    loop, clock = QEventLoop(), QTimer()
    clock.timeout.connect(lambda: ticks.append(time.monotonic()))
    clock.start(20)
    task.executed.connect(lambda done, result: (outcomes.append((done, dict(result))), loop.quit()))
    QTimer.singleShot(60_000, loop.quit)
    QgsApplication.taskManager().addTask(task)
    loop.exec()

    assert outcomes == [(True, {"OUTPUT": str(tmp_path / "scores.tif")})]
    assert max(np.diff(ticks)) < 0.5


def test_the_environment_of_qgis_stays_behind(provider, scene, feedback, tmp_path, stand_in, monkeypatch):
    left_behind = {
        "PYTHONHOME": "/qgis", "PYTHONPATH": "/qgis", "LD_LIBRARY_PATH": "/qgis", "GDAL_DATA": "/qgis",
        "PROJ_LIB": "/qgis", "QT_PLUGIN_PATH": "/qgis", "QGIS_PREFIX_PATH": "/qgis", "PYTHONHTTPSVERIFY": "0",
        "PIP_TRUSTED_HOST": "*", "SECRET_TOKEN": "x",
    }  # fmt: skip
    for name, value in {**left_behind, "LC_TEST": "de", "HTTPS_PROXY": "http://proxy:1"}.items():
        monkeypatch.setenv(name, value)
    stand_in(f"env > {tmp_path}/env; cp $4 {tmp_path}/job.json; exit 3")

    failure(provider, feedback, INPUT=str(scene), OUTPUT=str(tmp_path / "s.tif"))

    got = dict(line.split("=", 1) for line in (tmp_path / "env").read_text().splitlines() if "=" in line)
    assert not set(left_behind) & set(got)
    assert got["LC_TEST"] == "de"
    assert got["HTTPS_PROXY"] == "http://proxy:1"
    assert {"PATH", "HOME"} <= set(got)
    job = json.loads((tmp_path / "job.json").read_text())
    assert job["task"] == "detect_raster"
    assert job["arguments"]["backend"] == "auto"


@pytest.mark.parametrize("chunks", [[b"a\nb\r\nc"], [b"a", b"\nb\r", b"\nc"], [b"a\n", b"b\n", b"", b"c"]])
def test_lines_are_put_together_from_chunks(part, chunks):
    lines = []
    cutter = part("runtime.process").Lines(lines.append)

    for chunk in chunks:
        cutter.add(chunk)
    assert lines == ["a", "b"]
    cutter.end()
    assert lines == ["a", "b", "c"]


def test_which_python_is_taken(part, name_python, tmp_path, monkeypatch):
    interpreter = part("runtime.interpreter")
    assert interpreter.worker_python() is None

    own = interpreter.base_python()
    assert Path(own).name.startswith("python")
    monkeypatch.setattr(interpreter, "find_spec", lambda name: name)
    assert interpreter.worker_python().path == own
    managed = interpreter.python_of(tmp_path)
    monkeypatch.setattr(interpreter, "environment_folder", lambda: tmp_path)
    managed.parent.mkdir()
    managed.touch()
    # Half an environment is none.
    assert interpreter.worker_python().path == own
    (tmp_path / interpreter.READY_FILE).touch()
    assert interpreter.worker_python().path == str(managed)
    name_python("/opt/python")
    assert interpreter.worker_python().path == "/opt/python"


@pytest.mark.parametrize(
    ("backend", "device", "enhances", "in_worker"),
    [
        ("auto", "auto", True, True),
        ("auto", "auto", False, False),
        ("torch", "auto", False, True),
        # Detectors can use a graphics card too, and one that was asked for is never left unused without a word.
        ("auto", "cuda", False, True),
        ("numpy", "auto", True, False),
    ],
)
def test_what_runs_in_the_worker(part, name_python, backend, device, enhances, in_worker):
    name_python(sys.executable)
    options = part("engine").engine("options").EnhanceOptions(backend=backend, device=device)

    assert (part("runtime.runs").choose_python(options, enhances=enhances) is not None) == in_worker
