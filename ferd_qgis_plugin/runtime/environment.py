"""The managed environment: made, filled with PyTorch, checked and removed, all by the programs that Python brings."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any, Callable

from qgis.core import QgsProcessingFeedback
from qgis.PyQt.QtCore import QCoreApplication

from ..engine import engine
from .interpreter import READY_FILE, Interpreter, base_python, python_of
from .jobs import run_job
from .process import Ended, Program
from .settings import environment_folder

translate = QCoreApplication.translate

TORCH = "torch>=2.6"
_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
_CUDA_INDEX = "https://download.pytorch.org/whl/cu126"
# What the CUDA builds need and the CPU build does not. Unless these are ruled out, pip, which prefers the newest
# version wherever it lies, takes gigabytes that were not asked for where PyTorch's own index is out of reach or lags
# behind.
NO_CUDA = (
    "cuda-toolkit",
    "cuda-bindings",
    "nvidia-cuda-nvrtc-cu12",
    "nvidia-cudnn-cu12",
    "nvidia-cudnn-cu13",
    "triton",
)
_NEEDED = ("numpy", "scipy")


class SetupError(RuntimeError):
    """An environment that could not be made, or that lacks something; the message is one sentence."""


def pip_arguments(build: str, offline_folder: str | None, constraints: Path, platform: str = sys.platform) -> list[str]:
    """Return what pip is told, for the build `cpu` or `cuda`; `constraints` is a file with the lines of `NO_CUDA`.

    Certificates are checked as pip checks them; nothing here, and nothing in the environment that pip gets, turns that
    off. What PyPI itself has is a CUDA build on Linux and a CPU build elsewhere.
    """
    arguments = ["install", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:"]
    if offline_folder:
        return [*arguments, "--no-index", "--find-links", offline_folder, TORCH]
    if build == "cpu" and platform == "linux":
        # Beside the user's own index or mirror. A build named "+cpu" comes before one of the same version without.
        arguments += ["--extra-index-url", _CPU_INDEX, "--constraint", str(constraints)]
    elif build == "cuda" and platform == "win32":
        arguments += ["--index-url", _CUDA_INDEX]
    return [*arguments, TORCH]


def make_environment(
    build: str, offline_folder: str | None, log: Callable[[str], None], is_cancelled: Callable[[], bool]
) -> Interpreter:
    """Make the managed environment anew, PyTorch beside the packages that QGIS's Python has, and return its Python.

    offline_folder : a folder of wheels to install from, with no connection at all. Raises `SetupError` with the
    last words of the program that failed; half an environment is removed.
    """
    if offline_folder and not Path(offline_folder).is_dir():
        raise SetupError(
            translate("FERD", "There is no folder {path}: name the folder that holds the wheel of PyTorch.").format(
                path=offline_folder
            )
        )
    own = base_python()
    if own is None:
        raise SetupError(
            translate(
                "FERD",
                "The Python of this QGIS cannot be found as a program: make an environment yourself, and name its "
                "Python.",
            )
        )
    folder = environment_folder()
    remove_environment()
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        # With QGIS's packages, because GDAL's bindings belong to its GDAL and are not on PyPI.
        _run(own, ["-I", "-m", "venv", "--system-site-packages", str(folder)], log, is_cancelled)
        python = str(python_of(folder))
        constraints = folder / "no-cuda.txt"
        constraints.write_text("".join(f"{name}<0\n" for name in NO_CUDA), encoding="utf-8")
        _run(python, ["-I", "-m", "pip", *pip_arguments(build, offline_folder, constraints)], log, is_cancelled)
        (folder / READY_FILE).write_text(f"{build}\n", encoding="utf-8")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return Interpreter(python, translate("FERD", "managed environment"))


def remove_environment() -> bool:
    """Remove the managed environment; say whether there was one."""
    folder = environment_folder()
    # A folder of this name that is no environment is not ours.
    if not (folder / "pyvenv.cfg").is_file():
        return False
    shutil.rmtree(folder)
    return True


def check_python(python: Interpreter, feedback: QgsProcessingFeedback) -> tuple[str, list[str]]:
    """Run `ferd doctor` in a Python and return its report as text, and what is missing for the worker, in sentences.

    Raises `WorkerError` where it cannot even run that.
    """
    report = run_job(python, "doctor", {}, feedback)
    return engine("doctor").as_text(report), problems(report)


def problems(report: dict[str, Any]) -> list[str]:
    """Return what keeps the worker from running in the Python that a report of `ferd doctor` is about."""
    found = []
    missing = [name for name in _NEEDED if not report.get(name)]
    if missing:
        found.append(translate("FERD", "It lacks {packages}.").format(packages=", ".join(missing)))
    if not report.get("gdal"):
        found.append(translate("FERD", "GDAL's Python bindings are missing: {why}.").format(why=report["gdal_problem"]))
    torch = report["backends"]["torch"]
    if not torch["available"]:
        found.append(translate("FERD", "PyTorch: {why}.").format(why=torch["problem"]))
    return found


def _run(program: str, arguments: list[str], log: Callable[[str], None], is_cancelled: Callable[[], bool]) -> None:
    log(" ".join([Path(program).name, *arguments]))
    ended = Program(program, arguments, log).run(is_cancelled)
    if is_cancelled():
        raise SetupError(translate("FERD", "Cancelled; the environment was removed."))
    if not ended.started or ended.killed or ended.exit_code:
        raise SetupError(_failure(program, ended))


def _failure(program: str, ended: Ended) -> str:
    if not ended.started:
        return translate("FERD", "The program {path} cannot be started.").format(path=program)
    words = [line.strip() for line in ended.errors.splitlines() if line.strip()]
    return translate("FERD", "The environment could not be made (exit code {code}): {words}").format(
        code=ended.exit_code, words=" ".join(words[-3:])[:600] or translate("FERD", "no reason given")
    )
