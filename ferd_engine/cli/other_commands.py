"""`ferd info`, `ferd evaluate`, `ferd sample` and `ferd doctor`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from ..errors import EXIT_DONE
from ..options import EnhanceOptions
from .facts import flat, print_facts


def run_info(arguments: argparse.Namespace) -> int:
    """Describe a raster."""
    from ..describe import describe_raster

    options = EnhanceOptions(
        model=arguments.model,
        bands=arguments.bands,
        band_selection=arguments.band_selection,
        variable=arguments.variable,
    )
    facts = describe_raster(arguments.input, options)
    if arguments.json:
        print(json.dumps(facts))
        return EXIT_DONE
    # The list of every wavelength is for programs; people get its range.
    del facts["wavelengths_nm"]
    print_facts(((name.replace("_", " "), text) for name, text in flat(facts)), 22)
    return EXIT_DONE


def run_evaluate(arguments: argparse.Namespace) -> int:
    """Compare scores with a truth map."""
    from ..errors import UsageError
    from ..evaluate import evaluate_files, evaluate_with_report

    if arguments.overwrite and arguments.report is None:
        raise UsageError("Only a report is written, so --overwrite needs --report: give both, or leave it out.")
    if arguments.report is None:
        evaluation = evaluate_files(arguments.scores, arguments.truth, arguments.variable)
    else:
        evaluation = evaluate_with_report(
            arguments.scores, arguments.truth, arguments.report, arguments.variable, overwrite=arguments.overwrite
        )
    if arguments.json:
        print(evaluation.to_json())
        return EXIT_DONE
    print_facts(evaluation.lines(), 22)
    return EXIT_DONE


def run_sample(arguments: argparse.Namespace) -> int:
    """Write the sample scene."""
    from ..sample import make_sample

    paths = make_sample(arguments.folder, arguments.seed, overwrite=arguments.overwrite)
    if arguments.json:
        print(json.dumps({key: str(value) for key, value in asdict(paths).items()}))
    else:
        print(f"Scene: {paths.scene}\nTruth: {paths.truth}")
    return EXIT_DONE


def run_doctor(arguments: argparse.Namespace) -> int:
    """Tell what this installation can do."""
    from ..doctor import as_text, examine

    report = examine()
    print(json.dumps(report) if arguments.json else as_text(report))
    return EXIT_DONE
