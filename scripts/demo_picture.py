"""Report on the demonstration's rasters: print the figures and draw scene, score and truth side by side."""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse
from numpy.typing import NDArray
from osgeo import gdal
from scipy.ndimage import center_of_mass, label

from ferd_engine.evaluate import evaluate_files

# Diameter of the rings on the ground.
RING_M = 42.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where scripts/demo.sh left its rasters")
    folder = parser.parse_args().folder
    truth_path = folder / "truth.tif"
    paths = {"FEN + GRX": folder / "score.tif", "GRX": folder / "score_plain.tif"}
    aucs = {name: evaluate_files(str(path), str(truth_path)).auc for name, path in paths.items()}
    picture = folder / "demo.png"
    draw(folder, paths["FEN + GRX"], truth_path, aucs["FEN + GRX"], picture)
    print(f"Score raster:          {paths['FEN + GRX'].resolve()}")
    print(f"AUC with enhancement:  {aucs['FEN + GRX']:.4f}")
    print(f"AUC of plain GRX:      {aucs['GRX']:.4f}")
    print(f"Picture:               {picture.resolve()}")


def draw(folder: Path, score_path: Path, truth_path: Path, auc: float, picture: Path) -> None:
    """Write the picture; pixels are drawn in their true shape, which is not square."""
    gdal.UseExceptions()
    transform = gdal.Open(str(score_path)).GetGeoTransform()
    aspect = abs(transform[5] / transform[1])
    score, truth = read_band(score_path), read_band(truth_path)
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(15, 5.0), dpi=110, layout="constrained")
    left.imshow(true_colour(folder / "scene.tif"), aspect=aspect, interpolation="nearest")
    left.set_title("Scene, true colour")
    low, high = np.nanpercentile(score, (2.0, 99.9))
    shown = middle.imshow(score, aspect=aspect, cmap="inferno", vmin=low, vmax=high, interpolation="nearest")
    middle.set_title(f"FEN + GRX score, AUC {auc:.4f}")
    figure.colorbar(shown, ax=middle, shrink=0.75, extend="both")
    right.imshow(truth, aspect=aspect, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    right.set_title("Truth: implanted anomalies (ringed)")
    for axes in (left, middle, right):
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_facecolor("#d8d8d8")
    ring_anomalies(right, truth, abs(transform[1]), abs(transform[5]))
    figure.savefig(picture)


def ring_anomalies(axes: Axes, truth: NDArray[np.float64], pixel_width_m: float, pixel_height_m: float) -> None:
    """Draw a ring around each anomaly, most of which are too small to be seen."""
    marked = np.nan_to_num(truth) > 0
    labels, count = label(marked, structure=np.ones((3, 3)))
    for row, col in center_of_mass(marked, labels, range(1, count + 1)):
        size = RING_M / pixel_width_m, RING_M / pixel_height_m
        axes.add_patch(Ellipse((col, row), *size, fill=False, edgecolor="#ffb000", linewidth=1.3))


def read_band(path: Path) -> NDArray[np.float64]:
    """Return the only band (rows, cols), NaN for nodata."""
    dataset = gdal.Open(str(path))
    band = dataset.GetRasterBand(1)
    values = band.ReadAsArray().astype(np.float64)
    values[values == band.GetNoDataValue()] = np.nan
    return values


def true_colour(path: Path) -> NDArray[np.float64]:
    """Return red, green and blue (rows, cols, 4) from 0 to 1, transparent where there is nodata."""
    dataset = gdal.Open(str(path))
    bands = {dataset.GetRasterBand(i).GetColorInterpretation(): i for i in range(1, dataset.RasterCount + 1)}
    channels = []
    for colour in (gdal.GCI_RedBand, gdal.GCI_GreenBand, gdal.GCI_BlueBand):
        band = dataset.GetRasterBand(bands[colour])
        values = band.ReadAsArray().astype(np.float64)
        valid = values != band.GetNoDataValue()
        low, high = np.percentile(values[valid], (1.0, 99.0))
        channels.append(np.clip((values - low) / (high - low), 0.0, 1.0) ** 0.8)
    return np.dstack([*channels, valid])


if __name__ == "__main__":
    main()
