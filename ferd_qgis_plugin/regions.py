"""Polygons of QGIS, in any projection and from any source, as a mask on the raster's grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qgis.core import QgsCoordinateTransform, QgsCsException, QgsProcessingUtils
from qgis.PyQt.QtCore import QCoreApplication

from .engine import engine
from .source import UnusableLayerError

if TYPE_CHECKING:
    from qgis.core import (
        QgsCoordinateReferenceSystem,
        QgsProcessingFeatureSource,
        QgsProcessingFeedback,
    )

translate = QCoreApplication.translate

_OPTIONS = ["COMPRESS=DEFLATE", "TILED=YES", "SPARSE_OK=TRUE", "BIGTIFF=IF_SAFER"]
_WINDOW_PIXELS = 1 << 22


def region_mask(
    region: QgsProcessingFeatureSource,
    transform: QgsCoordinateTransform,
    raster_path: str,
    mask_path: str | None,
    feedback: QgsProcessingFeedback,
) -> str:
    """Return the path of a temporary mask on the raster's grid: 1 where a pixel's centre lies in a polygon, else 0.

    transform : from the polygons' projection to the raster's. mask_path : a mask that holds too. Raises
    `UnusableLayerError` where polygons cannot be placed on the raster or hold none of its pixels, and a `FerdError`
    where the mask does not fit.
    """
    from osgeo import gdal

    raster = gdal.Open(raster_path)
    if raster is None or raster.GetGeoTransform(can_return_null=True) is None:
        raise UnusableLayerError(
            translate(
                "FERD", "The raster {path} has no place on the map, so no region can be cut from it: drop the region."
            ).format(path=raster_path)
        )
    path = str(QgsProcessingUtils.generateTempFilename("region.tif"))
    mask = gdal.GetDriverByName("GTiff").Create(
        path, raster.RasterXSize, raster.RasterYSize, 1, gdal.GDT_Byte, _OPTIONS
    )
    mask.SetGeoTransform(raster.GetGeoTransform())
    mask.SetProjection(raster.GetProjection())
    outlines = _outlines(region, transform, mask.GetSpatialRef(), feedback)
    gdal.RasterizeLayer(mask, [1], outlines.GetLayer(0), burn_values=[1])
    mask.FlushCache()
    highest = mask.GetRasterBand(1).ComputeRasterMinMax(False)[1]
    mask = outlines = None
    if highest == 0:
        raise UnusableLayerError(
            translate(
                "FERD",
                "No pixel of the raster has its centre in a polygon of {region}: check its place and projection.",
            ).format(region=region.sourceName())
        )
    return path if mask_path is None else _both(path, mask_path)


def to_raster(
    region: QgsProcessingFeatureSource, crs: QgsCoordinateReferenceSystem, transform_context: Any
) -> QgsCoordinateTransform:
    """Return the transform from the polygons' projection to the raster's; none where one of them is not known."""
    if not region.sourceCrs().isValid() or not crs.isValid():
        return QgsCoordinateTransform()
    return QgsCoordinateTransform(region.sourceCrs(), crs, transform_context)


def _outlines(
    region: QgsProcessingFeatureSource,
    transform: QgsCoordinateTransform,
    reference: Any,
    feedback: QgsProcessingFeedback,
) -> Any:
    """Return a dataset in memory with the polygons in the raster's projection."""
    from osgeo import ogr

    # From GDAL 3.11 on MEM, the driver for rasters, takes vectors too, and Memory is on its way out.
    driver = ogr.GetDriverByName("Memory") or ogr.GetDriverByName("MEM")
    dataset = driver.CreateDataSource("region")
    layer = dataset.CreateLayer("region", reference, ogr.wkbUnknown)
    for found in region.getFeatures():
        if feedback.isCanceled():
            raise engine("errors").Cancelled("The run was cancelled; nothing was written.")
        geometry = found.geometry()
        if geometry.isEmpty():
            continue
        try:
            geometry.transform(transform)
        except QgsCsException as error:
            raise UnusableLayerError(
                translate(
                    "FERD", "Polygon {number} of {region} cannot be brought to the raster's projection: correct it."
                ).format(number=found.id(), region=region.sourceName())
            ) from error
        feature = ogr.Feature(layer.GetLayerDefn())
        feature.SetGeometry(ogr.CreateGeometryFromWkb(bytes(geometry.asWkb())))
        layer.CreateFeature(feature)
    return dataset


def _both(region_path: str, mask_path: str) -> str:
    """Return a mask of the pixels that lie in the region and are not masked, by the engine's reading of masks."""
    from osgeo import gdal

    path = str(QgsProcessingUtils.generateTempFilename("mask.tif"))
    source = engine("raster").open_masked(region_path, None, mask_path)
    try:
        target = gdal.GetDriverByName("GTiff").Create(path, source.n_cols, source.n_rows, 1, gdal.GDT_Byte, _OPTIONS)
        target.SetGeoTransform(source.georeference.geotransform)
        target.SetProjection(source.georeference.projection)
        rows = max(_WINDOW_PIXELS // source.n_cols, 1)
        for window in engine("windows").tiles(source.n_rows, source.n_cols, rows, source.n_cols):
            inside = source.read(window, [1]).values[:, :, 0] == 1
            target.GetRasterBand(1).WriteArray(inside.astype("uint8"), window.col_start, window.row_start)
        target = None
    finally:
        source.close()
    return path
