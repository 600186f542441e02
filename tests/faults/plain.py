"""What GDAL, NumPy and SciPy read by themselves, and RX of it by definition in float64: the reference of odd inputs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal

Float64Array = NDArray[np.float64]

# Above this condition number of the correlations the rank is a matter of judgement, and scores are not compared.
MOST_CONDITION = 1e9


def plain_cube(path: str, variable: str | None = None) -> Float64Array:
    """Return a cube (rows, cols, bands) in float64, NaN where a value is nodata, masked or not finite."""
    if path.lower().endswith(".npy"):
        cube = np.load(path).astype(np.float64)
    elif path.lower().endswith(".mat"):
        from scipy.io import loadmat

        arrays = {name: value for name, value in loadmat(path).items() if getattr(value, "ndim", 0) == 3}
        cube = np.asarray(arrays[variable] if variable else next(iter(arrays.values())), dtype=np.float64)
    else:
        dataset = gdal.Open(path)
        planes = [_plain_band(dataset.GetRasterBand(number)) for number in range(1, dataset.RasterCount + 1)]
        cube = np.stack(planes, axis=2)
        if dataset.GetRasterBand(1).GetMaskFlags() & (gdal.GMF_PER_DATASET | gdal.GMF_ALPHA):
            cube[dataset.GetRasterBand(1).GetMaskBand().ReadAsArray() == 0] = np.nan
    cube[~np.isfinite(cube)] = np.nan
    return cube


def _plain_band(band: gdal.Band) -> Float64Array:
    stored = band.ReadAsArray()
    if band.GetMetadataItem("PIXELTYPE", "IMAGE_STRUCTURE") == "SIGNEDBYTE":
        stored = stored.view(np.int8)
    values = stored.astype(np.float64)
    nodata = band.GetNoDataValue()
    if nodata is not None:
        # As the band holds it; an integer band may hold none like it.
        kept = np.float32(nodata) if stored.dtype == np.float32 else nodata
        values[stored == kept] = np.nan
    scale, offset = band.GetScale(), band.GetOffset()
    if scale and np.isfinite(scale):
        values *= scale
    if offset and np.isfinite(offset):
        values += offset
    return values


def plain_grx(cube: Float64Array) -> tuple[Float64Array, float]:
    """Return the scores (rows, cols) of global RX, NaN where a pixel is invalid, and the condition of the correlations.

    Bands without two different values take no part. Bands are centred and brought to unit spread first, which RX does
    not notice and float64 does.
    """
    with np.errstate(all="ignore"):
        alive = [band for band in np.moveaxis(cube, 2, 0) if np.nanmin(band) < np.nanmax(band)]
    used = np.stack(alive, axis=2)
    valid = ~np.isnan(used).any(axis=2)
    pixels = used[valid]
    # By the largest magnitude first: the squares of the largest and the smallest numbers are out of float64's range.
    pixels = pixels - pixels.mean(axis=0)
    pixels /= np.maximum(np.abs(pixels).max(axis=0), np.finfo(np.float64).tiny)
    pixels -= pixels.mean(axis=0)
    spread = pixels.std(axis=0, ddof=1)
    pixels = pixels[:, spread > 0] / spread[spread > 0]
    covariance = pixels.T @ pixels / (len(pixels) - 1)
    eigenvalues = np.linalg.eigvalsh(covariance)
    scores = np.full(valid.shape, np.nan)
    scores[valid] = np.einsum("ij,jk,ik->i", pixels, np.linalg.pinv(covariance, rcond=1e-10, hermitian=True), pixels)
    kept = eigenvalues[eigenvalues > 1e-12 * eigenvalues.max()]
    return scores, float(kept.max() / kept.min())


def deviation(
    path: str, output: str, variable: str | None = None, mask: str | None = None, most_pixels: int = 1 << 16
) -> float | None:
    """Return how far the scores of a file are from the plain ones, relative to the larger of each score and 1.

    None where they cannot be compared: too many pixels, or a rank that is a matter of judgement.
    """
    dataset = gdal.Open(output)
    if dataset.RasterXSize * dataset.RasterYSize > most_pixels:
        return None
    found = dataset.ReadAsArray().astype(np.float64)
    found[found == -9999.0] = np.nan
    cube = plain_cube(path, variable)
    if mask is not None:
        cube[gdal.Open(mask).ReadAsArray() == 0] = np.nan
    expected, condition = plain_grx(cube)
    if found.shape != expected.shape or (np.isnan(found) != np.isnan(expected)).any():
        return float("inf")
    if condition > MOST_CONDITION:
        return None
    return float(np.nanmax(np.abs(found - expected) / np.maximum(np.abs(expected), 1.0)))
