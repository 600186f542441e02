"""Draw the pictures of the command line's tutorial: scenes, scores and objects side by side.

The sample scene is made anew; of both scenes the tutorial's own commands give the scores.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from demo_picture import read_band
from numpy.typing import NDArray
from osgeo import gdal, ogr

from ferd_engine import detect_raster
from ferd_engine.raster import open_source
from ferd_engine.sample import make_sample
from ferd_engine.windows import Window

RED_GREEN_BLUE_NM = (660.0, 560.0, 480.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("enmap_scene", type=Path, metavar="ENMAP_SCENE", help="the EnMAP scene of the tutorial")
    parser.add_argument(
        "images", type=Path, metavar="FOLDER", nargs="?", default=Path("docs/images"), help="default: docs/images"
    )
    options = parser.parse_args()
    gdal.UseExceptions()
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sample = make_sample(folder / "sample")
        draw(sample.scene, folder, options.images / "cli-sample.png", min_pixels=1)
        draw(options.enmap_scene, folder, options.images / "cli-enmap.png", min_pixels=2)


def draw(scene: Path, folder: Path, picture: Path, *, min_pixels: int) -> None:
    """Detect as the tutorial does, and write scene, scores and the places of the objects side by side."""
    score, hits = folder / f"{picture.stem}.tif", folder / f"{picture.stem}.gpkg"
    detect_raster(scene, score, threshold="percentile:99.9", polygons=str(hits), min_pixels=min_pixels)
    transform = gdal.Open(str(score)).GetGeoTransform()
    aspect = abs(transform[5] / transform[1])
    colours, scores = natural_colours(scene), read_band(score)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.6), dpi=90, layout="constrained")
    for axes in (left, right):
        axes.set(xticks=[], yticks=[], facecolor="#d8d8d8")
    left.imshow(colours, aspect=aspect, interpolation="nearest")
    left.set_title("scene, and the objects found (ringed)")
    rows, cols = peaks(hits)
    left.scatter(cols, rows, s=90, facecolors="none", edgecolors="#ffb000", linewidths=1.3)
    low, high = np.nanpercentile(scores, (2.0, 99.9))
    shown = right.imshow(scores, aspect=aspect, cmap="inferno", vmin=low, vmax=high, interpolation="nearest")
    right.set_title("score, FEN + GRX")
    figure.colorbar(shown, ax=right, shrink=0.8, extend="both")
    figure.savefig(picture)
    plt.close(figure)
    print(f"{picture}: {len(rows)} objects")


def natural_colours(scene: Path) -> NDArray[np.float64]:
    """Return red, green and blue (rows, cols, 4) from 0 to 1, of the nearest bands; transparent where invalid."""
    source = open_source(str(scene))
    known = [band for band in source.bands if band.good and band.wavelength_nm is not None]
    numbers = [min(known, key=lambda band: abs(band.wavelength_nm - colour)).number for colour in RED_GREEN_BLUE_NM]
    values = source.read(Window(0, source.n_rows, 0, source.n_cols), numbers).values.astype(np.float64)
    low, high = np.nanpercentile(values, (1.0, 99.0), axis=(0, 1))
    valid = ~np.isnan(values).any(axis=2)
    shown = np.nan_to_num(np.clip((values - low) / (high - low), 0.0, 1.0) ** 0.8)
    return np.dstack([shown, valid])


def peaks(hits: Path) -> tuple[list[int], list[int]]:
    """Return rows and columns of the objects' peaks."""
    source = ogr.Open(str(hits))
    found = [(feature["peak_row"], feature["peak_col"]) for feature in source.GetLayer(0)]
    return [row for row, _ in found], [col for _, col in found]


if __name__ == "__main__":
    main()
