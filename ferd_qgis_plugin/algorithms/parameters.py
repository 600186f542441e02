"""The parameters that algorithms share. Their names are public and never change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingUtils,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QCoreApplication

from ..choices import AUTO_MODEL, BACKENDS, BAND_SELECTIONS, DEFAULT_MEMORY_MIB, DEVICES, MIN_MEMORY_MIB, SCALINGS
from ..compat import ADVANCED, VECTOR_POLYGON
from ..source import UnusableLayerError

translate = QCoreApplication.translate

INPUT = "INPUT"
MODEL = "MODEL"
BANDS = "BANDS"
BAND_SELECTION = "BAND_SELECTION"
SCALING = "SCALING"
MASK = "MASK"
REGION = "REGION"
MEMORY = "MEMORY"
BACKEND = "BACKEND"
DEVICE = "DEVICE"
OUTPUT = "OUTPUT"

# How names begin that GDAL opens and that are no paths of files.
_GDAL_NAMES = ("/vsi", "GPKG:", "NETCDF:", "HDF5:")
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
    return QgsProcessingParameterString(
        BANDS, translate("FERD", "Bands to use (such as 1-50,60 or 400-1300nm)"), optional=True
    )


def advanced() -> list[QgsProcessingParameterDefinition]:
    """Return the advanced parameters that enhancement and detection have."""
    definitions = [
        choice(BAND_SELECTION, translate("FERD", "Band selection"), BAND_SELECTIONS),
        choice(SCALING, translate("FERD", "Scaling"), SCALINGS),
        QgsProcessingParameterRasterLayer(MASK, translate("FERD", "Mask"), optional=True),
        QgsProcessingParameterFeatureSource(
            REGION, translate("FERD", "Region (polygons)"), [VECTOR_POLYGON], optional=True
        ),
        QgsProcessingParameterNumber(
            MEMORY, translate("FERD", "Memory budget (MiB)"), defaultValue=DEFAULT_MEMORY_MIB, minValue=MIN_MEMORY_MIB
        ),
        choice(BACKEND, translate("FERD", "Backend"), BACKENDS),
        choice(DEVICE, translate("FERD", "Device of the PyTorch worker"), DEVICES),
    ]
    return [as_advanced(definition) for definition in definitions]


def choice(
    name: str, description: str, values: tuple[str, ...], *, optional: bool = False
) -> QgsProcessingParameterEnum:
    """Return a choice whose value is the name itself, the same in every language; by default the first, or none."""
    return QgsProcessingParameterEnum(
        name,
        description,
        options=list(values),
        defaultValue=None if optional else values[0],
        optional=optional,
        usesStaticStrings=True,
    )


def as_advanced(definition: QgsProcessingParameterDefinition) -> QgsProcessingParameterDefinition:
    """Return the parameter, moved to the folded part of the dialog."""
    definition.setFlags(definition.flags() | ADVANCED)
    return definition


def raster_layer(
    algorithm: QgsProcessingAlgorithm, parameters: dict[str, Any], name: str, context: QgsProcessingContext
) -> QgsRasterLayer | None:
    """Return the raster of a parameter, None where it is not given.

    Raises `UnusableLayerError` where what is given is no raster: a mask that is not found must not be passed over.
    """
    parameters = with_gdal_names(parameters, context)
    layer = algorithm.parameterAsRasterLayer(parameters, name, context)
    if layer is None and parameters.get(name) not in (None, ""):
        raise UnusableLayerError(algorithm.invalidRasterError(parameters, name))
    return layer


def with_gdal_names(parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
    """Return the parameters with layers in place of names like `/vsizip/...` and `GPKG:file:table`.

    Processing takes a text for a file's path and finds none there; GDAL does.
    """
    found = dict(parameters)
    for name, given in parameters.items():
        if isinstance(given, str) and given.startswith(_GDAL_NAMES):
            layer = QgsRasterLayer(given, given.rpartition("/")[2], "gdal")
            if layer.isValid():
                # The context's store keeps the layer as long as the run lasts.
                context.temporaryLayerStore().addMapLayer(layer)
                found[name] = layer
    return found


def wants(parameters: dict[str, Any], name: str, context: QgsProcessingContext) -> bool:
    """Say whether an optional output was asked for."""
    value = parameters.get(name)
    if isinstance(value, QgsProcessingOutputLayerDefinition):
        value = value.sink.valueAsString(context.expressionContext())[0]
    return bool(value)


def output_paths(
    algorithm: QgsProcessingAlgorithm,
    parameters: dict[str, Any],
    context: QgsProcessingContext,
    names: Iterable[str],
) -> dict[str, str]:
    """Return the path of each output that was asked for, by its parameter's name."""
    paths = {}
    for name in names:
        if not wants(parameters, name, context):
            continue
        path = algorithm.parameterAsOutputLayer(parameters, name, context)
        if path.startswith("memory:"):
            # This is how scripts ask for a layer that vanishes with the session. The engine writes files, and a
            # temporary one vanishes with it too.
            path = QgsProcessingUtils.generateTempFilename(f"{name.lower()}.gpkg")
        paths[name] = path
    return paths
