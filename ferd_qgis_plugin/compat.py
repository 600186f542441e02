"""Names that moved between QGIS 3.22 and QGIS 4."""

from __future__ import annotations

from qgis.core import Qgis, QgsProcessing, QgsProcessingParameterDefinition

try:
    # QGIS 3.36 and later.
    ADVANCED = Qgis.ProcessingParameterFlag.Advanced
    VECTOR_POLYGON = Qgis.ProcessingSourceType.VectorPolygon
except AttributeError:
    ADVANCED = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    VECTOR_POLYGON = QgsProcessing.SourceType.TypeVectorPolygon
