"""`ferd:fenenhance`: a raster of enhanced bands."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterRasterDestination,
)
from qgis.PyQt.QtCore import QCoreApplication

from ..help.fen_enhance import fen_help
from ..help.page import AlgorithmHelp
from ..styles import RgbStyle, style_on_load
from . import parameters as p
from .base import EngineAlgorithm

translate = QCoreApplication.translate


class FenEnhance(EngineAlgorithm):
    """Runs the engine's `enhance_raster`."""

    NAME = "fenenhance"
    ENGINE_FUNCTION = "enhance_raster"
    OPTIONS_CLASS = "EnhanceOptions"

    def help(self) -> AlgorithmHelp:
        return fen_help()

    def definitions(self) -> list[QgsProcessingParameterDefinition]:
        output = QgsProcessingParameterRasterDestination(p.OUTPUT, translate("FERD", "Enhanced bands"))
        return [p.input_layer(), p.model(), p.bands(), *p.advanced(), output]

    def style_outputs(self, outputs: dict[str, str], facts: list[str], context: QgsProcessingContext) -> None:
        style_on_load(context, outputs[p.OUTPUT], RgbStyle(self.about(p.OUTPUT, facts)))
