"""The settings page, and the managed environment: made without a connection, checked, removed."""

from __future__ import annotations

import sys
import time
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.qgis


@pytest.fixture
def page(provider, part, monkeypatch, tmp_path):
    """Return the settings page; the managed environment would lie in the test's folder."""
    monkeypatch.setenv("FERD_MODELS", str(tmp_path / "ferd" / "models"))
    made = part("options_page").OptionsFactory().createWidget(None)
    yield made
    part("runtime.settings").set_named_python("")


@pytest.fixture
def wheels(tmp_path) -> Path:
    """Return a folder with a wheel of a torch that cannot be imported."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    info = "torch-2.6.0.dist-info"
    with zipfile.ZipFile(folder / "torch-2.6.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("torch/__init__.py", "raise ImportError('a stand-in')\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: torch\nVersion: 2.6.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return folder


def wait_for(done, seconds: float = 120) -> None:
    from qgis.PyQt.QtCore import QCoreApplication

    stop = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < stop
        QCoreApplication.processEvents()
        time.sleep(0.02)


def test_the_named_python_is_kept_when_the_page_is_applied(page, part):
    settings = part("runtime.settings")
    page.python.setFilePath("/opt/python")
    assert settings.named_python() == ""
    assert "/opt/python" in page.in_use.text()

    page.apply()

    assert settings.named_python() == "/opt/python"
    assert part("options_page").OptionsPage().python.filePath() == "/opt/python"


def test_without_anything_numpy_is_in_use(page):
    assert "NumPy" in page.in_use.text()
    assert not page.check.isEnabled()
    assert page.make.isEnabled()
    assert not page.stop.isEnabled()


def test_the_check_button_runs_the_doctor_there(page, part):
    background = part("runtime.task").BACKGROUND
    page.python.setFilePath(sys.executable)

    page.check.click()
    assert not page.check.isEnabled()
    wait_for(lambda: not background.busy)

    log = page.log.toPlainText()
    assert sys.executable in log
    assert "backend numpy" in log
    assert ("is ready" in log) == ("GFLOP/s" in log.split("backend torch")[1].splitlines()[0])
    assert page.check.isEnabled()


def test_a_python_that_is_none_is_told(page, part, tmp_path):
    page.python.setFilePath(str(tmp_path / "nothing"))

    page.check.click()
    wait_for(lambda: not part("runtime.task").BACKGROUND.busy)

    assert "cannot be started" in page.log.toPlainText()


def test_made_offline_checked_and_removed(page, part, wheels, tmp_path):
    folder, background = tmp_path / "ferd" / "environment", part("runtime.task").BACKGROUND
    page.wheels.setFilePath(str(wheels))

    page.make.click()
    wait_for(lambda: not background.busy)

    log = page.log.toPlainText()
    assert "--no-index" in log
    # The stand-in is there, and the check says honestly that it is of no use.
    assert "a stand-in" in log
    assert "cannot run" in log
    assert (folder / "lib").is_dir() or (folder / "Lib").is_dir()
    taken = part("runtime.interpreter").worker_python()
    assert Path(taken.path).is_relative_to(folder)
    assert taken.path in page.in_use.text()
    # A page that is opened later shows what was said.
    assert part("options_page").OptionsPage().log.toPlainText() == log

    page.remove.click()
    assert not folder.exists()
    assert "NumPy" in page.in_use.text()


def test_what_cannot_be_installed_leaves_nothing(page, part, tmp_path):
    """An empty folder of wheels."""
    (tmp_path / "empty").mkdir()
    page.wheels.setFilePath(str(tmp_path / "empty"))

    page.make.click()
    wait_for(lambda: not part("runtime.task").BACKGROUND.busy)

    assert "could not be made" in page.log.toPlainText()
    assert "torch" in page.log.toPlainText()
    assert not (tmp_path / "ferd" / "environment").exists()


def test_cancel_leaves_nothing(page, part, wheels, tmp_path):
    page.wheels.setFilePath(str(wheels))

    page.make.click()
    assert page.stop.isEnabled()
    page.stop.click()
    wait_for(lambda: not part("runtime.task").BACKGROUND.busy)

    assert "ancelled" in page.log.toPlainText()
    assert not (tmp_path / "ferd" / "environment").exists()


def test_a_folder_that_is_no_environment_is_never_removed(page, part, tmp_path):
    folder = tmp_path / "ferd" / "environment"
    folder.mkdir(parents=True)
    (folder / "thesis.txt").write_text("mine")

    page.remove.click()

    assert (folder / "thesis.txt").read_text() == "mine"
    assert "no managed environment" in page.log.toPlainText()


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin"])
@pytest.mark.parametrize("build", ["cpu", "cuda"])
def test_pip_checks_certificates_whatever_the_build(part, build, platform):
    arguments = part("runtime.environment").pip_arguments(build, None, Path("no-cuda.txt"), platform)

    assert "--trusted-host" not in arguments
    assert all(not part.startswith("http:") for part in arguments)
    indexes = [part for part in arguments if part.startswith("https://")]
    # Where PyPI's own build is not the wanted one.
    assert bool(indexes) == ((build, platform) in {("cpu", "linux"), ("cuda", "win32")})
    assert all(build[:2] in index for index in indexes)
    # The user's mirror stays in charge of what the CPU build needs besides.
    assert (
        ("--constraint" in arguments) == ("--extra-index-url" in arguments) == ((build, platform) == ("cpu", "linux"))
    )


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """Return a folder in the place of all indexes: a CPU build, a newer CUDA build, and what that one needs."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name, version, needs in (
        ("torch", "2.6.0+cpu", ()), ("torch", "2.7.0", ("nvidia-cudnn-cu13", "triton")),
        ("triton", "3.0", ()), ("nvidia_cudnn_cu13", "9.0", ()),
    ):  # fmt: skip
        info = f"{name}-{version}.dist-info"
        requires = "".join(f"Requires-Dist: {need}\n" for need in needs)
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}/__init__.py", f"__version__ = {version!r}\nraise ImportError('a stand-in')\n")
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")
    configuration = tmp_path / "pip.conf"
    configuration.write_text("[global]\nno-index = true\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere PyPI's own build is the CPU's")
