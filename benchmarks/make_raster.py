"""Make a seeded int16 raster of any size for speed and memory figures: BIL, BSQ or tiled GeoTIFF.

    python benchmarks/make_raster.py OUTPUT [--rows 2000] [--cols 1500] [--bands 200] [--seed 0]

OUTPUT ends in .bil, .bsq or .tif. Written strip by strip, so that the size is bounded by the disk alone. The scene is a
mixture of eight random smooth spectra with wave-like abundances and noise: it compresses and computes like a real one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from osgeo import gdal, osr

N_SPECTRA = 8
STRIP_ROWS = 64


def spectra(n_bands: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Return (N_SPECTRA, n_bands) smooth reflectances times 10000."""
    steps = random.normal(0.0, 1.0, (N_SPECTRA, n_bands + 40)).cumsum(axis=1)
    kernel = np.hanning(42)[1:]
    smooth = np.array([np.convolve(line, kernel / kernel.sum(), mode="valid")[:n_bands] for line in steps])
    low, high = smooth.min(axis=1, keepdims=True), smooth.max(axis=1, keepdims=True)
    return (500.0 + 4500.0 * (smooth - low) / (high - low)).astype(np.float32)


def strip(row: int, n_rows: int, n_cols: int, library: NDArray[np.float32], seed: int) -> NDArray[np.int16]:
    """Return rows (n_rows, n_cols, bands) of the scene from `row` on; each strip has its own seed."""
    random = np.random.default_rng((seed, row))
    down, right = np.mgrid[row : row + n_rows, 0:n_cols].astype(np.float32)
    waves = [np.sin(down / (23.0 + 17 * k) + k) + np.cos(right / (31.0 + 13 * k) - 2 * k) for k in range(N_SPECTRA)]
    weights = np.exp(1.5 * np.stack(waves, axis=-1))
    weights /= weights.sum(axis=-1, keepdims=True)
    values = weights.reshape(-1, N_SPECTRA) @ library
    values *= random.normal(1.0, 0.03, (len(values), 1)).astype(np.float32)
    values += 20.0 * random.standard_normal(values.shape, dtype=np.float32)
    return np.rint(values).astype(np.int16).reshape(n_rows, n_cols, -1)


def make_raster(path: Path, n_rows: int, n_cols: int, n_bands: int, seed: int) -> None:
    """Write the raster."""
    gdal.UseExceptions()
    if path.suffix == ".tif":
        options = ["TILED=YES", "BLOCKXSIZE=256", "BLOCKYSIZE=256", "INTERLEAVE=PIXEL", "BIGTIFF=IF_SAFER"]
        driver = gdal.GetDriverByName("GTiff")
    else:
        options = [f"INTERLEAVE={path.suffix[1:].upper()}"]
        driver = gdal.GetDriverByName("ENVI")
    dataset = driver.Create(str(path), n_cols, n_rows, n_bands, gdal.GDT_Int16, options)
    dataset.SetGeoTransform((400000.0, 4.0, 0.0, 5800000.0, 0.0, -5.0))
    system = osr.SpatialReference()
    system.ImportFromEPSG(32633)
    dataset.SetProjection(system.ExportToWkt())
    library = spectra(n_bands, np.random.default_rng(seed))
    for row in range(0, n_rows, STRIP_ROWS):
        height = min(STRIP_ROWS, n_rows - row)
        values = strip(row, height, n_cols, library, seed)
        dataset.WriteArray(np.ascontiguousarray(values.transpose(2, 0, 1)), 0, row)
    dataset.FlushCache()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--cols", type=int, default=1500)
    parser.add_argument("--bands", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    make_raster(arguments.output, arguments.rows, arguments.cols, arguments.bands, arguments.seed)


if __name__ == "__main__":
    main()
