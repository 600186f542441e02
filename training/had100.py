"""The layout of the HAD100 data set: {train,test}/{aviris_ng,aviris}/*.npy and ground_truth/aviris_ng/*.png.

Li, Wang, Xiao, Zhao 2023, "You Only Train Once", https://zhaoxuli123.github.io/HAD100/. Images are (rows, cols, bands).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ferd_engine.errors import InputError
from ferd_engine.raster.gdal_setup import gdal, gdal_exceptions, gdal_reason


def images(folder: Path, split: str, sensor: str) -> list[Path]:
    """Return the images of a split in order; `InputError` where there are none."""
    found = sorted((folder / split / sensor).glob("*.npy"))
    if not found:
        raise InputError(
            f"There are no .npy images in {folder / split / sensor}: give the folder that holds train, test and "
            "ground_truth of HAD100."
        )
    return found


def truth(folder: Path, name: str, sensor: str) -> NDArray[np.bool_]:
    """Return where an image's truth is above 0, (rows, cols): of the green channel where it has three."""
    path = folder / "ground_truth" / sensor / f"{name}.png"
    if not path.is_file():
        raise InputError(f"There is no truth {path} for the image {name}: the data set is incomplete, get it again.")
    with gdal_exceptions():
        try:
            dataset = gdal.Open(str(path))
            values = dataset.GetRasterBand(2 if dataset.RasterCount >= 3 else 1).ReadAsArray()
        except RuntimeError as error:
            raise InputError(f"Cannot read the truth {path} ({gdal_reason(error)}): get the data set again.") from error
    return np.asarray(values > 0)
