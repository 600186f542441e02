"""`ferd models` and `ferd detectors`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from ..detectors import DETECTORS, detector_info
from ..detectors.registry import DetectorInfo
from ..errors import EXIT_DONE, EXIT_USAGE, FerdError
from ..fen.bundle import Model, verify_model
from ..fen.store import find_model, list_models
from .facts import flat, print_facts


def run_models(arguments: argparse.Namespace) -> int:
    """Run one of the actions on models."""
    actions = {
        "list": _list,
        "show": _show,
        "import": _import,
        "export": _export,
        "download": _download,
        "verify": _verify,
    }
    return actions[arguments.action](arguments)


def _list(arguments: argparse.Namespace) -> int:
    listings = list_models()
    if arguments.json:
        rows = [
            {"name": entry.name, "origin": entry.origin, "problem": entry.problem, **_facts(entry.model)}
            for entry in listings
        ]
        print(json.dumps({"models": rows}))
        return EXIT_DONE
    for entry in listings:
        if entry.model is None:
            print(f"{entry.name:<20} {entry.origin:<10} unusable: {entry.problem}")
        else:
            kind = "trained" if entry.model.trained else "untrained control"
            print(f"{entry.name:<20} {entry.origin:<10} {entry.model.n_bands:>4} bands  {kind}")
    return EXIT_DONE


def _show(arguments: argparse.Namespace) -> int:
    model = find_model(arguments.name)
    facts = _facts(model)
    if arguments.json:
        print(json.dumps(facts))
        return EXIT_DONE
    print_facts(((name.replace("_", " "), text) for name, text in flat(facts)), 23)
    return EXIT_DONE


def _facts(model: Model | None) -> dict[str, Any]:
    """Return the card of a model in the words of `model.json`; nothing for a model that cannot be used."""
    if model is None:
        return {}
    return {
        "name": model.name,
        "description": model.description,
        "trained": model.trained,
        "bands": model.n_bands,
        "band_selection": model.band_selection,
        "wavelengths_nm": model.wavelengths,
        "sensor": model.sensor,
        "scaling": model.scaling,
        "licence": model.licence,
        "training": model.training,
        "figures": model.figures,
        "architecture": asdict(model.architecture),
        "multiply_adds_per_pixel": model.architecture.macs_per_pixel,
        "sha256": model.sha256,
        "folder": str(model.folder),
    }


def _import(arguments: argparse.Namespace) -> int:
    from ..fen.importers import import_model

    return _say_imported(import_model(arguments.source, arguments.name, overwrite=arguments.overwrite), arguments.json)


def _download(arguments: argparse.Namespace) -> int:
    from ..fen.hub import download_model

    model = download_model(
        arguments.name,
        repo=arguments.repo,
        revision=arguments.revision,
        sha256=arguments.sha256,
        offline=arguments.offline,
        overwrite=arguments.overwrite,
    )
    return _say_imported(model, arguments.json)


def _say_imported(model: Model, as_json: bool) -> int:
    if as_json:
        print(json.dumps(_facts(model)))
    else:
        print(f"Imported {model.name}: {model.n_bands} bands, in {model.folder}; use it with --model {model.name}.")
    return EXIT_DONE


def _export(arguments: argparse.Namespace) -> int:
    from ..fen.export import export_model

    export = export_model(find_model(arguments.name), arguments.folder, arguments.format, overwrite=arguments.overwrite)
    if arguments.json:
        print(json.dumps({**asdict(export), "folder": str(export.folder)}))
    else:
        print(f"Exported {arguments.name} as {export.format}: {', '.join(export.files)} in {export.folder}.")
    return EXIT_DONE


def _verify(arguments: argparse.Namespace) -> int:
    names = [arguments.name] if arguments.name else [entry.name for entry in list_models()]
    results: dict[str, str] = {}
    for name in names:
        try:
            verify_model(find_model(name).folder or name)
            results[name] = ""
        except FerdError as error:
            results[name] = str(error)
    if arguments.json:
        print(json.dumps({"models": [{"name": name, "problem": problem} for name, problem in results.items()]}))
    else:
        for name, problem in results.items():
            print(f"{name}: {problem or 'whole, checksum and probe agree'}")
    return EXIT_USAGE if any(results.values()) else EXIT_DONE


def run_detectors(arguments: argparse.Namespace) -> int:
    """List or explain the detectors."""
    if arguments.action == "list":
        if arguments.json:
            print(json.dumps({"detectors": [_detector_facts(info) for info in DETECTORS.values()]}))
        else:
            print_facts(((info.name, f"{info.title}: {info.when}") for info in DETECTORS.values()), 10)
        return EXIT_DONE
    facts = _detector_facts(detector_info(arguments.name))
    if arguments.json:
        print(json.dumps(facts))
    else:
        print_facts(flat(facts), 10)
    return EXIT_DONE


def _detector_facts(info: DetectorInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "title": info.title,
        "formula": info.formula,
        "reference": info.reference,
        "cost": info.cost,
        "when": info.when,
        "options": list(info.options),
    }
