"""From a raster layer of QGIS to what GDAL, and so the engine, can open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qgis.core import QgsProcessingUtils, QgsProviderRegistry
from qgis.PyQt.QtCore import QCoreApplication

if TYPE_CHECKING:
    from qgis.core import QgsRasterLayer

translate = QCoreApplication.translate


class UnusableLayerError(ValueError):
    """A layer that is no raster file; the message is one sentence for the user."""


def gdal_source(layer: QgsRasterLayer) -> str:
    """Return a path or connection string that GDAL opens without QGIS.

    A layer with open options is wrapped in a VRT in Processing's temporary folder: a plain path cannot carry them.
    """
    path, options = _split(layer)
    return _vrt(path, options) if options else path


def gdal_path(layer: QgsRasterLayer) -> str:
    """Return the path of a layer, without its open options."""
    return _split(layer)[0]


def has_own_nodata(layer: QgsRasterLayer) -> bool:
    """Say whether the layer's properties change the file's nodata, which a path cannot carry."""
    provider = layer.dataProvider()
    return any(
        provider.userNoDataValues(band)
        or (provider.sourceHasNoDataValue(band) and not provider.useSourceNoDataValue(band))
        for band in range(1, layer.bandCount() + 1)
    )


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


def _vrt(path: str, options: list[str]) -> str:
    """Return a VRT that opens `path` with GDAL's open options."""
    from osgeo import gdal

    dataset = gdal.OpenEx(path, gdal.OF_RASTER, open_options=options)
    target = QgsProcessingUtils.generateTempFilename("source.vrt")
    if dataset is None or gdal.GetDriverByName("VRT").CreateCopy(target, dataset) is None:
        raise UnusableLayerError(
            translate("FERD", "GDAL cannot open {path} with the options {options}: check the layer's source.").format(
                path=path, options=" ".join(options)
            )
        )
    return str(target)
