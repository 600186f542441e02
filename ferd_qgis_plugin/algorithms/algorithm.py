"""What every algorithm of FERD has: its identity, its texts, and the packages that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterDefinition,
)
from qgis.PyQt.QtCore import QCoreApplication
from qgis.PyQt.QtGui import QIcon

from ..engine import engine, missing_packages
from ..help.page import HELP_URL, AlgorithmHelp
from ..paths import icon_path
from ..runtime.jobs import WorkerError
from ..source import UnusableLayerError
from ..styles import About
from ..wording import in_dialog_words
from .parameters import with_gdal_names

translate = QCoreApplication.translate


class FerdAlgorithm(QgsProcessingAlgorithm):
    """A Processing algorithm with a help page; a subclass names itself and lists its parameters."""

    NAME: str
    # Errors beside the engine's and the plugin's own whose text is a sentence for the user.
    FURTHER_ERRORS: tuple[type[Exception], ...] = ()

    def help(self) -> AlgorithmHelp:
        """Return the texts of this algorithm."""
        raise NotImplementedError

    def definitions(self) -> list[QgsProcessingParameterDefinition]:
        """Return the parameters, in the order of the dialog."""
        raise NotImplementedError

    def read_parameters(self, parameters: dict[str, Any], context: QgsProcessingContext) -> Any:
        """Take over what the run needs of layers and options, in the main thread, to which layers belong.

        Called for the check, and again before the run. Raises `UnusableLayerError` or a `FerdError` where they cannot
        work.
        """

    def in_own_words(self, sentence: object) -> str:
        """Return a sentence of the engine, or an error's, with this dialog's words for the options in it."""
        return in_dialog_words(str(sentence), self._labels())

    @contextmanager
    def sentences(self) -> Iterator[None]:
        """Let every error of the block reach QGIS as one sentence, with its cause; a cancel passes through."""
        errors = engine("errors")
        try:
            yield
        except (errors.Cancelled, QgsProcessingException):
            raise
        except (UnusableLayerError, WorkerError, errors.FerdError, *self.FURTHER_ERRORS) as error:
            raise QgsProcessingException(self.in_own_words(error)) from error
        # The border to QGIS: what nobody foresaw would be a traceback there.
        except Exception as error:
            raise QgsProcessingException(self.in_own_words(errors.unforeseen(error, "report this"))) from error

    def about(self, output: str, facts: list[str]) -> About:
        """Return what the layer of an output will say of itself: its help text, and what the run settled."""
        made_by = f"{self.id()}, FERD {engine().__version__}"
        return About(self.help().parameters[output], (made_by, *facts))

    def _labels(self) -> dict[str, str]:
        """Return the dialog's words for the parameters, by name."""
        return {definition.name(): definition.description() for definition in self.parameterDefinitions()}

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
        return self.help().html(self._labels())

    def helpUrl(self) -> str:
        return HELP_URL

    def icon(self) -> QIcon:
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        return icon_path(self.NAME)

    def createInstance(self) -> FerdAlgorithm:
        return type(self)()

    def initAlgorithm(self, configuration: dict[str, Any] | None = None) -> None:
        texts = self.help().parameters
        for definition in self.definitions():
            definition.setHelp(texts[definition.name()])
            self.addParameter(definition)

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        fits, reason = super().checkParameterValues(with_gdal_names(parameters, context), context)
        if not fits:
            return False, str(reason)
        try:
            self.read_parameters(parameters, context)
        except (UnusableLayerError, engine("errors").FerdError, *self.FURTHER_ERRORS) as error:
            return False, self.in_own_words(error)
        return True, ""

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        with self.sentences():
            self.read_parameters(parameters, context)
        return True

    def canExecute(self) -> tuple[bool, str]:
        missing = missing_packages()
        if not missing:
            return True, ""
        return False, translate(
            "FERD",
            "FERD needs {packages}, which the Python of this QGIS lacks: add it with the installer that brought QGIS "
            "(OSGeo4W setup, or on Debian and Ubuntu: apt install python3-scipy), then start QGIS again.",
        ).format(packages=", ".join(missing))
