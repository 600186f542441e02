"""The parameters that lead from scores to a mask and polygons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterString,
    QgsProcessingParameterVectorDestination,
)
from qgis.PyQt.QtCore import QCoreApplication

from ..choices import CONNECTEDNESS, DEFAULT_THRESHOLD
from ..compat import VECTOR_POLYGON
from ..styles import MaskStyle, PolygonStyle, style_on_load
from . import parameters as p

if TYPE_CHECKING:
    from .algorithm import FerdAlgorithm

translate = QCoreApplication.translate

THRESHOLD = "THRESHOLD"
CONNECTED = "CONNECTEDNESS"
MIN_PIXELS = "MIN_PIXELS"
MASK_OUT = "MASK_OUT"
POLYGONS = "POLYGONS"

# The engine's options by the parameter of each output.
OUTPUT_OPTIONS = {MASK_OUT: "mask_out", POLYGONS: "polygons"}


def threshold(default: str | None = None) -> QgsProcessingParameterDefinition:
    """Return THRESHOLD, the engine's rule as text."""
    return QgsProcessingParameterString(
        THRESHOLD, translate("FERD", "Threshold (such as percentile:99.5)"), default, optional=default is None
    )


def object_options() -> list[QgsProcessingParameterDefinition]:
    """Return the parameters that say what an object is."""
    return [
        p.as_advanced(p.choice(CONNECTED, translate("FERD", "Neighbours that hold an object together"), CONNECTEDNESS)),
        QgsProcessingParameterNumber(
            MIN_PIXELS, translate("FERD", "Smallest object (pixels)"), defaultValue=1, minValue=1
        ),
    ]


def outputs(*, by_default: bool = False) -> list[QgsProcessingParameterDefinition]:
    """Return the optional outputs; `by_default` says whether the dialog has them ticked."""
    return [
        QgsProcessingParameterRasterDestination(
            MASK_OUT, translate("FERD", "Anomaly mask"), optional=True, createByDefault=by_default
        ),
        QgsProcessingParameterVectorDestination(
            POLYGONS,
            translate("FERD", "Anomaly polygons"),
            VECTOR_POLYGON,
            optional=True,
            createByDefault=by_default,
        ),
    ]


def engine_options(
    algorithm: QgsProcessingAlgorithm, parameters: dict[str, Any], context: QgsProcessingContext
) -> dict[str, Any]:
    """Return the engine's options; outputs have placeholders for names that are settled when the run begins."""
    wanted = {name: p.wants(parameters, name, context) for name in OUTPUT_OPTIONS}
    rule = algorithm.parameterAsString(parameters, THRESHOLD, context).strip()
    if not rule and any(wanted.values()):
        rule = DEFAULT_THRESHOLD
    return {
        "threshold": rule or None,
        "connectedness": int(algorithm.parameterAsEnumString(parameters, CONNECTED, context)),
        "min_pixels": algorithm.parameterAsInt(parameters, MIN_PIXELS, context),
        "mask_out": "mask.tif" if wanted[MASK_OUT] else None,
        "polygons": "polygons.gpkg" if wanted[POLYGONS] else None,
    }


def style_outputs(
    algorithm: FerdAlgorithm, paths: dict[str, str], facts: list[str], context: QgsProcessingContext
) -> None:
    """Choose how mask and polygons will look on the map."""
    for name, style in ((MASK_OUT, MaskStyle), (POLYGONS, PolygonStyle)):
        if name in paths:
            style_on_load(context, paths[name], style(algorithm.about(name, facts)))
