"""The command line of training: `python -m training train|explore|evaluate|diagnose|stretch ...`."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ferd_engine.cli.progress_bar import ProgressBar, stopping_on_signals
from ferd_engine.errors import EXIT_DONE, EXIT_INTERRUPTED, Cancelled, FerdError, OutputError, UsageError
from ferd_engine.fen.bundle import save_model
from ferd_engine.fen.store import find_model

from . import published, tables
from .config import SceneConfig, at_least
from .diagnosis import diagnose
from .evaluation import UNTRAINED, Method, Table, family, run_table, scenes_of_folder, scenes_of_had100, untrained
from .scenes import load_scenes
from .stretch import stretched_model


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code, as `ferd` does: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        options.run(options)
    except Cancelled:
        print(
            "training: stopped; without --fresh the same command goes on after the last whole epoch.", file=sys.stderr
        )
        return EXIT_INTERRUPTED
    except FerdError as error:
        print(f"training: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("training: interrupted.", file=sys.stderr)
        return EXIT_INTERRUPTED
    return EXIT_DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    train = commands.add_parser("train", help="train a FEN, or go on where a run was stopped")
    train.add_argument("config", metavar="CONFIG.toml")
    train.add_argument("--fresh", action="store_true", help="begin again even if there is a checkpoint")
    train.set_defaults(run=_train)
    diagnose = commands.add_parser("diagnose", help="ask a scene without truth whether FEN helps on it")
    diagnose.add_argument("scene", metavar="RASTER")
    diagnose.add_argument("--model", metavar="NAME|FOLDER", help="by default the engine's")
    diagnose.add_argument("--detector", default="grx")
    diagnose.add_argument("--draws", type=int, default=8, metavar="N", help="sets of implanted targets (default 8)")
    diagnose.set_defaults(run=_diagnose)
    stretch = commands.add_parser("stretch", help="make a model for another number of bands out of a trained one")
    stretch.add_argument("model", metavar="NAME|FOLDER")
    stretch.add_argument("bands", type=int, metavar="BANDS")
    stretch.add_argument("folder", type=Path, metavar="OUTPUT", help="its last part becomes the model's name")
    stretch.set_defaults(run=_stretch)
    explore = commands.add_parser("explore", help="compare recipes on held-out scenes with implanted targets")
    explore.add_argument("recipes", type=Path, metavar="RECIPES.toml")
    explore.add_argument("--only", nargs="+", default=[], metavar="RECIPE")
    explore.set_defaults(run=_explore)
    evaluate = commands.add_parser("evaluate", help="score scenes with a truth and print a table")
    kinds = evaluate.add_subparsers(required=True, metavar="KIND")
    scenes = kinds.add_parser("scenes", help="a folder of .mat files with cube and truth, such as ABU")
    scenes.set_defaults(run=_evaluate_scenes)
    had = kinds.add_parser("had100", help="the test images of HAD100")
    had.add_argument("--bands", type=int, choices=sorted(published.HAD100), required=True, help="the first N bands")
    had.set_defaults(run=_evaluate_had100)
    for kind in (scenes, had):
        kind.add_argument("--data", type=Path, required=True, metavar="DIR")
        kind.add_argument(
            "--model",
            action="append",
            default=[],
            metavar="NAME|FOLDER",
            help="a model's name, a bundle, or a folder of bundles of which the largest that fits a scene is taken",
        )
        kind.add_argument("--controls", type=int, default=5, metavar="N", help="untrained FENs beside it (default 5)")
        kind.add_argument("--json", type=Path, metavar="FILE", help="write all results there, too")
    return parser


def _train(options: argparse.Namespace) -> None:
    from .config_file import load_config
    from .train import train

    config = load_config(options.config)
    bar = ProgressBar()
    try:
        with stopping_on_signals(bar):
            model = train(config, progress=bar, fresh=options.fresh)
    finally:
        bar.clear()
    print(model.folder)


def _diagnose(options: argparse.Namespace) -> None:
    scenes = load_scenes((SceneConfig(path=options.scene),))
    if len(scenes) > 1:
        raise UsageError(f"There are {len(scenes)} scenes in the folder {options.scene}: name one of its files.")
    scene = scenes[0]
    found = diagnose(scene, options.model, options.detector, options.draws)
    print(
        f"Implanted targets in {scene.name}: AUC {found.plain:.4f} without FEN, {found.enhanced:.4f} with it "
        f"({found.gain:+.4f}, better in {found.better} of {found.draws} draws)."
    )


def _stretch(options: argparse.Namespace) -> None:
    if options.folder.exists():
        raise OutputError(f"{options.folder} exists: remove it, or name another folder for the model.")
    model = save_model(stretched_model(find_model(options.model), options.bands, options.folder.name), options.folder)
    print(model.folder)


def _explore(options: argparse.Namespace) -> None:
    from .explore import explore

    print(tables.outcome_table(explore(options.recipes, options.only)))


def _evaluate_scenes(options: argparse.Namespace) -> None:
    at_least("The number of controls", options.controls, 0)
    scenes = scenes_of_folder(options.data)
    models = options.model or ["fen-200"]
    methods = [Method("GRX", "grx"), Method("SLRX", "slrx")]
    for name in models:
        folders = family(name)
        methods += [Method(f"{name} + GRX", "grx", folders), Method(f"{name} + SLRX", "slrx", folders)]
    with untrained(family(models[0]), range(options.controls)) as controls:
        table = run_table(scenes, [*methods, *controls])
    print(tables.auc_table(table))
    _compare(table, [f"{name} + GRX" for name in models])
    for scene, figures in published.SCENES.items():
        if scene in table:
            print(f"\nPublished for {scene}: " + ", ".join(f"{k} {v:.4f}" for k, v in figures.items()))
    _write(options.json, table)


def _evaluate_had100(options: argparse.Namespace) -> None:
    at_least("The number of controls", options.controls, 0)
    scenes = scenes_of_had100(options.data, options.bands)
    models = options.model or [f"fen-{options.bands}"]
    methods = [Method("GRX", "grx"), *(Method(f"{name} + GRX", "grx", family(name)) for name in models)]
    with untrained(family(models[0]), range(options.controls)) as controls:
        table = run_table(scenes, [*methods, *controls])
    print(tables.auc_table(table, rows=False))
    _compare(table, [f"{name} + GRX" for name in models])
    figures = published.HAD100[options.bands]
    print("\nPublished, mean AUC: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
    _write(options.json, table)


def _compare(table: Table, names: list[str]) -> None:
    others = ["GRX", *(name for name in next(iter(table.values())) if name.startswith(UNTRAINED))]
    for name in names:
        if tables.common_scenes(table):
            print("\n" + tables.comparison_table(table, name, others))


def _write(path: Path | None, table: Table) -> None:
    if path is not None:
        values = {scene: {name: asdict(result) for name, result in row.items()} for scene, row in table.items()}
        try:
            path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"Cannot write the results to {path} ({error.strerror}): choose another file.") from error


if __name__ == "__main__":
    sys.exit(main())
