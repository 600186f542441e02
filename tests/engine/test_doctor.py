"""The doctor tells what is here and survives what is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ferd_engine import doctor
from ferd_engine._version import __version__

DEBIAN_OPENBLAS = """\
7f00-7f01 r-xp 0 08:01 1 /usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3
7f01-7f02 r--p 0 08:01 2 /usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblasp-r0.3.21.so
7f02-7f03 r--p 0 08:01 2 /usr/lib/x86_64-linux-gnu/openblas-pthread/libopenblasp-r0.3.21.so
7f03-7f04 r--p 0 08:01 3 /usr/lib/x86_64-linux-gnu/libgdal.so.32
7f04-7f05 rw-p 0 00:00 0
"""
DEBIAN_REFERENCE = "7f00-7f01 r-xp 0 08:01 1 /usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0\n"
PIP_WHEELS = """\
7f00-7f01 r-xp 0 08:01 1 /v/site-packages/numpy.libs/libscipy_openblas64_-99b71e71.so
7f01-7f02 r-xp 0 08:01 2 /v/site-packages/scipy.libs/libscipy_openblas-68440149.so
"""
CONDA_MKL = "7f00-7f01 r-xp 0 08:01 1 /opt/conda/lib/libmkl_rt.so.2\n"


@pytest.fixture(scope="module")
def report():
    return doctor.examine()


@pytest.mark.parametrize(
    ("maps", "n_files", "names", "slow"),
    [
        (DEBIAN_OPENBLAS, 2, ["OpenBLAS"], False),
        (DEBIAN_REFERENCE, 1, ["reference BLAS"], True),
        (PIP_WHEELS, 2, ["OpenBLAS"], False),
        (CONDA_MKL, 1, ["MKL"], False),
    ],
)
def test_blas_is_read_from_the_memory_map(monkeypatch, maps, n_files, names, slow):
    monkeypatch.setattr(doctor, "_read", lambda _: maps)
    found = doctor.examine_blas()
    assert len(found["files"]) == n_files
    assert found["names"] == names
    assert found["slow"] is slow


def test_blas_comes_from_numpys_build_where_there_is_no_map(monkeypatch):
    monkeypatch.setattr(doctor, "_read", lambda _: "")
    monkeypatch.setattr(np, "__config__", type("C", (), {"CONFIG": {"Build Dependencies": {"blas": {"name": "mkl"}}}}))
    assert doctor.examine_blas()["names"] == ["mkl"]
    monkeypatch.setattr(np, "__config__", type("C", (), {"blas_opt_info": {"libraries": ["cblas", "blas"]}}))
    assert doctor.examine_blas()["names"] == ["blas", "cblas"]


def test_report_holds_what_is_true_here(report):
    assert report["ferd"] == __version__
    assert report["numpy"] == np.__version__
    assert report["gdal_drivers"]["GTiff"] is True
    assert report["cores"] >= 1
    assert report["memory_bytes"] is None or report["memory_bytes"] > 2**28
    assert report["backends"]["numpy"]["gflops"] > 0.1
    assert json.loads(json.dumps(report)) == report


def test_text_names_every_part(report):
    text = doctor.as_text(report)
    for word in (__version__, np.__version__, report["gdal"], "GTiff", "GFLOP/s", "CUDA", report["models"]["folder"]):
        assert word in text
    for line in report["advice"]:
        assert line in text


def test_absent_torch_is_advised(monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda _: None)
    report = doctor.examine()
    assert report["backends"]["torch"]["available"] is False
    assert any("torch>=2.6" in line for line in report["advice"])
    assert "not installed" in doctor.as_text(report)


def test_broken_torch_and_gdal_are_told_not_raised(tmp_path):
    for name in ("torch", "osgeo"):
        (tmp_path / f"{name}.py").write_text(f"raise RuntimeError('{name} is built for another machine')")
    root = Path(doctor.__file__).parents[1]
    code = (
        f"import sys, json; sys.path[:0] = [{str(tmp_path)!r}, {str(root)!r}]\n"
        "from ferd_engine.doctor import as_text, examine\n"
        "report = examine(); as_text(report); print(json.dumps(report))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["gdal"] is None
    assert report["gdal_problem"] == "osgeo is built for another machine"
    assert report["backends"]["torch"]["problem"] == "installed, but fails: torch is built for another machine"
    assert "GDAL" in report["advice"][0]


def test_torch_stays_out_of_qgis(monkeypatch):
    monkeypatch.setitem(sys.modules, "qgis", type(sys)("qgis"))
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda _: object())
    monkeypatch.setitem(sys.modules, "torch", None)
    assert doctor.examine()["backends"]["torch"]["problem"] == "not loaded inside QGIS"


def test_slow_blas_and_missing_drivers_are_advised(monkeypatch):
    monkeypatch.setattr(doctor, "_read", lambda _: DEBIAN_REFERENCE)
    monkeypatch.setattr(doctor, "GDAL_DRIVERS", {**doctor.GDAL_DRIVERS, "NoSuchDriver": "a format of nobody"})
    report = doctor.examine()
    assert any("libopenblas0-pthread" in line for line in report["advice"])
    assert any("a format of nobody" in line for line in report["advice"])
    assert "(missing: NoSuchDriver)" in doctor.as_text(report)
