"""The Processing provider `ferd`."""

from __future__ import annotations

from qgis.core import QgsApplication, QgsProcessingProvider
from qgis.PyQt.QtCore import QCoreApplication
from qgis.PyQt.QtGui import QIcon

from .algorithms.evaluate_scores import EvaluateScores
from .algorithms.fen_enhance import FenEnhance
from .algorithms.import_model import ImportModel
from .algorithms.ready_model import ReadyModel
from .algorithms.rx_detection import RxAnomalyDetection
from .algorithms.threshold_anomalies import ThresholdAnomalies
from .choices import OUTPUT_EXTENSIONS, VECTOR_EXTENSIONS
from .paths import MODELS, icon_path

translate = QCoreApplication.translate


class FerdProvider(QgsProcessingProvider):
    """Holds the algorithms; its id is public and stays."""

    def id(self) -> str:
        return "ferd"

    def name(self) -> str:
        return "FERD"

    def longName(self) -> str:
        return translate("FERD", "FERD: hyperspectral anomaly detection")

    def icon(self) -> QIcon:
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        return icon_path("ferd")

    def loadAlgorithms(self) -> None:
        for algorithm in (FenEnhance, RxAnomalyDetection, ThresholdAnomalies, EvaluateScores, ImportModel):
            self.addAlgorithm(algorithm())
        # A model looks for the algorithms of its steps when it is loaded, and they are in the registry only once their
        # provider is: models are added when the plugin has the algorithms loaded again.
        if QgsApplication.processingRegistry().providerById(self.id()) is None:
            return
        for name, path in MODELS.items():
            model = ReadyModel(name, path)
            if model.is_usable:
                self.addAlgorithm(model)

    def supportedOutputRasterLayerExtensions(self) -> list[str]:
        return list(OUTPUT_EXTENSIONS)

    def supportedOutputVectorLayerExtensions(self) -> list[str]:
        return list(VECTOR_EXTENSIONS)

    def defaultVectorFileExtension(self, hasGeometry: bool = True) -> str:
        return VECTOR_EXTENSIONS[0]

    def supportsNonFileBasedOutput(self) -> bool:
        return False
