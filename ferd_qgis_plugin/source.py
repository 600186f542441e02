"""From a raster layer of QGIS to what GDAL, and so the engine, can open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qgis.core import QgsProcessingUtils, QgsProviderRegistry
from qgis.PyQt.QtCore import QCoreApplication

from .layer_edits import LayerEdits

if TYPE_CHECKING:
    from qgis.core import QgsRasterLayer

translate = QCoreApplication.translate


class UnusableLayerError(ValueError):
    """A layer, or a choice of layers, that cannot be used; the message is one sentence for the user."""


def gdal_source(layer: QgsRasterLayer) -> str:
    """Return a path or connection string that GDAL opens without QGIS, and that shows what the layer's owner sees.

    What a plain path cannot carry goes into a VRT in Processing's temporary folder: open options, and what was changed
    in the layer and not in its file (`layer_edits.LayerEdits`).
    """
    path, options = _split(layer)
    edits = LayerEdits.of(layer)
    return _vrt(path, options, edits) if options or edits else path


def gdal_path(layer: QgsRasterLayer) -> str:
    """Return the path of a layer, without its open options."""
    return _split(layer)[0]


def _split(layer: QgsRasterLayer) -> tuple[str, list[str]]:
    """Return (path, open options) of a layer."""
    provider = layer.dataProvider()
    kind = provider.name() if provider is not None else ""
    if kind != "gdal":
        raise UnusableLayerError(
            translate(
                "FERD",
                "The layer '{layer}' is not a raster file (its data provider is '{kind}'): export it to a GeoTIFF "
                "first, then choose that.",
            ).format(layer=layer.name(), kind=kind or "unknown")
        )
    registry = QgsProviderRegistry.instance()
    parts = registry.decodeUri("gdal", layer.source())
    options = list(parts.pop("openOptions", None) or [])
    if parts.pop("authcfg", None) or parts.pop("credentialOptions", None):
        raise UnusableLayerError(
            translate(
                "FERD",
                "The layer '{layer}' is read with a login kept by QGIS, which the engine cannot use: export it to a "
                "local GeoTIFF first, then choose that.",
            ).format(layer=layer.name())
        )
    return str(registry.encodeUri("gdal", parts)), options


def _vrt(path: str, options: list[str], edits: LayerEdits) -> str:
    """Return a VRT that opens `path` with GDAL's open options and has the layer's edits."""
    from osgeo import gdal

    dataset = gdal.OpenEx(path, gdal.OF_RASTER, open_options=options)
    target = QgsProcessingUtils.generateTempFilename("source.vrt")
    copy = None if dataset is None else gdal.GetDriverByName("VRT").CreateCopy(target, dataset)
    if copy is None:
        raise UnusableLayerError(
            translate("FERD", "GDAL cannot open {path} with the options {options}: check the layer's source.").format(
                path=path, options=" ".join(options)
            )
        )
    edits.write(copy)
    copy = None
    return str(target)
