"""GDAL as the engine uses it: exceptions on, quiet, with a bounded cache, and everything put back afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import Any

from ..errors import MissingPackageError, tells_of_memory

try:
    from osgeo import gdal, gdal_array, ogr, osr
except ImportError as error:
    if isinstance(error, ModuleNotFoundError) and error.name == "osgeo":
        raise MissingPackageError(
            "The Python bindings of GDAL (osgeo) are not installed: install python3-gdal and make the virtual "
            "environment with --system-site-packages, or run inside QGIS's Python."
        ) from error
    # Where a part of theirs does not load, the bindings look for it in other places and complain that it is not there.
    reason = error.__context__ or error
    if tells_of_memory(reason):
        raise MemoryError from error
    # Without the system's SciPy pip brings the newest NumPy, and bindings that were built for an older one do not load.
    advice = (
        "they were built for another NumPy, so take NumPy and SciPy from where GDAL is from (Debian: python3-scipy), "
        "and make the virtual environment again, with --system-site-packages"
        if "numpy" in str(reason)
        else "install them again"
    )
    raise MissingPackageError(f"The Python bindings of GDAL (osgeo) do not load ({reason}): {advice}.") from error

__all__ = [
    "bounded_cache",
    "close_dataset",
    "direct_tiff_reads",
    "gdal",
    "gdal_array",
    "gdal_exceptions",
    "gdal_reason",
    "ogr",
    "osr",
    "reads_tiff_directly",
]


_DIRECT = "GTIFF_DIRECT_IO"


class _ExceptionSwitch:
    """GDAL's exceptions, on while anyone needs them.

    The switch is global to the process and one thread reads while another writes, so users are counted: the first turns
    it on, the last puts back what QGIS and other plugins rely on.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._users = 0
        self._before = (True, True)

    def enter(self) -> None:
        with self._lock:
            if self._users == 0:
                # Newer GDAL warns about the missing choice for ogr when only gdal's is made.
                self._before = bool(gdal.GetUseExceptions()), bool(ogr.GetUseExceptions())
                gdal.UseExceptions()
                ogr.UseExceptions()
            self._users += 1

    def leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                # In the order of a stack: each switch set an error handler of its own.
                if not self._before[1]:
                    ogr.DontUseExceptions()
                if not self._before[0]:
                    gdal.DontUseExceptions()


_switch = _ExceptionSwitch()


@contextmanager
def gdal_exceptions() -> Iterator[None]:
    """Turn GDAL's errors into exceptions, and print nothing, for as long as the block lasts, in any thread."""
    _switch.enter()
    gdal.PushErrorHandler("CPLQuietErrorHandler")
    try:
        yield
    finally:
        gdal.PopErrorHandler()
        _switch.leave()


def close_dataset(dataset: Any) -> list[str]:
    """Write what is left of a dataset and close it; return the messages of GDAL's failures.

    Python would drop what GDAL raises while a dataset is deleted. The switch of GDAL's exceptions is left alone, since
    other threads may be at work; so failures come as exceptions, through the error handler, or both, and all are kept.
    """
    failures: list[str] = []

    def keep(level: int, code: int, message: str) -> None:
        if level >= gdal.CE_Failure:
            failures.append(message)

    # GDAL before 3.8 has no way to close a dataset but to delete it.
    close = dataset.Close if hasattr(dataset, "Close") else partial(type(dataset).__swig_destroy__, dataset)
    gdal.PushErrorHandler(keep)
    try:
        for step in (dataset.FlushCache, close):
            try:
                step()
            except RuntimeError as error:
                failures.append(str(error))
    finally:
        gdal.PopErrorHandler()
    return failures


@contextmanager
def direct_tiff_reads() -> Iterator[None]:
    """Let uncompressed TIFFs that this thread opens inside be read past GDAL's block cache.

    The cache holds each band of a tile on its own, so that a tile of 200 interleaved bands is taken apart first: twice
    the time. GDAL reads any other TIFF as ever. A choice that the user has made stays.
    """
    if not _may_read_directly():
        yield
        return
    gdal.SetThreadLocalConfigOption(_DIRECT, "YES")
    try:
        yield
    finally:
        gdal.SetThreadLocalConfigOption(_DIRECT, None)


def _may_read_directly() -> bool:
    return gdal.GetConfigOption(_DIRECT) is None and hasattr(gdal, "SetThreadLocalConfigOption")


def reads_tiff_directly(dataset: Any) -> bool:
    """Say whether a dataset is a TIFF that `direct_tiff_reads` helped, so that any rows of its tiles are read alone."""
    structure = dataset.GetMetadata("IMAGE_STRUCTURE") or {}
    bits = dataset.GetRasterBand(1).GetMetadataItem("NBITS", "IMAGE_STRUCTURE")
    plain = dataset.GetDriver().ShortName == "GTiff" and "COMPRESSION" not in structure and bits is None
    return plain and _may_read_directly()


@contextmanager
def bounded_cache(budget_bytes: int) -> Iterator[None]:
    """Keep GDAL's block cache within `budget_bytes`; by default it takes 5 % of the machine's memory."""
    before = gdal.GetCacheMax()
    gdal.SetCacheMax(min(before, budget_bytes))
    try:
        yield
    finally:
        gdal.SetCacheMax(before)


def type_name(code: int) -> str:
    """Return numpy's name of a GDAL data type, such as int16; of one that numpy lacks, GDAL's in small letters."""
    name: str = gdal.GetDataTypeName(code).lower()
    return "uint8" if name == "byte" else name


def gdal_reason(error: Any) -> str:
    """Return GDAL's own message as part of a sentence."""
    text = " ".join(str(error).split()).rstrip(".")
    return text or "no reason given"
