"""What this installation has: versions, linear algebra, backends, raster formats, and what to install for more."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import logging
import os
import platform
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ._version import __version__
from .threads import available_threads

logger = logging.getLogger("ferd")

GDAL_DRIVERS = {
    "GTiff": "GeoTIFF",
    "ENVI": "ENVI",
    "HDF5": "HDF5 and MATLAB 7.3",
    "netCDF": "netCDF",
    "GPKG": "GeoPackage",
}
OPTIONAL_PACKAGES = ("torch", "safetensors", "huggingface_hub", "distributed")

_BLAS_FILE = re.compile(r"/\S*?lib(?:scipy_)?(?:openblas|mkl|atlas|blis|cblas|blas|flexiblas)[^/\s]*\.so[^/\s]*")
_REFERENCE = "reference BLAS"
_GEMM_SIZE = 768


def examine() -> dict[str, Any]:
    """Return what is here, as plain values that JSON holds; `advice` lists what to install for more, best first.

    Never fails for what is missing. Takes about a second: each backend multiplies matrices to measure GFLOP/s, and
    torch is loaded, except inside QGIS, where loading it could crash the program.
    """
    numpy_gflops = _gflops(_numpy_product())
    # Read before torch is loaded: its own BLAS is not the one that NumPy computes with.
    blas = examine_blas()
    report: dict[str, Any] = {
        "ferd": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "numpy": np.__version__,
        "scipy": _version("scipy"),
        **_examine_gdal(),
        "packages": {name: _version(name) for name in OPTIONAL_PACKAGES},
        "blas": blas,
        "cores": available_threads(),
        "memory_bytes": _memory_bytes(),
        "backends": {"numpy": {"available": True, "gflops": numpy_gflops}, "torch": _examine_torch()},
        "models": _examine_models(),
    }
    report["advice"] = _advice(report)
    return report


def as_text(report: dict[str, Any]) -> str:
    """Return a report of `examine` as lines for a person."""
    torch = report["backends"]["torch"]
    memory = report["memory_bytes"]
    rows = [
        ("ferd", report["ferd"]),
        ("Python", f"{report['python']} ({report['executable']})"),
        ("platform", report["platform"]),
        ("NumPy, SciPy", f"{report['numpy']}, {report['scipy'] or 'not installed'}"),
        ("GDAL", report["gdal"] or f"not usable: {report['gdal_problem']}"),
        ("formats", _yes_and_no(report["gdal_drivers"])),
        ("BLAS", ", ".join(report["blas"]["names"]) or "unknown"),
        ("cores, memory", f"{report['cores']}, {f'{memory / 2**30:.1f} GiB' if memory else 'unknown'}"),
        ("backend numpy", f"{report['backends']['numpy']['gflops']:.0f} GFLOP/s"),
        ("backend torch", f"{torch['gflops']:.0f} GFLOP/s" if torch.get("gflops") else torch["problem"]),
        ("CUDA", ", ".join(torch["cuda_devices"]) or "none"),
        ("packages", ", ".join(f"{name} {version or '-'}" for name, version in report["packages"].items())),
        ("models", _models_line(report["models"])),
    ]
    lines = [f"{name:<14}{value}" for name, value in rows]
    advice = [f"  * {line}" for line in report["advice"]]
    return "\n".join([*lines, "", *(["For more:", *advice] if advice else ["Nothing more to install."])])


def examine_blas() -> dict[str, Any]:
    """Return the BLAS that NumPy and SciPy compute with: `names`, `files`, and `slow` for the reference one.

    On Linux from the libraries that this process has mapped, which is what the dynamic linker really chose; elsewhere
    from what NumPy was built with.
    """
    try:
        from scipy.linalg import blas  # noqa: F401, RUF100 - loads SciPy's BLAS into the process
    except ImportError as error:
        logger.debug("SciPy's BLAS could not be loaded: %s", error)
    files = blas_files(_read("/proc/self/maps"))
    names = sorted({_blas_name(file) for file in files} or _configured_blas())
    return {"names": names, "files": files, "slow": _REFERENCE in names}


def blas_files(maps: str) -> list[str]:
    """Return the BLAS libraries named in the text of a Linux process's memory map."""
    return sorted({match[0] for match in map(_BLAS_FILE.search, maps.splitlines()) if match})


def _blas_name(file: str) -> str:
    # A whole path, because Debian calls every library libblas.so.3 and puts OpenBLAS's into openblas-pthread/.
    for mark, name in (("openblas", "OpenBLAS"), ("mkl", "MKL"), ("atlas", "ATLAS"), ("blis", "BLIS")):
        if mark in file.lower():
            return name
    return "FlexiBLAS" if "flexiblas" in file else _REFERENCE


def _configured_blas() -> set[str]:
    """Return the BLAS of NumPy's build, in the words of its build configuration."""
    config = getattr(np, "__config__", None)
    modern = getattr(config, "CONFIG", {}).get("Build Dependencies", {}).get("blas", {}).get("name")
    if modern:
        return {str(modern)}
    return {str(name) for name in getattr(config, "blas_opt_info", {}).get("libraries", ())}