@pytest.mark.parametrize(("build", "version"), [("cpu", "2.6.0+cpu"), ("cuda", "2.7.0")])
def test_the_cpu_build_is_never_the_newer_one_for_cuda(page, part, index, tmp_path, build, version):
    page.build.setCurrentIndex(page.build.findData(build))

    page.make.click()
    wait_for(lambda: not part("runtime.task").BACKGROUND.busy)

    installed = {found.name.split("-")[0]: found.name for found in (tmp_path / "ferd").rglob("*.dist-info")}
    assert installed["torch"] == f"torch-{version}.dist-info"
    assert ("triton" in installed) == (build == "cuda")


def test_offline_means_no_index(part):
    arguments = part("runtime.environment").pip_arguments("cuda", "/media/wheels", Path("no-cuda.txt"))

    assert "--no-index" in arguments
    assert not [part for part in arguments if "://" in part]


def test_what_a_report_lacks_is_said(part):
    torch = {"available": False, "problem": "not installed"}
    report = {"numpy": "1.26", "scipy": None, "gdal": None, "gdal_problem": "no module", "backends": {"torch": torch}}

    problems = part("runtime.environment").problems(report)

    assert ["scipy" in problems[0], "no module" in problems[1], "not installed" in problems[2]] == [True] * 3


def test_the_page_comes_and_goes_with_the_plugin(plugin, part):
    class Interface:
        def __init__(self):
            self.factories = []

        def registerOptionsWidgetFactory(self, factory):
            self.factories.append(factory)

        def unregisterOptionsWidgetFactory(self, factory):
            self.factories.remove(factory)

    interface = Interface()
    plugin.unload()
    other = type(plugin)(interface)
    other.initGui()
    assert [factory.title() for factory in interface.factories] == ["FERD"]
    assert not interface.factories[0].icon().isNull()
    other.unload()
    assert interface.factories == []
    plugin.initGui()
