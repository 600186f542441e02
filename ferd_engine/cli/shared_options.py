"""Options of the command line that several commands share, in groups; like the parser, without heavy imports."""

from __future__ import annotations

import argparse

from ..options import BACKENDS, BAND_SELECTIONS, CONNECTEDNESS, DEFAULT_DETECTOR, DEVICES, PRECISIONS, SCALINGS
from ..presets import PRESETS

INPUT_HELP = "any raster that GDAL reads, or a .mat or .npy cube of rows x cols x bands"
_OUTPUT_HELP = ".tif for GeoTIFF, or .hdr, .bsq, .bil, .bip, .img, .dat for ENVI"


def add_input_output(parser: argparse.ArgumentParser) -> None:
    """Add the raster that is read and the one that is written."""
    parser.add_argument("input", metavar="INPUT", help=INPUT_HELP)
    parser.add_argument("output", metavar="OUTPUT", help=_OUTPUT_HELP)


def add_detector_options(parser: argparse.ArgumentParser) -> None:
    """Add the choice of the detector, with its options, and the background that it takes."""
    parser.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        help="; ".join(f"{name}: {preset.words}" for name, preset in PRESETS.items()) + "; instead of detector options",
    )
    parser.add_argument("--detector", metavar="NAME", help=f"see 'ferd detectors list' (default: {DEFAULT_DETECTOR})")
    parser.add_argument(
        "--enhance",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run FEN before the detector (default: yes)",
    )
    parser.add_argument(
        "--block", type=int, metavar="N", help="slrx: side of its blocks in pixels (default: rows // 25)"
    )
    parser.add_argument(
        "--components",
        metavar="LIST",
        help="fusion: what is summed, as CUBE:DETECTOR[:COVARIANCE],..., each CUBE raw or fen",
    )
    parser.add_argument(
        "--covariance",
        metavar="KIND",
        help="empirical, ledoit-wolf, oas, pca:K (K components; aed: 3) or trimmed:P (grx, without P per cent of the "
        "pixels)",
    )
    parser.add_argument(
        "--mean", metavar="KIND", help="grx: global, or local for the mean of a window (default: global)"
    )
    parser.add_argument(
        "--inner",
        type=int,
        metavar="N",
        help="lrx, qlrx, crd, fusion: odd side of the inner window (default: 11); aed: objects have fewer pixels than "
        "its square (5)",
    )
    parser.add_argument(
        "--outer",
        type=int,
        metavar="N",
        help="odd side of the outer window (default: inner + 10 for lrx, qlrx and fusion, + 4 for crd); grx: of "
        "the local mean's (15)",
    )
    parser.add_argument(
        "--background",
        metavar="RASTER|VECTOR",
        help="take statistics from these pixels alone: not 0 in a raster of the input's grid, or inside polygons",
    )
    parser.add_argument(
        "--background-of",
        metavar="FOLDER|LIST",
        help="grx: one scaling, mean and covariance of all these rasters, such as the flight lines of a mosaic",
    )


def add_decision_options(parser: argparse.ArgumentParser, *, required: bool = False, many: bool = False) -> None:
    """Add what leads from scores to a mask and polygons.

    required : whether there must be a threshold. many : whether files are named for many rasters, by {name}.
    """
    file, such_as = ("NAME", ", such as {name}_hits.*") if many else ("FILE", "")
    parser.add_argument(
        "--threshold",
        metavar="RULE",
        required=required,
        help="what scores must exceed: chi2:P, percentile:P, count:N, value:V or pareto:R (a false-alarm rate)",
    )
    parser.add_argument(
        "--mask-out", metavar=file, help=f"write a raster with 1 above the threshold and 0 below{such_as}"
    )
    parser.add_argument(
        "--polygons", metavar=file, help=f"write the objects above the threshold, .gpkg or .geojson{such_as}"
    )
    parser.add_argument(
        "--connectedness", type=int, choices=CONNECTEDNESS, default=8, help="neighbours that hold an object together"
    )
    parser.add_argument("--min-pixels", type=int, metavar="N", default=1, help="leave smaller objects out (default: 1)")


def add_band_options(parser: argparse.ArgumentParser) -> None:
    """Add the model and the bands that it gets."""
    parser.add_argument(
        "--model", metavar="NAME|FOLDER", help="see 'ferd models list' (default: the largest that fits)"
    )
    parser.add_argument("--bands", metavar="LIST", help="use these bands only, such as 1-50,60 (from 1) or 400-1300nm")
    parser.add_argument(
        "--band-selection", choices=BAND_SELECTIONS, default="auto", help="which bands the model gets (default: auto)"
    )
    parser.add_argument("--variable", metavar="NAME", help="the array of a .mat file to read")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add how a run goes: scaling, mask, where and with how much memory it computes, how it writes."""
    parser.add_argument(
        "--scaling", choices=SCALINGS, default="minmax", help="percentile for scenes with hot pixels (default: minmax)"
    )
    parser.add_argument("--mask", metavar="RASTER", help="pixels that are 0 or nodata here are left out")
    parser.add_argument(
        "--backend", choices=BACKENDS, default="auto", help="what runs FEN (default: torch where installed)"
    )
    parser.add_argument(
        "--device", choices=DEVICES, default="auto", help="where torch runs (default: a GPU where there is one)"
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="bf16: faster on GPUs and some CPUs, scores less exact (default: float32)",
    )
    parser.add_argument("--memory", default="1GiB", metavar="SIZE", help="memory budget (default: 1GiB)")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: all)")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    parser.add_argument(
        "--cog", action="store_true", help="write cloud-optimized GeoTIFFs: tiled, with overviews, read by byte ranges"
    )
    parser.add_argument(
        "--scheduler",
        metavar="local:N|tcp://HOST:PORT",
        help="compute on N workers of this machine, or on a dask.distributed cluster, see docs/scale.md",
    )
    add_json(parser)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout")
