"""`ferd:importmodel`: a model's files become a model that the other algorithms know by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputFolder,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterFile,
    QgsProcessingParameterString,
)
from qgis.PyQt.QtCore import QCoreApplication

from ..compat import FOLDER
from ..engine import engine
from ..help.import_model import import_help
from ..help.page import AlgorithmHelp
from ..runtime.interpreter import worker_python
from ..runtime.jobs import run_job
from .algorithm import FerdAlgorithm
from .parameters import as_advanced

translate = QCoreApplication.translate

SOURCE = "SOURCE"
MODEL_NAME = "NAME"
LICENCE = "LICENCE"
SENSOR = "SENSOR"
WAVELENGTHS = "WAVELENGTHS"
REPLACE = "REPLACE"


class ImportModel(FerdAlgorithm):
    """Runs the engine's `import_model`: in the worker where the files are PyTorch's, else inside QGIS."""

    NAME = "importmodel"
    # Wavelengths that are no numbers.
    FURTHER_ERRORS = (ValueError,)

    def __init__(self) -> None:
        super().__init__()
        self._engine_arguments: dict[str, Any] = {}
        self._by_worker = False

    def help(self) -> AlgorithmHelp:
        return import_help()

    def definitions(self) -> list[QgsProcessingParameterDefinition]:
        texts = [
            QgsProcessingParameterString(LICENCE, translate("FERD", "Licence of the weights"), optional=True),
            QgsProcessingParameterString(SENSOR, translate("FERD", "Sensor"), optional=True),
            QgsProcessingParameterString(
                WAVELENGTHS, translate("FERD", "Wavelengths of the bands (nm, comma-separated)"), optional=True
            ),
        ]
        return [
            QgsProcessingParameterFile(SOURCE, translate("FERD", "Folder of the model"), behavior=FOLDER),
            QgsProcessingParameterString(MODEL_NAME, translate("FERD", "Name to give it")),
            QgsProcessingParameterBoolean(REPLACE, translate("FERD", "Replace a model of this name"), False),
            *(as_advanced(text) for text in texts),
        ]

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        super().initAlgorithm(configuration)
        self.addOutput(QgsProcessingOutputString("MODEL", translate("FERD", "FEN model")))
        self.addOutput(QgsProcessingOutputFolder("FOLDER", translate("FERD", "Folder of the installed model")))
        self.addOutput(QgsProcessingOutputNumber("N_BANDS", translate("FERD", "Bands that the model takes")))

    def read_parameters(self, parameters: dict[str, Any], context: QgsProcessingContext) -> None:
        self._engine_arguments = self._arguments(parameters, context)
        self._by_worker = self._needs_worker(parameters, context)

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        try:
            with self.sentences():
                if self._by_worker:
                    result = run_job(worker_python(), "import_model", self._engine_arguments, feedback)
                else:
                    model = engine("fen.importers").import_model(**self._engine_arguments)
                    result = {"name": model.name, "n_bands": model.n_bands, "folder": str(model.folder)}
        except engine("errors").Cancelled:
            feedback.pushInfo(translate("FERD", "Cancelled; nothing was installed."))
            return {}
        feedback.pushInfo(
            translate("FERD", "The model {name} for {count} bands is now in {folder}.").format(
                name=result["name"], count=result["n_bands"], folder=result["folder"]
            )
        )
        return {"MODEL": result["name"], "FOLDER": result["folder"], "N_BANDS": result["n_bands"]}

    def _arguments(self, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
        """Return the engine's arguments; raises `ValueError` for wavelengths that are none."""
        name = engine("fen.bundle").check_name(self.parameterAsString(parameters, MODEL_NAME, context).strip())
        arguments: dict[str, Any] = {
            "src": self.parameterAsString(parameters, SOURCE, context),
            "name": name,
            "overwrite": self.parameterAsBoolean(parameters, REPLACE, context),
        }
        for parameter, argument in ((LICENCE, "licence"), (SENSOR, "sensor")):
            text = self.parameterAsString(parameters, parameter, context).strip()
            if text:
                arguments[argument] = text
        wavelengths = self.parameterAsString(parameters, WAVELENGTHS, context).strip()
        if wavelengths:
            try:
                arguments["wavelengths"] = tuple(float(part) for part in wavelengths.split(","))
            except ValueError as error:
                raise ValueError(
                    translate(
                        "FERD", "The wavelengths {text} are not numbers: write them like 450.5, 460, 470.2."
                    ).format(text=wavelengths[:80])
                ) from error
        return arguments

    def _needs_worker(self, parameters: dict[str, Any], context: QgsProcessingContext) -> bool:
        """Say whether the files are PyTorch's, which a worker must read; raises a `FerdError` where there is none."""
        path = self.parameterAsString(parameters, SOURCE, context)
        source = engine("fen.importers").find_source(Path(path))
        if source.kind in ("bundle", "safetensors"):
            return False
        if worker_python() is None:
            raise engine("errors").MissingPackageError(
                translate(
                    "FERD",
                    "The model in {path} consists of PyTorch files, which another Python must read: name or make one "
                    "in Settings, Options, FERD.",
                ).format(path=path)
            )
        return True
