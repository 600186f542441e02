"""The commands of `ferd` and their arguments, for argparse.

Nothing heavy is imported, so that `--help` is instant and the number of threads can still be set.
"""

from __future__ import annotations

import argparse
from difflib import get_close_matches
from typing import Any, NoReturn

from .._version import __version__
from ..errors import EXIT_USAGE
from .shared_options import (
    INPUT_HELP,
    add_band_options,
    add_decision_options,
    add_detector_options,
    add_input_output,
    add_json,
    add_run_options,
)

EXPORT_FORMATS = ("torchscript", "safetensors", "pt2")


class OneSentenceParser(argparse.ArgumentParser):
    """A parser whose errors are one sentence and exit code 2."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse an unknown option where it stands, so that the error names the command and its nearest option."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            nearest = get_close_matches(unknown[0].partition("=")[0], self._option_string_actions, 1)
            advice = f" (did you mean {nearest[0]}?)" if nearest else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{advice}")
        return known, unknown

    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one sentence and exit."""
        self.exit(EXIT_USAGE, f"{self.prog}: {message}; see {self.prog} --help.\n")


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of `ferd`."""
    parser = OneSentenceParser(
        prog="ferd",
        description="Hyperspectral anomaly detection: FEN background enhancement and detectors of the RX family.",
    )
    parser.add_argument("--version", action="version", version=f"ferd {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_detect(commands)
    _add_enhance(commands)
    _add_batch(commands)
    _add_info(commands)
    _add_threshold(commands)
    _add_evaluate(commands)
    _add_models(commands)
    _add_detectors(commands)
    _add_sample(commands)
    _add_doctor(commands)
    return parser


def _add_detect(commands: argparse._SubParsersAction[OneSentenceParser]) -> None:
    parser = commands.add_parser(
        "detect", help="write an anomaly score raster", description="Write an anomaly score raster."
    )
    add_input_output(parser)
    add_detector_options(parser)
    add_decision_options(parser)
    add_band_options(parser)
    add_run_options(parser)


def _add_threshold(commands: argparse._SubParsersAction[OneSentenceParser]) -> None:
    parser = commands.add_parser(
        "threshold",
        help="make a mask or polygons of a score raster",
        description="Make a mask or polygons of a score raster.",
    )
    parser.add_argument("scores", metavar="SCORES", help="a score raster of one band")
    add_decision_options(parser, required=True)
    parser.add_argument(
        "--spectra", metavar="RASTER", help="the raster that the scores were made of, for the polygons' mean spectra"
    )
    parser.add_argument("--memory", default="1GiB", metavar="SIZE", help="memory budget (default: 1GiB)")
    parser.add_argument("--overwrite", action="store_true", help="replace existing outputs")
    add_json(parser)


def _add_enhance(commands: argparse._SubParsersAction[OneSentenceParser]) -> None:
    parser = commands.add_parser(
        "enhance", help="write the FEN-enhanced cube", description="Write the FEN-enhanced cube."
    )
    add_input_output(parser)
    add_band_options(parser)
    add_run_options(parser)


def _add_batch(commands: argparse._SubParsersAction[OneSentenceParser]) -> None:
    parser = commands.add_parser(
        "batch",
        help="detect or enhance in many rasters",
        description="Write an anomaly score raster, or the enhanced cube, for each raster of a folder or list. One "
        "that fails does not stop the rest; a table at the end tells of each.",
        epilog="Exit code: 0 each raster has its whole and current result; 1 some failed or are in another run's "
        "hands; 2 nothing could be begun; 130 interrupted, and --resume goes on from there.",
    )
    parser.add_argument("source", metavar="FOLDER|LIST", help="rasters, or a text file of one path a line (-: stdin)")
    parser.add_argument("output_folder", metavar="OUTDIR", help="where the results go; made where it is missing")
    parser.add_argument(
        "--task", choices=("detect", "enhance"), default="detect", help="scores or the enhanced cube (default: detect)"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="leave alone what is whole and made of the same files, options, models and version; replace the rest",
    )
    parser.add_argument("--recursive", action="store_true", help="look below FOLDER too; OUTDIR gets the same folders")
    parser.add_argument(
        "--pattern", metavar="GLOB", action="append", default=[], help="which files of FOLDER, such as '*.bsq'"
    )
    parser.add_argument(
        "--name", metavar="NAME", help="of the results (default: {name}_score.tif or {name}_enhanced.tif)"
    )
    parser.add_argument(
        "--isolate",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="work in another process, so that a raster that crashes it takes nothing with it (default: yes)",
    )
    parser.add_argument("--table", metavar="FILE", help="write the table as .csv or .json too")
    add_detector_options(parser)
    add_decision_options(parser, many=True)
    add_band_options(parser)
    add_run_options(parser)


def _add_info(commands: argparse._SubParsersAction[OneSentenceParser]) -> None:
    parser = commands.add_parser(
        "info",
        help="show bands, wavelengths, bad bands, nodata, projection, and what would be used",
        description="Show a raster's bands, wavelengths, bad bands, nodata and projection, and the model and bands "
        "that 'ferd detect' would use.",
    )
    parser.add_argument("input", metavar="INPUT", help=INPUT_HELP)
    add_band_options(parser)
    add_json(parser)


def _add_evaluate(commands: argparse._SubParsersAction[OneSentenceParser]) -> None:
    parser = commands.add_parser(
        "evaluate", help="compare scores with a truth map", description="Compare scores with a truth map."
    )
    parser.add_argument("scores", metavar="SCORES", help="a score raster")
    parser.add_argument("truth", metavar="TRUTH", help="a raster, .mat or .npy of the same size; above 0 is anomaly")
    parser.add_argument("--variable", metavar="NAME", help="the array of a .mat truth file")
    parser.add_argument("--report", metavar="FILE.html", help="write a web page with figures, curves and maps")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing report")
    add_json(parser)


def _add_models(commands: argparse._SubParsersAction[OneSentenceParser]) -> None:
    parser = commands.add_parser("models", help="list, show, import, export, download and verify models")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list the models that --model accepts")
    add_json(listing)
    show = actions.add_parser("show", help="show what a model is")
    show.add_argument("name", metavar="NAME|FOLDER")
    add_json(show)
    bring = actions.add_parser("import", help="import published weights, a TorchScript layout or a bundle")
    bring.add_argument(
        "source", metavar="SRC", help="folder with convh.pt, enc.pt, pc.pt, or with the hub's TorchScript files"
    )
    bring.add_argument("name", metavar="NAME", help="the name that --model will take")
    bring.add_argument("--overwrite", action="store_true", help="replace an imported model of this name")
    add_json(bring)
    _add_models_export(actions)
    _add_models_download(actions)
    verify = actions.add_parser(
        "verify", help="check a model's files against their checksums (all models without a name)"
    )
    verify.add_argument("name", metavar="NAME|FOLDER", nargs="?")
    add_json(verify)


def _add_models_export(actions: argparse._SubParsersAction[OneSentenceParser]) -> None:
    parser = actions.add_parser("export", help="write a model for other programs, in a new folder")
    parser.add_argument("name", metavar="NAME|FOLDER")
    parser.add_argument("folder", metavar="FOLDER", help="the folder to make")
    parser.add_argument(
        "--format",
        choices=EXPORT_FORMATS,
        required=True,
        help="torchscript: the hub's three files; safetensors: weights and card; pt2: one program of torch.export",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier export")
    add_json(parser)


def _add_models_download(actions: argparse._SubParsersAction[OneSentenceParser]) -> None:
    parser = actions.add_parser(
        "download",
        help="fetch a model from a Hugging Face hub, pinned and checked, and import it",
        description="Fetch a model from a Hugging Face hub and import it. Nothing is fetched without a commit and the "
        "sha256 of each file, from the catalogue or from these options. Mirrors, proxies and tokens are those of "
        "huggingface_hub (HF_ENDPOINT, HTTPS_PROXY, HF_TOKEN).",
    )
    parser.add_argument("name", metavar="NAME", help="a name of the catalogue, or any name with --repo")
    parser.add_argument("--repo", metavar="OWNER/NAME", help="another repository than the catalogue's")
    parser.add_argument("--revision", metavar="40HEX", help="the commit to take the files from")
    parser.add_argument(
        "--sha256", metavar="FILE=HEX", nargs="+", action="extend", default=[], help="a file and its sha256"
    )
    parser.add_argument("--offline", action="store_true", help="take the files from the cache, open no connection")
    parser.add_argument("--overwrite", action="store_true", help="replace an imported model of this name")
    add_json(parser)


def _add_detectors(commands: argparse._SubParsersAction[OneSentenceParser]) -> None:
    parser = commands.add_parser("detectors", help="list and explain the detectors")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add_json(actions.add_parser("list", help="list the detectors"))
    show = actions.add_parser("show", help="formula, reference, cost and use of a detector")
    show.add_argument("name", metavar="NAME")
    add_json(show)


def _add_sample(commands: argparse._SubParsersAction[OneSentenceParser]) -> None:
    parser = commands.add_parser("sample", help="write a seeded sample scene with truth")
    parser.add_argument("folder", metavar="FOLDER", help="created where it is missing")
    parser.add_argument("--seed", type=int, default=0, help="another seed is another scene (default: 0)")
    parser.add_argument("--overwrite", action="store_true", help="replace existing files")
    add_json(parser)


def _add_doctor(commands: argparse._SubParsersAction[OneSentenceParser]) -> None:
    parser = commands.add_parser("doctor", help="versions, BLAS, backends, GDAL drivers, and what to install for more")
    add_json(parser)
