"""`ferd:rxanomalydetection`: a raster of anomaly scores."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
)
from qgis.PyQt.QtCore import QCoreApplication

from ..choices import DETECTORS
from ..engine import engine
from ..help import AlgorithmHelp, rx_help
from ..styles import SCORE_STYLE
from . import parameters as p
from .base import EngineAlgorithm

translate = QCoreApplication.translate

DETECTOR = "DETECTOR"
ENHANCE = "ENHANCE"
BLOCK = "BLOCK"


class RxAnomalyDetection(EngineAlgorithm):
    """Runs the engine's `detect_raster`."""

    NAME = "rxanomalydetection"
    ENGINE_FUNCTION = "detect_raster"
    OPTIONS_CLASS = "DetectOptions"

    def help(self) -> AlgorithmHelp:
        return rx_help()

    def definitions(self) -> list[QgsProcessingParameterDefinition]:
        block = QgsProcessingParameterNumber(
            BLOCK, translate("FERD", "Block side of SLRX (pixels)"), optional=True, minValue=1
        )
        return [
            p.input_layer(),
            p.choice(DETECTOR, translate("FERD", "Detector"), DETECTORS),
            QgsProcessingParameterBoolean(ENHANCE, translate("FERD", "Enhance with FEN first"), True),
            p.model(),
            p.bands(),
            *p.advanced(),
            p.as_advanced(block),
            QgsProcessingParameterRasterDestination(p.OUTPUT, translate("FERD", "Anomaly score")),
        ]

    def engine_options(self, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
        options = super().engine_options(parameters, context)
        options["detector"] = self.parameterAsEnumString(parameters, DETECTOR, context)
        options["enhance"] = self.parameterAsBoolean(parameters, ENHANCE, context)
        if parameters.get(BLOCK) is not None:
            options["block"] = self.parameterAsInt(parameters, BLOCK, context)
        return options

    def check_options(self, options: Any, n_bands: int) -> None:
        super().check_options(options, n_bands)
        engine("detectors").make_detector(options.detector, **options.detector_options())

    def needs_model(self, options: Any) -> bool:
        return bool(options.enhance)

    def style_output(self, output: str, context: QgsProcessingContext) -> None:
        if context.willLoadLayerOnCompletion(output):
            context.layerToLoadOnCompletionDetails(output).setPostProcessor(SCORE_STYLE)
