"""Names that moved between QGIS 3.22 and QGIS 4."""

from __future__ import annotations

from qgis.core import (
    Qgis,
    QgsPalLayerSettings,
    QgsProcessing,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
)

try:
    # QGIS 3.36 and later.
    ADVANCED = Qgis.ProcessingParameterFlag.Advanced
    FOLDER = Qgis.ProcessingFileParameterBehavior.Folder
    RASTER = Qgis.ProcessingSourceType.Raster
    VECTOR_POLYGON = Qgis.ProcessingSourceType.VectorPolygon
except AttributeError:
    ADVANCED = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    FOLDER = QgsProcessingParameterFile.Behavior.Folder
    RASTER = QgsProcessing.SourceType.TypeRaster
    VECTOR_POLYGON = QgsProcessing.SourceType.TypeVectorPolygon

try:
    # QGIS 3.26 and later.
    OUTSIDE_POLYGONS = Qgis.LabelPlacement.OutsidePolygons
except AttributeError:
    OUTSIDE_POLYGONS = QgsPalLayerSettings.Placement.OutsidePolygons
