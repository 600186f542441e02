"""`ferd:thresholdanomalies`: from a score raster to a mask and polygons."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterRasterLayer,
)
from qgis.PyQt.QtCore import QCoreApplication

from ..choices import DEFAULT_THRESHOLD
from ..engine import engine
from ..feedback import FeedbackProgress, push_report
from ..help.page import AlgorithmHelp
from ..help.threshold_anomalies import threshold_help
from ..source import UnusableLayerError, gdal_source
from . import decisions as d
from . import parameters as p
from .algorithm import FerdAlgorithm

translate = QCoreApplication.translate

SPECTRA = "SPECTRA"


class ThresholdAnomalies(FerdAlgorithm):
    """Runs the engine's `threshold_raster`."""

    NAME = "thresholdanomalies"

    def __init__(self) -> None:
        super().__init__()
        self._scores = ""
        self._options: dict[str, Any] = {}

    def help(self) -> AlgorithmHelp:
        return threshold_help()

    def definitions(self) -> list[QgsProcessingParameterDefinition]:
        spectra = QgsProcessingParameterRasterLayer(
            SPECTRA, translate("FERD", "Hyperspectral raster for mean spectra"), optional=True
        )
        return [
            QgsProcessingParameterRasterLayer(p.INPUT, translate("FERD", "Anomaly score")),
            d.threshold(DEFAULT_THRESHOLD),
            *d.object_options(),
            p.as_advanced(spectra),
            *d.outputs(by_default=True),
        ]

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        super().initAlgorithm(configuration)
        for name, label in (
            ("THRESHOLD_SCORE", translate("FERD", "Score of the threshold")),
            ("N_ANOMALIES", translate("FERD", "Pixels above the threshold")),
            ("N_OBJECTS", translate("FERD", "Objects above the threshold")),
        ):
            self.addOutput(QgsProcessingOutputNumber(name, label))

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        outputs = p.output_paths(self, parameters, context, d.OUTPUT_OPTIONS)
        options = {**self._options, **{option: outputs.get(name) for name, option in d.OUTPUT_OPTIONS.items()}}
        run = engine("threshold_raster").threshold_raster
        try:
            with self.sentences():
                report = run(self._scores, progress=FeedbackProgress(feedback), overwrite=True, **options)
        except engine("errors").Cancelled:
            feedback.pushInfo(translate("FERD", "Cancelled; nothing was written."))
            return {}
        push_report(report, feedback, self.in_own_words)
        d.style_outputs(self, outputs, report.lines(), context)
        numbers = {"THRESHOLD_SCORE": report.threshold, "N_ANOMALIES": report.n_anomalies}
        if report.n_objects is not None:
            numbers["N_OBJECTS"] = report.n_objects
        return {**outputs, **numbers}

    def read_parameters(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        """Take over the input and the options; raise `UnusableLayerError` or a `FerdError` where they cannot work."""
        layer = p.raster_layer(self, parameters, p.INPUT, context)
        if layer is None:
            raise UnusableLayerError(self.invalidRasterError(parameters, p.INPUT))
        if layer.bandCount() != 1:
            raise UnusableLayerError(
                translate("FERD", "The layer '{layer}' has {count} bands: give a score raster, which has one.").format(
                    layer=layer.name(), count=layer.bandCount()
                )
            )
        self._scores = gdal_source(layer)
        self._options = d.engine_options(self, parameters, context)
        # Its own check of what fits together.
        engine("options").DetectOptions(**self._options)
        if not self._options["mask_out"] and not self._options["polygons"]:
            raise UnusableLayerError(translate("FERD", "Nothing would be made: choose the mask, the polygons or both."))
        spectra = p.raster_layer(self, parameters, SPECTRA, context)
        self._options["spectra"] = None if spectra is None else gdal_source(spectra)
