"""Models of several steps that the plugin brings as .model3 files, under ids of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingFeedback, QgsProcessingModelAlgorithm
from qgis.PyQt.QtGui import QIcon

from ..help.page import HELP_URL
from ..help.ready_model import model_group, model_labels, model_texts, model_title
from ..paths import icon_path
from .parameters import MODEL, model


class ReadyModel(QgsProcessingModelAlgorithm):
    """A model from a file; QGIS's own class would take the title for the id."""

    def __init__(self, name: str, path: Path) -> None:
        super().__init__()
        self._name, self._path = name, path
        self.is_usable = bool(self.fromFile(str(path)))
        # Without one QGIS takes it for a model not saved yet, and keeps its runs out of the history.
        self.setSourceFilePath(str(path))
        self.setHelpContent(model_texts())

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        super().initAlgorithm(configuration)
        labels = model_labels()
        for definition in self.parameterDefinitions():
            definition.setDescription(labels[definition.name()])
            if definition.name() == MODEL:
                definition.setMetadata(model().metadata())

    def name(self) -> str:
        return self._name

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        results: dict[str, Any] = super().processAlgorithm(parameters, context, feedback)
        # QGIS names a model's layers by what is fixed in its file: POLYGONS.
        for name, label in model_labels().items():
            path = str(results.get(name) or "")
            if context.willLoadLayerOnCompletion(path):
                details = context.layerToLoadOnCompletionDetails(path)
                if details.name == name.rpartition(":")[2]:
                    details.name = label
        return results

    def displayName(self) -> str:
        return model_title()

    def group(self) -> str:
        return model_group()

    def groupId(self) -> str:
        return "workflows"

    def tags(self) -> list[str]:
        return ["hyperspectral", "anomaly", "model", "polygons", "FEN", "FERD"]

    def icon(self) -> QIcon:
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        return icon_path(self._name)

    def helpUrl(self) -> str:
        return HELP_URL

    def createInstance(self) -> ReadyModel:
        return ReadyModel(self._name, self._path)
