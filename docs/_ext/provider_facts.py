"""Asks the Processing provider, inside QGIS without a window, for its algorithms: provider_facts.py FILE.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Write the algorithms as JSON into the file of the first argument."""
    from qgis.core import QgsApplication

    application = QgsApplication([], False)
    application.initQgis()
    sys.path.append(str(Path(QgsApplication.pkgDataPath()) / "python" / "plugins"))
    from processing.core.Processing import Processing

    Processing.initialize()
    from ferd_qgis_plugin.provider import FerdProvider

    provider = FerdProvider()
    registry = QgsApplication.processingRegistry()
    registry.addProvider(provider)
    # The ready model finds the algorithms of its steps only once they are registered.
    provider.refreshAlgorithms()
    algorithms = sorted(provider.algorithms(), key=lambda algorithm: algorithm.displayName())
    Path(sys.argv[1]).write_text(json.dumps([facts(algorithm) for algorithm in algorithms]), encoding="utf-8")


def facts(algorithm: Any) -> dict[str, Any]:
    """Return what the page shows of an algorithm."""
    return {
        "id": algorithm.id(),
        "title": algorithm.displayName(),
        "summary": algorithm.shortDescription(),
        "parameters": [parameter(definition) for definition in algorithm.parameterDefinitions()],
        "outputs": [
            {"name": definition.name(), "label": definition.description(), "help": ""}
            for definition in algorithm.outputDefinitions()
            if algorithm.parameterDefinition(definition.name()) is None
        ],
    }


def parameter(definition: Any) -> dict[str, Any]:
    """Return what the page shows of a parameter."""
    from qgis.core import QgsProcessingParameterDefinition, QgsProcessingParameterEnum

    flags = definition.flags()
    default = definition.defaultValue()
    choices = definition.options() if isinstance(definition, QgsProcessingParameterEnum) else []
    if choices and isinstance(default, int):
        default = choices[default]
    return {
        "name": definition.name(),
        "label": definition.description(),
        "help": definition.help(),
        "default": default,
        "choices": choices,
        "optional": bool(flags & QgsProcessingParameterDefinition.Flag.FlagOptional),
        "advanced": bool(flags & QgsProcessingParameterDefinition.Flag.FlagAdvanced),
    }


if __name__ == "__main__":
    main()
