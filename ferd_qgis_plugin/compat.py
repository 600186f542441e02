"""Names that moved between QGIS 3.22 and QGIS 4."""

from __future__ import annotations

from qgis.core import Qgis, QgsProcessingParameterDefinition

try:
    ADVANCED = Qgis.ProcessingParameterFlag.Advanced  # QGIS 3.36 and later
except AttributeError:
    ADVANCED = QgsProcessingParameterDefinition.Flag.FlagAdvanced
