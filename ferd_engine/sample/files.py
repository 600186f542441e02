"""The sample scene's arrays as GeoTIFFs, with the metadata that QGIS, EnMAP-Box and this engine read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RunError
from ..raster.gdal_setup import gdal, gdal_exceptions, gdal_reason
from . import scene, spectra

_UPPER_LEFT_M = (372000.0, 5806000.0)
# In full, because a GDAL without its PROJ database could not look up EPSG:32633.
_UTM_33N = (
    'PROJCS["WGS 84 / UTM zone 33N",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,'
    'AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],'
    'UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AUTHORITY["EPSG","4326"]],'
    'PROJECTION["Transverse_Mercator"],PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",15],'
    'PARAMETER["scale_factor",0.9996],PARAMETER["false_easting",500000],PARAMETER["false_northing",0],'
    'UNIT["metre",1,AUTHORITY["EPSG","9001"]],AXIS["Easting",EAST],AXIS["Northing",NORTH],AUTHORITY["EPSG","32633"]]'
)
_CREATION = ["TILED=YES", "BLOCKXSIZE=64", "BLOCKYSIZE=64", "COMPRESS=DEFLATE", "PREDICTOR=2", "INTERLEAVE=BAND"]
_TRUE_COLOUR_NM = {650.0: gdal.GCI_RedBand, 550.0: gdal.GCI_GreenBand, 460.0: gdal.GCI_BlueBand}


def write_scene(path: Path, cube: NDArray[np.int16], seed: int) -> None:
    """Write a cube (rows, cols, bands) with wavelength, width and bad-band flag in each band's metadata."""
    with gdal_exceptions():
        try:
            dataset = _create(path, cube.shape[:2], cube.shape[2], gdal.GDT_Int16)
            dataset.SetMetadata({"description": f"FERD sample scene, seed {seed}: synthetic reflectance"})
            for index in range(cube.shape[2]):
                _describe(dataset.GetRasterBand(index + 1), index)
            for nm, colour in _TRUE_COLOUR_NM.items():
                nearest = int(np.argmin(np.abs(spectra.wavelengths() - nm)))
                dataset.GetRasterBand(nearest + 1).SetColorInterpretation(colour)
            dataset.WriteArray(np.ascontiguousarray(cube.transpose(2, 0, 1)))
            dataset.FlushCache()
        except RuntimeError as error:
            raise _write_error(path, error) from error


def write_truth(path: Path, truth: NDArray[np.uint8]) -> None:
    """Write a truth mask (rows, cols) on the scene's grid."""
    with gdal_exceptions():
        try:
            dataset = _create(path, truth.shape, 1, gdal.GDT_Byte)
            band = dataset.GetRasterBand(1)
            band.SetNoDataValue(scene.TRUTH_NODATA)
            band.SetDescription("anomaly")
            band.WriteArray(truth)
            dataset.FlushCache()
        except RuntimeError as error:
            raise _write_error(path, error) from error


def _create(path: Path, shape: tuple[int, ...], n_bands: int, data_type: int) -> Any:
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), shape[1], shape[0], n_bands, data_type, _CREATION)
    west, north = _UPPER_LEFT_M
    dataset.SetGeoTransform((west, scene.PIXEL_WIDTH_M, 0.0, north, 0.0, -scene.PIXEL_HEIGHT_M))
    dataset.SetProjection(_UTM_33N)
    return dataset


def _describe(band: Any, index: int) -> None:
    nm, width = spectra.wavelengths()[index], spectra.widths()[index]
    band.SetNoDataValue(scene.NODATA)
    band.SetDescription(f"band {index + 1} ({nm:.2f} Nanometers)")
    band.SetScale(1.0 / scene.REFLECTANCE_SCALE)
    band.SetOffset(0.0)
    band.SetMetadata(
        {
            "wavelength": f"{nm:.3f}",
            "wavelength_units": "Nanometers",
            "fwhm": f"{width:.3f}",
            "bbl": str(int(spectra.good_bands()[index])),
        }
    )
    band.SetMetadata({"CENTRAL_WAVELENGTH_UM": f"{nm / 1e3:.6f}", "FWHM_UM": f"{width / 1e3:.6f}"}, "IMAGERY")


def _write_error(path: Path, error: Exception) -> RunError:
    return RunError(
        f"Cannot write {path.name} of the sample ({gdal_reason(error)}): free disk space or choose another folder."
    )
