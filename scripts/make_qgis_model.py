"""Make the model that the plugin brings, ferd_qgis_plugin/models/scene_to_polygons.model3, from what is written here.

Run it with QGIS 3.22's Python, whose files later versions read, where PYTHONPATH has a plugins folder with FERD.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from qgis.core import (
    QgsApplication,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)
from qgis.PyQt.QtCore import QPointF

TARGET = Path(__file__).resolve().parents[1] / "ferd_qgis_plugin" / "models" / "scene_to_polygons.model3"
Source = QgsProcessingModelChildParameterSource


def main() -> int:
    import ferd_qgis_plugin.choices
    import ferd_qgis_plugin.help.ready_model

    app = QgsApplication([], False)
    app.initQgis()
    plugin = ferd_qgis_plugin.classFactory(None)
    plugin.initProcessing()
    model = make_model(QgsApplication.processingRegistry(), ferd_qgis_plugin)
    fits, problems = model.validate()
    if not fits:
        raise SystemExit("\n".join(problems))
    TARGET.parent.mkdir(exist_ok=True)
    model.toFile(str(TARGET))
    # exitQgis would free what Python still holds; os._exit drops what was not flushed.
    print(TARGET, flush=True)
    os._exit(0)


def make_model(registry: Any, plugin: Any) -> QgsProcessingModelAlgorithm:
    """Return the model: three steps, five inputs, two outputs."""
    texts, choices = plugin.help.ready_model, plugin.choices
    model = QgsProcessingModelAlgorithm(texts.model_title(), texts.model_group(), "workflows")
    labels = texts.model_labels()
    inputs: list[QgsProcessingParameterDefinition] = [
        QgsProcessingParameterRasterLayer("INPUT", labels["INPUT"]),
        QgsProcessingParameterString("MODEL", labels["MODEL"], "auto"),
        QgsProcessingParameterEnum(
            "DETECTOR",
            labels["DETECTOR"],
            list(choices.ONE_CUBE_DETECTORS),
            defaultValue=choices.ONE_CUBE_DETECTORS[0],
            usesStaticStrings=True,
        ),
        QgsProcessingParameterEnum(
            "PRESET", labels["PRESET"], list(choices.ONE_CUBE_PRESETS), optional=True, usesStaticStrings=True
        ),
        QgsProcessingParameterString("THRESHOLD", labels["THRESHOLD"], "percentile:99.5"),
    ]
    for place, definition in enumerate(inputs):
        component = QgsProcessingModelParameter(definition.name())
        component.setPosition(QPointF(120 + 220 * place, 60))
        model.addModelParameter(definition, component)
    given = {definition.name(): Source.fromModelParameter(definition.name()) for definition in inputs}
    enhanced = Source.fromChildOutput("enhance", "OUTPUT")
    scores = Source.fromChildOutput("detect", "OUTPUT")
    steps = [
        ("enhance", "fenenhance", {"INPUT": given["INPUT"], "MODEL": given["MODEL"]}, None),
        (
            "detect",
            "rxanomalydetection",
            {
                "INPUT": enhanced,
                "ENHANCE": Source.fromStaticValue(False),
                "DETECTOR": given["DETECTOR"],
                "PRESET": given["PRESET"],
            },
            ("OUTPUT", "SCORES", labels["detect:SCORES"]),
        ),
        (
            "threshold",
            "thresholdanomalies",
            {"INPUT": scores, "THRESHOLD": given["THRESHOLD"], "SPECTRA": given["INPUT"]},
            ("POLYGONS", "POLYGONS", labels["threshold:POLYGONS"]),
        ),
    ]
    for place, (name, algorithm, values, result) in enumerate(steps):
        child = QgsProcessingModelChildAlgorithm(f"ferd:{algorithm}")
        child.setChildId(name)
        child.setDescription(registry.algorithmById(f"ferd:{algorithm}").displayName())
        child.setPosition(QPointF(240, 200 + 120 * place))
        for definition in registry.algorithmById(f"ferd:{algorithm}").parameterDefinitions():
            if not definition.isDestination():
                source = values.get(definition.name(), Source.fromStaticValue(definition.defaultValue()))
                child.addParameterSources(definition.name(), [source])
        if result is not None:
            output, label, description = result
            made = QgsProcessingModelOutput(label, description)
            made.setChildId(name)
            made.setChildOutputName(output)
            made.setPosition(QPointF(560, 240 + 120 * place))
            made.setMandatory(True)
            child.setModelOutputs({label: made})
        model.addChildAlgorithm(child)
    model.setParameterOrder([definition.name() for definition in inputs])
    model.setHelpContent(texts.model_texts())
    return model


if __name__ == "__main__":
    sys.exit(main())
