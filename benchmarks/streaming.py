"""FEN + GRX from a file to a score raster: time against pure FEN, memory against the budget, both against the rows.

    python benchmarks/streaming.py FOLDER [--rows 2000] [--cols 1500] [--bands 200] [--long] [--backend numpy]

FOLDER gets the seeded int16 rasters of make_raster.py (1.2 GB each at the default size; `--long` adds four of 1000 to
8000 rows, one after the other). Each run is a `ferd detect` process of its own, its peak what it says of itself. Pure
FEN is the same network on the same number of pixels, in memory, in this process, timed before and after each run,
since the speed of a machine changes in between. The runs of one size must give the same scores within 1e-4 of the
largest, or the benchmark fails.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from fen import enhance_in_blocks, scene
from machine import best_of, describe, published_shape
from make_raster import make_raster
from osgeo import gdal

from ferd_engine import open_model
from ferd_engine.fen.backend import open_backend

MIB = 1 << 20
FEN_ROWS = 512
TOLERANCE = 1e-4
PEAK_ALLOWANCE_MIB = 300


class PureFen:
    """FEN alone on an image of a given width, in memory."""

    def __init__(self, model: str, backend: str, cols: int) -> None:
        network = open_model(model)
        halo = network.architecture.halo_px
        self._cube = scene(FEN_ROWS + 2 * halo, cols + 2 * halo, network.n_bands) * np.float32(0.02)
        self._runner = open_backend(network, backend, "cpu")
        self._out = np.zeros((FEN_ROWS, cols, network.n_bands), np.float32)
        self._enhance()

    def _enhance(self) -> None:
        enhance_in_blocks(self._runner, self._cube, self._out)

    def seconds_per_pixel(self) -> float:
        """Return what FEN takes for a pixel, now."""
        return best_of(self._enhance, 2) / (self._out.shape[0] * self._out.shape[1])


def detect(path: Path, output: Path, memory: str, model: str, backend: str) -> dict[str, Any]:
    """Run `ferd detect` in a process of its own and return its report."""
    command = [sys.executable, "-m", "ferd_engine", "detect", str(path), str(output)]
    options = ["--model", model, "--memory", memory, "--backend", backend, "--overwrite", "--json"]
    finished = subprocess.run([*command, *options], check=True, capture_output=True, text=True)
    report: dict[str, Any] = json.loads(finished.stdout)
    return report


def scores(path: Path) -> np.ndarray:
    """Return a score raster."""
    return gdal.Open(str(path)).ReadAsArray()


def timed_row(fen: PureFen, what: str, path: Path, output: Path, memory: str, arguments: argparse.Namespace) -> str:
    """Run once, and return one line of the table, with a note where the peak is above what is allowed."""
    before = fen.seconds_per_pixel()
    report = detect(path, output, memory, arguments.model, arguments.backend)
    fen_seconds = (before + fen.seconds_per_pixel()) / 2 * report["rows"] * report["cols"]
    budget, peak = report["memory_budget_bytes"] / MIB, report["peak_memory_bytes"] / MIB
    verdict = "" if peak <= budget + PEAK_ALLOWANCE_MIB else f"  peak over budget + {PEAK_ALLOWANCE_MIB} MiB"
    return (
        f"{what:<18}{budget:8.0f}{report['seconds']:9.1f}{fen_seconds:10.1f}{report['seconds'] / fen_seconds:12.2f}"
        f"{peak:11.0f}{verdict}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--cols", type=int, default=1500)
    parser.add_argument("--bands", type=int, default=200)
    parser.add_argument("--backend", default="numpy", choices=("numpy", "torch"))
    parser.add_argument("--model", help="by default a FEN of the published shape")
    parser.add_argument("--long", action="store_true", help="also 1000, 2000, 4000 and 8000 rows")
    arguments = parser.parse_args()
    gdal.UseExceptions()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    print(describe())
    arguments.model = arguments.model or published_shape(arguments.folder, arguments.bands)
    fen = PureFen(arguments.model, arguments.backend, arguments.cols)
    print(f"{arguments.rows} x {arguments.cols} x {arguments.bands} int16, {arguments.backend} backend")
    print(f"{'file':<18}{'MiB':>8}{'seconds':>9}{'pure FEN':>10}{'x pure FEN':>12}{'peak MiB':>11}")
    output = arguments.folder / "scores.tif"
    reference: np.ndarray | None = None
    for suffix in (".tif", ".bil", ".bsq"):
        # A stem of its own each, since ENVI headers are named by the stem.
        path = arguments.folder / f"scene_{suffix[1:]}{suffix}"
        if not path.exists():
            make_raster(path, arguments.rows, arguments.cols, arguments.bands, 0)
        for memory in ("256MiB", "1GiB", "4GiB"):
            print(timed_row(fen, suffix[1:], path, output, memory, arguments), flush=True)
            found = scores(output)
            reference = found if reference is None else reference
            error = float(np.abs(found - reference).max() / np.abs(reference).max())
            assert error <= TOLERANCE, f"{path} with {memory} differs by {error:.1e}"
    if arguments.long:
        run_lengths(arguments, fen, output)


def run_lengths(arguments: argparse.Namespace, fen: PureFen, output: Path) -> None:
    """Time four lengths of one long raster: time must grow with the rows, memory must not."""
    for n_rows in (1000, 2000, 4000, 8000):
        path = arguments.folder / f"rows{n_rows}.bil"
        if not path.exists():
            make_raster(path, n_rows, arguments.cols, arguments.bands, 0)
        print(timed_row(fen, f"bil, {n_rows} rows", path, output, "256MiB", arguments), flush=True)
        path.unlink()


if __name__ == "__main__":
    main()
