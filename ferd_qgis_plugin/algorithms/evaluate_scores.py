"""`ferd:evaluatescores`: how well a score raster tells known anomalies from background."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterLayer,
)
from qgis.PyQt.QtCore import QCoreApplication

from ..compat import VECTOR_POLYGON
from ..engine import engine
from ..feedback import FeedbackProgress
from ..help.evaluate_scores import evaluate_help
from ..help.page import AlgorithmHelp
from ..regions import region_mask, to_raster
from ..source import UnusableLayerError, gdal_source
from .algorithm import FerdAlgorithm
from .parameters import INPUT, raster_layer

translate = QCoreApplication.translate

TRUTH = "TRUTH"
TARGETS = "TARGETS"
REPORT = "REPORT"
# The numbers of an evaluation, by output.
NUMBERS = {
    "AUC": "auc",
    "AVERAGE_PRECISION": "average_precision",
    "DETECTION_AT_1E_4": "detection_at_1e_4",
    "DETECTION_AT_1E_3": "detection_at_1e_3",
    "DETECTION_AT_1E_2": "detection_at_1e_2",
    "PARTIAL_AUC_1E_2": "partial_auc_1e_2",
    "N_ANOMALIES": "n_anomalies",
    "N_BACKGROUND": "n_background",
}


class EvaluateScores(FerdAlgorithm):
    """Runs the engine's `evaluate_files`."""

    NAME = "evaluatescores"

    def __init__(self) -> None:
        super().__init__()
        self._scores = ""
        self._truth = ""
        self._crs: Any = None

    def help(self) -> AlgorithmHelp:
        return evaluate_help()

    def definitions(self) -> list[QgsProcessingParameterDefinition]:
        return [
            QgsProcessingParameterRasterLayer(INPUT, translate("FERD", "Anomaly score")),
            QgsProcessingParameterRasterLayer(TRUTH, translate("FERD", "Truth (raster)"), optional=True),
            QgsProcessingParameterFeatureSource(
                TARGETS, translate("FERD", "Truth (polygons)"), [VECTOR_POLYGON], optional=True
            ),
            QgsProcessingParameterFileDestination(
                REPORT, translate("FERD", "Report"), translate("FERD", "HTML files (*.html)"), optional=True
            ),
        ]

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        super().initAlgorithm(configuration)
        for name in NUMBERS:
            self.addOutput(QgsProcessingOutputNumber(name, name.lower().replace("_1e_", "_1e-").replace("_", " ")))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        progress = FeedbackProgress(feedback)
        try:
            with self.sentences():
                truth = self._truth or self._polygons_as_raster(parameters, context, feedback)
                report = self.parameterAsFileOutput(parameters, REPORT, context)
                if report:
                    # Processing asks before it overwrites a file.
                    evaluation = engine("evaluate").evaluate_with_report(
                        self._scores, truth, report, overwrite=True, progress=progress
                    )
                else:
                    evaluation = engine("evaluate").evaluate_files(self._scores, truth, progress=progress)
        except engine("errors").Cancelled:
            feedback.pushInfo(translate("FERD", "Cancelled; nothing was written."))
            return {}
        for name, text in evaluation.lines():
            feedback.pushInfo(f"{name}: {text}")
        numbers = {name: getattr(evaluation, key) for name, key in NUMBERS.items()}
        return {**numbers, REPORT: report} if report else numbers

    def read_parameters(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        """Take over the layers; raise `UnusableLayerError` where they cannot work."""
        scores = raster_layer(self, parameters, INPUT, context)
        if scores is None:
            raise UnusableLayerError(self.invalidRasterError(parameters, INPUT))
        truth = raster_layer(self, parameters, TRUTH, context)
        polygons = self.parameterAsSource(parameters, TARGETS, context)
        for layer in (scores, truth):
            if layer is not None and layer.bandCount() != 1:
                raise UnusableLayerError(
                    translate("FERD", "The layer '{layer}' has {count} bands: give a raster of one band.").format(
                        layer=layer.name(), count=layer.bandCount()
                    )
                )
        if (truth is None) == (polygons is None):
            raise UnusableLayerError(
                translate("FERD", "The truth is either a raster or a layer of polygons: give one of the two.")
            )
        self._scores, self._crs = gdal_source(scores), scores.crs()
        self._truth = "" if truth is None else gdal_source(truth)

    def _polygons_as_raster(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> str:
        polygons = self.parameterAsSource(parameters, TARGETS, context)
        transform = to_raster(polygons, self._crs, context.transformContext())
        return region_mask(polygons, transform, self._scores, None, feedback)
