"""The plugin's texts in the language of QGIS's windows."""

from __future__ import annotations

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QCoreApplication, QLocale, QTranslator

from .paths import PLUGIN_FOLDER

_FOLDER = str(PLUGIN_FOLDER / "i18n")


def install_translation() -> QTranslator | None:
    """Have Qt translate the plugin's texts, and return the translator; None where they stay English."""
    translator = QTranslator()
    if not translator.load(QLocale(QgsApplication.locale()), "ferd", "_", _FOLDER):
        return None
    QCoreApplication.installTranslator(translator)
    return translator


def remove_translation(translator: QTranslator | None) -> None:
    """Take a translation away again."""
    if translator is not None:
        QCoreApplication.removeTranslator(translator)
