"""The parameters that both algorithms have. Their names are public and never change."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)
from qgis.PyQt.QtCore import QCoreApplication

from ..choices import AUTO_MODEL, BAND_SELECTIONS, DEFAULT_MEMORY_MIB, MIN_MEMORY_MIB, SCALINGS
from ..compat import ADVANCED

translate = QCoreApplication.translate

INPUT = "INPUT"
MODEL = "MODEL"
BANDS = "BANDS"
BAND_SELECTION = "BAND_SELECTION"
SCALING = "SCALING"
MASK = "MASK"
MEMORY = "MEMORY"
OUTPUT = "OUTPUT"

_MODEL_WIDGET = "ferd_qgis_plugin.model_widget.ModelWidgetWrapper"


def input_layer() -> QgsProcessingParameterDefinition:
    """Return INPUT, the raster to work on."""
    return QgsProcessingParameterRasterLayer(INPUT, translate("FERD", "Hyperspectral raster"))


def model() -> QgsProcessingParameterDefinition:
    """Return MODEL, a name or a folder, with a list to choose from in the dialogs."""
    definition = QgsProcessingParameterString(MODEL, translate("FERD", "FEN model"), AUTO_MODEL)
    definition.setMetadata({"widget_wrapper": {"class": _MODEL_WIDGET}})
    return definition


def bands() -> QgsProcessingParameterDefinition:
    """Return BANDS, the user's own choice of bands as text."""
    return QgsProcessingParameterString(BANDS, translate("FERD", "Bands to use (such as 1-50,60)"), optional=True)


def advanced() -> list[QgsProcessingParameterDefinition]:
    """Return the advanced parameters that both algorithms have."""
    definitions = [
        choice(BAND_SELECTION, translate("FERD", "Band selection"), BAND_SELECTIONS),
        choice(SCALING, translate("FERD", "Scaling"), SCALINGS),
        QgsProcessingParameterRasterLayer(MASK, translate("FERD", "Mask"), optional=True),
        QgsProcessingParameterNumber(
            MEMORY, translate("FERD", "Memory budget (MiB)"), defaultValue=DEFAULT_MEMORY_MIB, minValue=MIN_MEMORY_MIB
        ),
    ]
    return [as_advanced(definition) for definition in definitions]


def choice(name: str, description: str, values: tuple[str, ...]) -> QgsProcessingParameterEnum:
    """Return a choice whose value is the name itself, first one by default, the same in every language."""
    return QgsProcessingParameterEnum(
        name, description, options=list(values), defaultValue=values[0], usesStaticStrings=True
    )


def as_advanced(definition: QgsProcessingParameterDefinition) -> QgsProcessingParameterDefinition:
    """Return the parameter, moved to the folded part of the dialog."""
    definition.setFlags(definition.flags() | ADVANCED)
    return definition