def _examine_gdal() -> dict[str, Any]:
    try:
        from osgeo import gdal, gdal_array  # noqa: F401 - GDAL without its NumPy bridge is of no use here
    except Exception as error:  # noqa: BLE001 - a GDAL built for another NumPy raises whatever its loader likes
        problem = " ".join(str(error).split())
        return {"gdal": None, "gdal_problem": problem, "gdal_drivers": dict.fromkeys(GDAL_DRIVERS, False)}
    drivers = {name: gdal.GetDriverByName(name) is not None for name in GDAL_DRIVERS}
    return {"gdal": gdal.__version__, "gdal_problem": "", "gdal_drivers": drivers}


def _examine_torch() -> dict[str, Any]:
    found: dict[str, Any] = {"available": False, "gflops": None, "cuda_devices": [], "problem": ""}
    if importlib.util.find_spec("torch") is None:
        return {**found, "problem": "not installed"}
    if "qgis" in sys.modules:
        return {**found, "problem": "not loaded inside QGIS"}
    try:
        import torch

        matrix = torch.rand(_GEMM_SIZE, _GEMM_SIZE)
        devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
        names = [str(torch.cuda.get_device_name(index)) for index in devices]
        gflops = _gflops(lambda: torch.mm(matrix, matrix))
    except Exception as error:  # noqa: BLE001 - a broken torch fails in its loader in ways of its own
        return {**found, "problem": f"installed, but fails: {' '.join(str(error).split())}"}
    return {**found, "available": True, "gflops": gflops, "cuda_devices": names}


def _examine_models() -> dict[str, Any]:
    from .fen.store import list_models, user_folder

    listings = list_models()
    usable = [listing.name for listing in listings if listing.model is not None]
    problems = {listing.name: listing.problem for listing in listings if listing.model is None}
    return {"folder": str(user_folder()), "usable": usable, "problems": problems}


def _numpy_product() -> Callable[[], object]:
    matrix = np.random.default_rng(0).random((_GEMM_SIZE, _GEMM_SIZE), dtype=np.float32)
    return lambda: matrix @ matrix


def _gflops(product: Callable[[], object]) -> float:
    """Return the best of three products' GFLOP/s, after one to warm up."""
    seconds = []
    for _ in range(4):
        start = time.perf_counter()
        product()
        seconds.append(time.perf_counter() - start)
    return round(2 * _GEMM_SIZE**3 / max(min(seconds[1:]), 1e-9) / 1e9, 1)


def _memory_bytes() -> int | None:
    """Return the machine's memory, or None where the platform does not say."""
    if sys.platform == "win32":
        # MEMORYSTATUSEX: two 32-bit numbers (its size, load in per cent), then seven of 64 bits, the total first.
        status = (ctypes.c_uint64 * 8)()
        status[0] = ctypes.sizeof(status)
        done = ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
        return int(status[1]) if done else None
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _advice(report: dict[str, Any]) -> list[str]:
    """Return what to install, most useful first."""
    lines = []
    if report["gdal"] is None:
        lines.append(
            "Install GDAL's Python bindings and, from the same place, NumPy and SciPy (Debian: python3-gdal, "
            "python3-scipy; the environment with --system-site-packages), or use QGIS's Python."
        )
    if report["scipy"] is None:
        lines.append("Install SciPy from where NumPy is from (Debian: python3-scipy), or python -m pip install scipy.")
    if report["blas"]["slow"]:
        lines.append("NumPy computes with the slow reference BLAS: install OpenBLAS (Debian: libopenblas0-pthread).")
    torch = report["backends"]["torch"]
    if torch["problem"] == "not installed":
        lines.append('Install PyTorch for the torch backend and for GPUs: python -m pip install "torch>=2.6"')
    elif torch["available"] and not torch["cuda_devices"] and Path("/dev/nvidia0").exists():
        lines.append("There is an NVIDIA device that this PyTorch does not see: install its CUDA build (pytorch.org).")
    if report["gdal"] is not None:
        missing = [what for name, what in GDAL_DRIVERS.items() if not report["gdal_drivers"][name]]
        if missing:
            lines.append(f"This GDAL cannot read {', '.join(missing)}: install a GDAL built with it.")
    lines += [f"The model {name} cannot be used: {problem}" for name, problem in report["models"]["problems"].items()]
    return lines


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _yes_and_no(drivers: dict[str, bool]) -> str:
    have = ", ".join(name for name, there in drivers.items() if there) or "none"
    missing = ", ".join(name for name, there in drivers.items() if not there)
    return have + (f" (missing: {missing})" if missing else "")


def _models_line(models: dict[str, Any]) -> str:
    return f"{', '.join(models['usable']) or 'none'}; more are looked for in {models['folder']}"
