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

HELP = {
    "ALG_DESC": "Enhances a hyperspectral raster with the Feature Enhancement Network, scores every pixel with a "
    "detector of the RX family, and draws the pixels above a threshold as polygons with their largest score and mean "
    "spectrum.",
    "SHORT_DESCRIPTION": "Enhances a hyperspectral raster, detects anomalies and draws them as polygons.",
    "INPUT": "A raster file with many spectral bands.",
    "MODEL": "The FEN model: auto, a name, or a folder.",
    "DETECTOR": "grx: one background for the whole scene. slrx: blocks, their neighbours and the scene. lrx, crd: the "
    "ring around each pixel.",
    "THRESHOLD": "What scores must exceed: percentile:P, count:N, value:V, pareto:R or chi2:P.",
    "detect:SCORES": "The anomaly score, one Float32 band.",
    "threshold:POLYGONS": "The objects above the threshold, .gpkg or .geojson.",
    "HELP_CREATOR": "FERD for QGIS contributors",
}


def main() -> int:
    import ferd_qgis_plugin

    app = QgsApplication([], False)
    app.initQgis()
    plugin = ferd_qgis_plugin.classFactory(None)
    plugin.initProcessing()
    model = make_model(QgsApplication.processingRegistry())
    fits, problems = model.validate()
    if not fits:
        raise SystemExit("\n".join(problems))
    TARGET.parent.mkdir(exist_ok=True)
    model.toFile(str(TARGET))
    print(TARGET)
    # exitQgis would free what Python still holds.
    os._exit(0)


def make_model(registry: Any) -> QgsProcessingModelAlgorithm:
    """Return the model: three steps, four inputs, two outputs."""
    model = QgsProcessingModelAlgorithm("From Scene to Anomaly Polygons", "Workflows", "workflows")
    inputs: list[QgsProcessingParameterDefinition] = [
        QgsProcessingParameterRasterLayer("INPUT", "Hyperspectral raster"),
        QgsProcessingParameterString("MODEL", "FEN model", "auto"),
        QgsProcessingParameterEnum(
            "DETECTOR", "Detector", ["grx", "slrx", "lrx", "crd"], defaultValue="grx", usesStaticStrings=True
        ),
        QgsProcessingParameterString("THRESHOLD", "Threshold", "percentile:99.5"),
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
            {"INPUT": enhanced, "ENHANCE": Source.fromStaticValue(False), "DETECTOR": given["DETECTOR"]},
            ("OUTPUT", "SCORES", "Anomaly score"),
        ),
        (
            "threshold",
            "thresholdanomalies",
            {"INPUT": scores, "THRESHOLD": given["THRESHOLD"], "SPECTRA": given["INPUT"]},
            ("POLYGONS", "POLYGONS", "Anomaly polygons"),
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
    model.setHelpContent(HELP)
    return model


if __name__ == "__main__":
    sys.exit(main())
