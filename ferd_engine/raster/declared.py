"""What a file declares against what it can hold: GDAL reads zeros from what is missing, for as long as it is asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..errors import InputError
from .gdal_setup import gdal

# No real raster is compressed better: deflate ends at 1032 to 1, and large parts without data gain little on top.
_MOST_VALUES_PER_BYTE = 10_000
# What a run may take on top of its budget for what can only be read in one piece, such as a large tile or a .mat cube.
SLACK_BYTES = 128 << 20
# Formats whose files hold all that they describe; others may be the address of a service.
_WHOLE = ("GTiff", "COG", "HDF5", "HDF5Image", "netCDF", "HFA", "PNG", "JP2OpenJPEG")
_VRT_SOURCE = re.compile(r"<Source(?:Filename|Dataset)\b")


def check_declared(dataset: Any) -> None:
    """Raise `InputError` for a file that was cut short or declares more than it can hold, and for a VRT of one."""
    driver = dataset.GetDriver().ShortName
    if driver == "VRT":
        for file in (dataset.GetFileList() or ())[1:]:
            if gdal.IdentifyDriverEx(file, gdal.OF_RASTER, ["ENVI"]) is not None:
                check_declared(gdal.OpenEx(file, gdal.OF_RASTER | gdal.OF_READONLY, ["ENVI"]))
    if driver == "ENVI":
        _check_envi(dataset)
    elif driver == "GTiff":
        _check_tiff(dataset)
    check_values(dataset.GetDescription(), _n_values(dataset), _bytes_of(dataset, driver))


def check_values(path: str, n_values: int, n_bytes: int | None) -> None:
    """Raise `InputError` where a file of `n_bytes` (None: not known) declares more values than any could hold."""
    if n_bytes is not None and n_values > _MOST_VALUES_PER_BYTE * n_bytes:
        raise InputError(
            f"The file {path} declares {n_values} values, but has {n_bytes} bytes: its header is wrong or most "
            "of it is missing, replace it."
        )


def _n_values(dataset: Any) -> int:
    return int(dataset.RasterXSize) * int(dataset.RasterYSize) * int(dataset.RasterCount)


def _check_envi(dataset: Any) -> None:
    header = dataset.GetMetadata("ENVI") or {}
    if header.get("file_compression", "0") != "0":
        return
    value_bytes = gdal.GetDataTypeSize(dataset.GetRasterBand(1).DataType) // 8
    offset = header.get("header_offset", "").strip()
    declared = _n_values(dataset) * value_bytes + (int(offset) if offset.isdigit() else 0)
    _check_bytes(dataset.GetDescription(), declared)


def _check_tiff(dataset: Any) -> None:
    """Look at uncompressed files; blocks left out on purpose (SPARSE_OK) are nodata where there is such a value."""
    first = dataset.GetRasterBand(1)
    packed = first.GetMetadataItem("NBITS", "IMAGE_STRUCTURE") is not None
    if "COMPRESSION" in (dataset.GetMetadata("IMAGE_STRUCTURE") or {}) or packed or first.GetNoDataValue() is not None:
        return
    _check_bytes(dataset.GetDescription(), _n_values(dataset) * gdal.GetDataTypeSize(first.DataType) // 8)


def _check_bytes(path: str, declared: int) -> None:
    found = gdal.VSIStatL(path)
    if found is not None and found.size < declared:
        raise InputError(
            f"The file {path} has {found.size} bytes, but its header declares {declared}: it was cut short or the "
            "header is wrong, replace one of them."
        )


def _bytes_of(dataset: Any, driver: str) -> int | None:
    """Return the size of the files that a dataset reads, None where they cannot be known."""
    files: Sequence[str] = dataset.GetFileList() or ()
    if driver == "VRT":
        named = len(_VRT_SOURCE.findall("".join(dataset.GetMetadata("xml:VRT") or ())))
        if named and len(files) < 2:
            return None
    elif driver not in _WHOLE:
        return None
    # What is elsewhere is asked for nothing that is not needed.
    if not files or any(file.startswith("/vsi") for file in files):
        return None
    found = [gdal.VSIStatL(file) for file in files]
    return sum(int(stat.size) for stat in found if stat is not None)
