"""The command as scripts call it: exit codes, one sentence on stderr, JSON on stdout, progress on stderr alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from scipy.io import savemat

from ferd_engine.bands import parse_band_list
from ferd_engine.cli import main
from ferd_engine.fen.bundle import Model

from .rasters import cube, read_scores, write_envi, write_tiff
from .scenes import assert_close, naive_scores
from .test_outputs import contents

ROOT = Path(__file__).parents[2]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ferd_engine", *map(str, arguments)]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "FERD_MODELS": str(folder / "no-models"), "PYTHONPATH": str(ROOT)}


def ferd(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder that is not the repository."""
    return subprocess.run(
        command(*arguments), cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write_tiff(tmp_path / "scene.tif", cube(31, 23, 60, "int16"))


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Return a check for exit code 2, one sentence that holds the words, and that nothing was written.

    The command runs in this process, which saves half a second each; the tests that end well start it as users do.
    """
    monkeypatch.setenv("FERD_MODELS", str(tmp_path / "no-models"))
    monkeypatch.chdir(tmp_path)

    def check(*arguments: object, words: str) -> None:
        before = contents(tmp_path)
        capfd.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
        output, errors = capfd.readouterr()
        assert (code, output) == (2, ""), errors
        assert len(errors.splitlines()) == 1, errors
        assert errors.startswith("ferd")
        assert errors.endswith(".\n")
        assert words.lower() in errors.lower()
        assert contents(tmp_path) == before

    return check


def test_detect(tmp_path: Path, scene: Path) -> None:
    found = ferd(tmp_path, "detect", "scene.tif", "out.tif", "--json", "--backend", "numpy")
    assert found.returncode == 0, found.stderr
    report = json.loads(found.stdout)
    assert len(found.stdout.splitlines()) == 1
    assert Path(report["output"]) == tmp_path / "out.tif"
    expected = {"rows": 31, "cols": 23, "bands": 50, "model": "fen-50", "detector": "grx", "threshold": None}
    assert {key: report[key] for key in expected} == expected
    assert report["seconds"] > 0
    assert 10 << 20 < report["peak_memory_bytes"] < 4 << 30
    # A run of less than five seconds adds nothing to a log file.
    assert found.stderr == ""
    assert np.isfinite(read_scores(tmp_path / "out.tif")).all()


def test_detect_without_enhancement_in_words(tmp_path: Path, scene: Path) -> None:
    found = ferd(tmp_path, "detect", "scene.tif", "out.bsq", "--no-enhance", "--bands", "1-20")
    assert found.returncode == 0, found.stderr
    assert "Bands used: 20 (1-20)" in found.stdout
    assert "Detector: grx" in found.stdout
    array = cube(31, 23, 60, "int16")[:, :, :20].astype(np.float64)
    assert_close(read_scores(tmp_path / "out.bsq")[:, :, 0], naive_scores(array, None))


def test_enhance_with_every_option(tmp_path: Path, small_model: Model) -> None:
    savemat(tmp_path / "scene.mat", {"a": cube(12, 9, 9), "b": cube(9, 8, 7)})
    write_tiff(tmp_path / "mask.tif", np.ones((12, 9, 1), dtype=np.uint8))
    options = ["--model", small_model.folder, "--bands", "9,1-7", "--band-selection", "spread", "--variable", "a"]
    options += ["--scaling", "percentile", "--mask", "mask.tif", "--backend", "numpy", "--device", "cpu"]
    options += ["--memory", "256MiB", "--threads", "1", "--overwrite", "--json"]
    found = ferd(tmp_path, "enhance", "scene.mat", "out.tif", *options)
    assert found.returncode == 0, found.stderr
    report = json.loads(found.stdout)
    assert (report["bands"], report["detector"], report["memory_budget_bytes"]) == (6, None, 256 << 20)
    assert report["bands_used"] == "9,1,3-4,6-7"
    assert read_scores(tmp_path / "out.tif").shape == (12, 9, 6)


def test_info(tmp_path: Path, scene: Path) -> None:
    found = ferd(tmp_path, "info", "scene.tif", "--json")
    assert (found.returncode, found.stderr) == (0, "")
    facts = json.loads(found.stdout)
    assert (facts["rows"], facts["cols"], facts["bands"], facts["model"]) == (31, 23, 60, "fen-50")
    assert (facts["wavelengths_nm"], facts["bad_bands"]) == (None, "")
    assert len(parse_band_list(facts["bands_used"], 60)) == 50
    assert "32633" in facts["projection"]
    words = ferd(tmp_path, "info", "scene.tif")
    assert words.returncode == 0
    assert "fen-50" in words.stdout
    assert contents(tmp_path).keys() == {"scene.tif"}


def test_info_of_a_raster_with_too_few_bands_says_why(tmp_path: Path) -> None:
    write_tiff(tmp_path / "rgb.tif", cube(9, 8, 3, "uint8"), nodata=float("inf"))
    found = ferd(tmp_path, "info", "rgb.tif", "--json")
    assert found.returncode == 0, found.stderr

    def refuse(name: str) -> Any:
        raise AssertionError(f"{name} is not JSON")

    facts = json.loads(found.stdout, parse_constant=refuse)
    assert facts["model"] is None
    assert "needs 50" in facts["why"]


def test_sample_detect_and_evaluate(tmp_path: Path) -> None:
    found = ferd(tmp_path, "sample", "sample", "--json")
    assert found.returncode == 0, found.stderr
    paths = json.loads(found.stdout)
    found = ferd(tmp_path, "detect", paths["scene"], "scores.tif", "--no-enhance", "--json")
    assert found.returncode == 0, found.stderr
    found = ferd(tmp_path, "evaluate", "scores.tif", paths["truth"], "--json")
    assert found.returncode == 0, found.stderr
    assert 0.9 < json.loads(found.stdout)["auc"] <= 1.0


def test_models_and_detectors(tmp_path: Path, small_model: Model) -> None:
    listing = json.loads(ferd(tmp_path, "models", "list", "--json").stdout)["models"]
    assert [entry["name"] for entry in listing] == ["fen-200", "fen-100", "fen-50"]
    assert json.loads(ferd(tmp_path, "models", "show", small_model.folder, "--json").stdout)["bands"] == 6
    verified = ferd(tmp_path, "models", "verify", "--json")
    assert verified.returncode == 0, verified.stdout
    assert all(entry["problem"] == "" for entry in json.loads(verified.stdout)["models"])
    imported = ferd(tmp_path, "models", "import", small_model.folder, "mine", "--json")
    assert imported.returncode == 0, imported.stderr
    names = [entry["name"] for entry in json.loads(ferd(tmp_path, "models", "list", "--json").stdout)["models"]]
    assert "mine" in names
    detectors = json.loads(ferd(tmp_path, "detectors", "list", "--json").stdout)["detectors"]
    assert {"grx", "slrx"} <= {entry["name"] for entry in detectors}
    assert json.loads(ferd(tmp_path, "detectors", "show", "slrx", "--json").stdout)["options"] == ["block"]


def test_doctor(tmp_path: Path) -> None:
    found = ferd(tmp_path, "doctor", "--json")
    assert found.returncode == 0, found.stderr
    assert isinstance(json.loads(found.stdout), dict)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["models", "show", "nothing"], "nothing"),
        (["models", "import", "missing", "mine"], "missing"),
        (["models", "import", ".", "fen-50"], "embedded"),
        (["detectors", "show", "nothing"], "nothing"),
        (["evaluate", "missing.tif", "scene.tif"], "missing.tif"),
        (["info", "missing.tif"], "missing.tif"),
        (["info", "scene.tif", "--variable", "x"], "--variable"),
        (["nothing"], "invalid choice"),
        ([], "required"),
        (["models"], "required"),
        (["detect", "scene.tif"], "OUTPUT"),
    ],
)
def test_wrong_usage_of_the_other_commands(
    refused: Callable[..., None], scene: Path, arguments: list[str], words: str
) -> None:
    refused(*arguments, words=words)


@pytest.mark.parametrize("option", [["--scheduler", "here"], ["--nothing"]], ids=lambda option: option[0])
def test_options_that_are_not_there_are_refused(refused: Callable[..., None], scene: Path, option: list[str]) -> None:
    refused("detect", "scene.tif", "out.tif", *option, words=option[0][2:])


def test_a_mistyped_option_is_answered_with_the_nearest_one(refused: Callable[..., None], scene: Path) -> None:
    words = "(did you mean --detector?); see ferd detect --help"
    refused("detect", "scene.tif", "out.tif", "--detecor", "grx", words=words)


@pytest.mark.parametrize("command_name", ["detect", "enhance"])
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--bands", "1-99"], "1 to 60"),
        (["--bands", "vnir"], "vnir"),
        (["--bands", ""], "band list"),
        (["--bands", "1-49"], "needs 50"),
        (["--band-selection", "best"], "invalid choice"),
        (["--band-selection", "wavelength"], "wavelengths"),
        (["--model", "nothing"], "nothing"),
        (["--mask", "missing.tif"], "missing.tif"),
        (["--memory", "lots"], "lots"),
        (["--memory", "1MiB"], "64MiB"),
        (["--threads", "0"], "threads"),
        (["--threads", "many"], "many"),
        (["--variable", "data"], "--variable"),
        (["--device", "cuda", "--backend", "numpy"], "cuda"),
        (["--backend", "jax"], "invalid choice"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_unusable_options(
    refused: Callable[..., None], scene: Path, command_name: str, options: list[str], words: str
) -> None:
    refused(command_name, "scene.tif", "out.tif", *options, words=words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--detector", "nothing"], "nothing"),
        (["--block", "5"], "block"),
        (["--detector", "slrx", "--block", "-1"], "block"),
        (["--threshold", "much"], "much"),
        (["--threshold", "chi2:0.99", "--preset", "best"], "chi2 needs"),
        (["--bands", "400-1300"], "1 to 60"),
        (["--mask-out", "mask.tif"], "threshold"),
        (["--polygons", "areas.gpkg"], "threshold"),
        (["--background", "missing.tif"], "missing.tif"),
        (["--background", "scene.tif", "--detector", "crd"], "drop it"),
        (["--no-enhance", "--model", "fen-50"], "without enhancement"),
        (["--no-enhance", "--scaling", "percentile"], "without enhancement"),
    ],
)
def test_unusable_options_of_detect(refused: Callable[..., None], scene: Path, options: list[str], words: str) -> None:
    refused("detect", "scene.tif", "out.tif", *options, words=words)


def bad_inputs(folder: Path) -> dict[str, str]:
    """Write inputs that cannot be used, and return names with words of the refusal."""
    good = cube(31, 23, 60)
    write_tiff(folder / "three.tif", good[:, :, :3])
    write_tiff(folder / "nodata.tif", np.full_like(good, -1.0), nodata=-1)
    write_tiff(folder / "constant.tif", np.full_like(good, 7.0))
    write_tiff(folder / "pixel.tif", good[:1, :1])
    write_tiff(folder / "nan.tif", np.full_like(good, np.nan))
    write_envi(folder / "bad.bsq", good, bbl="{" + ", ".join(["0"] * 60) + "}")
    short = write_envi(folder / "short.bil", good, "bil")
    short.write_bytes(short.read_bytes()[:50_000])
    (folder / "text.tif").write_text("not a raster")
    (folder / "text.npy").write_text("not an array")
    np.save(folder / "objects.npy", np.array([[[None]]]))
    np.save(folder / "flat.npy", good[:, :, 0])
    savemat(folder / "two.mat", {"a": good, "b": good})
    (folder / "folder").mkdir()
    return {
        "missing.tif": "no file",
        "text.tif": "cannot open",
        "folder": "cannot open",
        "three.tif": "needs 50",
        "nodata.tif": "two different valid values",
        "constant.tif": "two different valid values",
        "pixel.tif": "two different valid values",
        "nan.tif": "two different valid values",
        "bad.bsq": "marked as bad",
        "short.bil": "short.bil",
        "text.npy": "numpy",
        "objects.npy": "numpy",
        "flat.npy": "shape",
        "two.mat": "--variable",
    }


@pytest.mark.parametrize("command_name", ["detect", "enhance"])
def test_unusable_inputs(refused: Callable[..., None], tmp_path: Path, command_name: str) -> None:
    for name, words in bad_inputs(tmp_path).items():
        refused(command_name, name, "out.tif", words=words)


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("missing/out.tif", "no folder"),
        ("scene.tif", "is the input itself"),
        ("./sub/../scene.tif", "is the input itself"),
        ("old.tif", "exists already"),
        ("sub", "known type"),
        ("sub.tif", "is a folder"),
        ("old.tif/out.tif", "no folder"),
        ("out.png", "known type"),
        ("long" * 100 + ".tif", "shorter name"),
    ],
)
@pytest.mark.parametrize("command_name", ["detect", "enhance"])
def test_unusable_outputs(
    refused: Callable[..., None], tmp_path: Path, scene: Path, command_name: str, output: str, words: str
) -> None:
    (tmp_path / "old.tif").write_text("an earlier result")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub.tif").mkdir()
    refused(command_name, "scene.tif", output, words=words)


def test_a_block_that_cannot_be_decoded_is_an_unusable_input(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 30000, (64, 40, 60)).astype(np.int16)
    path = write_tiff(tmp_path / "scene.tif", array, "COMPRESS=DEFLATE", "BLOCKYSIZE=4")
    content = bytearray(path.read_bytes())
    # In the first strips, where the probe does not look.
    start = len(content) // 100
    content[start : start + 3000] = b"\xff" * 3000
    path.write_bytes(content)
    before = contents(tmp_path)
    found = ferd(tmp_path, "detect", "scene.tif", "out.tif")
    assert found.returncode == 2, found.stderr
    assert "Traceback" not in found.stderr
    assert "the file is damaged or was cut short" in found.stderr.splitlines()[-1]
    assert contents(tmp_path) == before


def test_a_refusal_as_users_meet_it(tmp_path: Path, scene: Path) -> None:
    for arguments in (["detect", "missing.tif", "out.tif"], ["enhance", "scene.tif", "scene.tif"], ["nothing"]):
        found = ferd(tmp_path, *arguments)
        assert (found.returncode, found.stdout, len(found.stderr.splitlines())) == (2, "", 1), found.stderr
    assert contents(tmp_path).keys() == {"scene.tif"}


@pytest.mark.parametrize("interrupt", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize(
    ("door", "wait_s"), [("detect", 0.0), ("detect", 0.4), ("enhance", 0.2)], ids=["at once", "detect", "enhance"]
)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_an_interrupt_leaves_nothing(tmp_path: Path, interrupt: int, door: str, wait_s: float) -> None:
    np.save(tmp_path / "scene.npy", cube(700, 600, 60, "int16"))
    (tmp_path / "out.tif").write_text("an earlier result")
    before = contents(tmp_path)
    arguments = ("scene.npy", "out.tif", "--overwrite", "--backend", "numpy", "--threads", "1")
    with subprocess.Popen(
        command(door, *arguments),
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        until = time.monotonic() + 30
        while not list(tmp_path.glob(".ferd-*")) and time.monotonic() < until:
            time.sleep(0.01)
        assert list(tmp_path.glob(".ferd-*"))
        time.sleep(wait_s)
        assert run.poll() is None
        asked = time.monotonic()
        run.send_signal(interrupt)
        output, errors = run.communicate(timeout=30)
    assert time.monotonic() - asked < 10.0
    assert run.returncode == 130, errors
    assert output == ""
    assert errors.splitlines()[-1] == "ferd: The run was cancelled; nothing was written."
    assert "Traceback" not in errors
    assert contents(tmp_path) == before


def test_a_reader_that_goes_away_ends_quietly(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    found = subprocess.run(
        command("detectors", "list"),
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert found.stderr == ""


def test_help_needs_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from ferd_engine.cli import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit as end:\n"
        "    assert end.code == 0\n"
        "assert not {'numpy', 'osgeo', 'scipy', 'torch'} & set(sys.modules)\n"
    )
    for arguments in (["--help"], ["detect", "--help"], ["--version"]):
        found = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (found.returncode, found.stderr) == (0, "")
        assert found.stdout


def test_a_preset_sets_the_detector_and_refuses_another(
    tmp_path: Path, scene: Path, refused: Callable[..., None]
) -> None:
    found = ferd(tmp_path, "detect", scene, "out.tif", "--preset", "balanced", "--json", "--backend", "numpy")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["detector"] == "grx"
    refused("detect", scene, "b.tif", "--preset", "balanced", "--detector", "lrx", words="no place beside it")
    refused("detect", scene, "b.tif", "--preset", "best", "--detector", "grx", words="no place beside it")
    refused("detect", scene, "b.tif", "--preset", "best", "--inner", "5", words="no place beside it")
    refused("detect", scene, "b.tif", "--preset", "finest", words="invalid choice")
