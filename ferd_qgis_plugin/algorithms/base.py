"""What both algorithms share: identity, checks before the run, and the run itself through the engine."""

from __future__ import annotations

import os
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterDefinition,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QCoreApplication
from qgis.PyQt.QtGui import QIcon

from ..choices import AUTO_MODEL
from ..engine import engine, missing_packages
from ..feedback import FeedbackProgress, push_report
from ..help import HELP_URL, AlgorithmHelp
from ..paths import icon_path
from ..source import UnusableLayerError, gdal_path, gdal_source, has_own_nodata
from . import parameters as p

translate = QCoreApplication.translate


class EngineAlgorithm(QgsProcessingAlgorithm):
    """A thin Processing algorithm over one function of the engine.

    A subclass names itself, lists its parameters, and says which engine function runs with which options.
    """

    NAME: str
    ENGINE_FUNCTION: str
    OPTIONS_CLASS: str

    def __init__(self) -> None:
        super().__init__()
        self._source = ""
        self._input_path = ""
        self._options: Any = None

    def help(self) -> AlgorithmHelp:
        """Return the texts of this algorithm."""
        raise NotImplementedError

    def definitions(self) -> list[QgsProcessingParameterDefinition]:
        """Return the parameters, in the order of the dialog."""
        raise NotImplementedError

    def name(self) -> str:
        return self.NAME

    def displayName(self) -> str:
        return self.help().title

    def group(self) -> str:
        return self.help().group

    def groupId(self) -> str:
        return self.help().group_id

    def tags(self) -> list[str]:
        return self.help().tags

    def shortDescription(self) -> str:
        return self.help().summary

    def shortHelpString(self) -> str:
        labels = {definition.name(): definition.description() for definition in self.parameterDefinitions()}
        return self.help().html(labels)

    def helpUrl(self) -> str:
        return HELP_URL

    def icon(self) -> QIcon:
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        return icon_path(self.NAME)

    def createInstance(self) -> EngineAlgorithm:
        return type(self)()

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        texts = self.help().parameters
        for definition in self.definitions():
            definition.setHelp(texts[definition.name()])
            self.addParameter(definition)

    def canExecute(self) -> tuple[bool, str]:
        missing = missing_packages()
        if not missing:
            return True, ""
        return False, translate(
            "FERD",
            "FERD needs {packages}, which the Python of this QGIS lacks: add it with the installer that brought QGIS "
            "(OSGeo4W setup, or on Debian and Ubuntu: apt install python3-scipy), then start QGIS again.",
        ).format(packages=", ".join(missing))

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        fits, reason = super().checkParameterValues(parameters, context)
        if not fits:
            return fits, reason
        try:
            self._read_parameters(parameters, context)
        except (UnusableLayerError, engine("errors").FerdError) as error:
            return False, str(error)
        return True, ""

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        # Layers belong to the main thread, and this still runs there.
        try:
            layer = self._read_parameters(parameters, context)
        except (UnusableLayerError, engine("errors").FerdError) as error:
            raise QgsProcessingException(str(error)) from error
        if has_own_nodata(layer):
            feedback.pushWarning(
                translate(
                    "FERD",
                    "The no-data settings in the properties of layer '{layer}' are not used; those of its file are.",
                ).format(layer=layer.name())
            )
        return True

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        output = self.parameterAsOutputLayer(parameters, p.OUTPUT, context)
        if os.path.realpath(output) == os.path.realpath(self._input_path):
            raise QgsProcessingException(
                translate("FERD", "The output {path} is the input itself: choose another name.").format(path=output)
            )
        errors = engine("errors")
        run = getattr(engine(), self.ENGINE_FUNCTION)
        try:
            report = run(self._source, output, progress=FeedbackProgress(feedback), options=self._options)
        except errors.Cancelled:
            feedback.pushInfo(translate("FERD", "Cancelled; nothing was written."))
            return {}
        except errors.FerdError as error:
            raise QgsProcessingException(str(error)) from error
        push_report(report, feedback)
        self.style_output(output, context)
        return {p.OUTPUT: output}

    def style_output(self, output: str, context: QgsProcessingContext) -> None:
        """Choose how the result will look on the map; QGIS's own default unless a subclass says more."""

    def engine_options(self, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
        """Return the engine's options by name, as far as both algorithms have them."""
        model = self.parameterAsString(parameters, p.MODEL, context).strip()
        mask = self.parameterAsRasterLayer(parameters, p.MASK, context)
        return {
            "model": None if model in ("", AUTO_MODEL) else model,
            "bands": self.parameterAsString(parameters, p.BANDS, context).strip() or None,
            "band_selection": self.parameterAsEnumString(parameters, p.BAND_SELECTION, context),
            "scaling": self.parameterAsEnumString(parameters, p.SCALING, context),
            "mask": None if mask is None else gdal_source(mask),
            "memory": f"{self.parameterAsInt(parameters, p.MEMORY, context)}MiB",
            # torch stays out of QGIS's process; Processing asks before it overwrites a file.
            "backend": "numpy",
            "overwrite": True,
        }

    def check_options(self, options: Any, n_bands: int) -> None:
        """Raise a `FerdError` where the options cannot work on a raster with `n_bands` bands."""
        if options.bands is not None:
            n_bands = len(engine("bands").parse_band_list(options.bands, n_bands))
        if self.needs_model(options):
            engine("fen.store").choose_model(options.model, n_bands)

    def needs_model(self, options: Any) -> bool:
        """Say whether a run with these options enhances."""
        return True

    def _read_parameters(self, parameters: dict[str, Any], context: QgsProcessingContext) -> QgsRasterLayer:
        """Take over input and options; raise `UnusableLayerError` or a `FerdError` where they cannot work."""
        layer = self.parameterAsRasterLayer(parameters, p.INPUT, context)
        if layer is None:
            raise UnusableLayerError(self.invalidRasterError(parameters, p.INPUT))
        self._input_path = gdal_path(layer)
        self._source = gdal_source(layer)
        options = self.engine_options(parameters, context)
        self._options = getattr(engine("options"), self.OPTIONS_CLASS)(**options)
        self.check_options(self._options, layer.bandCount())
        return layer
