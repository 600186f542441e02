"""`ferd:rxanomalydetection`: a raster of anomaly scores, and what lies above a threshold."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterMapLayer,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterString,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QCoreApplication

from ..choices import DETECTORS, MEANS, PRESETS
from ..compat import RASTER, VECTOR_POLYGON
from ..engine import engine
from ..help.page import AlgorithmHelp
from ..help.rx_detection import rx_help
from ..source import UnusableLayerError, gdal_source
from ..styles import ScoreStyle, style_on_load
from . import decisions as d
from . import parameters as p
from .base import EngineAlgorithm

translate = QCoreApplication.translate

DETECTOR = "DETECTOR"
PRESET = "PRESET"
COMPONENTS = "COMPONENTS"
BACKGROUND = "BACKGROUND"
ENHANCE = "ENHANCE"
COVARIANCE = "COVARIANCE"
MEAN = "MEAN"
# The engine's options in pixels, by parameter.
SIDES = {"BLOCK": "block", "INNER": "inner", "OUTER": "outer"}
# Stands for polygons as the background until the run makes a raster of them.
_POLYGONS = "background.tif"


class RxAnomalyDetection(EngineAlgorithm):
    """Runs the engine's `detect_raster`."""

    NAME = "rxanomalydetection"
    ENGINE_FUNCTION = "detect_raster"
    OPTIONS_CLASS = "DetectOptions"
    EXTRA_OUTPUTS = d.OUTPUT_OPTIONS

    def help(self) -> AlgorithmHelp:
        return rx_help()

    def definitions(self) -> list[QgsProcessingParameterDefinition]:
        return [
            p.input_layer(),
            p.choice(DETECTOR, translate("FERD", "Detector"), DETECTORS),
            p.choice(PRESET, translate("FERD", "Preset, in place of a detector"), PRESETS, optional=True),
            QgsProcessingParameterBoolean(ENHANCE, translate("FERD", "Enhance with FEN first"), True),
            p.model(),
            p.bands(),
            d.threshold(),
            *d.object_options(),
            *p.advanced(),
            p.as_advanced(
                QgsProcessingParameterMapLayer(
                    BACKGROUND,
                    translate("FERD", "Background (raster or polygons)"),
                    optional=True,
                    types=[RASTER, VECTOR_POLYGON],
                )
            ),
            *(p.as_advanced(definition) for definition in _detector_options()),
            QgsProcessingParameterRasterDestination(p.OUTPUT, translate("FERD", "Anomaly score")),
            *d.outputs(),
        ]

    def engine_options(self, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
        options = super().engine_options(parameters, context)
        options["detector"] = self.parameterAsEnumString(parameters, DETECTOR, context)
        options["enhance"] = self.parameterAsBoolean(parameters, ENHANCE, context)
        options["preset"] = self.parameterAsEnumString(parameters, PRESET, context) or None
        options["components"] = self.parameterAsString(parameters, COMPONENTS, context).strip() or None
        options["background"] = self._background(parameters, context)
        options["covariance"] = self.parameterAsString(parameters, COVARIANCE, context).strip() or None
        options["mean"] = self.parameterAsEnumString(parameters, MEAN, context) or None
        for name, option in SIDES.items():
            if parameters.get(name) is not None:
                options[option] = self.parameterAsInt(parameters, name, context)
        return {**options, **d.engine_options(self, parameters, context)}

    def _background(self, parameters: dict[str, Any], context: QgsProcessingContext) -> str | None:
        """Return the background raster, or a placeholder for polygons, which become one when the run begins."""
        if isinstance(self.parameterAsLayer(parameters, BACKGROUND, context), QgsVectorLayer):
            return _POLYGONS
        layer = p.raster_layer(self, parameters, BACKGROUND, context)
        return None if layer is None else gdal_source(layer)

    def run_changes(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        chosen = {"preset": self._options.preset, **self._options.detector_options()}
        told = ", ".join(f"{name} {value}" for name, value in chosen.items() if value is not None)
        if told:
            feedback.pushInfo(translate("FERD", "Options of the detector: {options}").format(options=told))
        changes = super().run_changes(parameters, context, feedback)
        if isinstance(self.parameterAsLayer(parameters, BACKGROUND, context), QgsVectorLayer):
            polygons = self.parameterAsSource(parameters, BACKGROUND, context)
            changes["background"] = self.polygons_as_raster(polygons, None, context, feedback)
        return changes

    def check_options(self, options: Any, n_bands: int) -> None:
        super().check_options(options, n_bands)
        detector = engine("detectors").make_detector(options.detector, **options.detector_options())
        engine("threshold").check_threshold(options.threshold, detector)
        if options.background is not None:
            self._check_background(options, detector)

    def _check_background(self, options: Any, detector: Any) -> None:
        """Raise an error where the detector takes no background, or the raster of one lies elsewhere."""
        if not engine("detectors").takes_background(detector):
            raise UnusableLayerError(
                translate(
                    "FERD",
                    "The detector {detector} compares a pixel with what lies around it alone, so a background is of no "
                    "use to it: choose another detector, or leave pixels out with a mask or a region.",
                ).format(detector=options.detector)
            )
        if options.background == _POLYGONS:
            return
        with closing(engine("raster").open_source(self._source)) as source:
            engine("raster.background").open_background(options.background, source).close()

    def needs_model(self, options: Any) -> bool:
        return bool(options.enhance)

    def style_outputs(self, outputs: dict[str, str], facts: list[str], context: QgsProcessingContext) -> None:
        style_on_load(context, outputs[p.OUTPUT], ScoreStyle(self.about(p.OUTPUT, facts)))
        d.style_outputs(self, outputs, facts, context)


def _detector_options() -> list[QgsProcessingParameterDefinition]:
    """Return the parameters that some detectors take; the engine refuses one that its detector does not."""
    return [
        QgsProcessingParameterNumber(
            "BLOCK", translate("FERD", "Block side of SLRX (pixels)"), optional=True, minValue=1
        ),
        QgsProcessingParameterString(
            COVARIANCE, translate("FERD", "Covariance (such as ledoit-wolf or pca:20)"), optional=True
        ),
        QgsProcessingParameterString(
            COMPONENTS, translate("FERD", "Components of fusion (such as raw:grx:oas,fen:grx)"), optional=True
        ),
        p.choice(MEAN, translate("FERD", "Mean of GRX"), MEANS, optional=True),
        QgsProcessingParameterNumber(
            "INNER", translate("FERD", "Inner window (odd number of pixels)"), optional=True, minValue=1
        ),
        QgsProcessingParameterNumber(
            "OUTER", translate("FERD", "Outer window (odd number of pixels)"), optional=True, minValue=3
        ),
    ]
