"""The choice of a FEN model in Processing's dialogs: the known names, or any folder."""

from __future__ import annotations

from typing import Any

from processing.gui.wrappers import DIALOG_MODELER, DIALOG_STANDARD, WidgetWrapper
from qgis.core import QgsProcessingOutputString, QgsProcessingParameterFile, QgsProcessingParameterString
from qgis.PyQt.QtCore import QCoreApplication
from qgis.PyQt.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from .choices import AUTO_MODEL
from .engine import engine

translate = QCoreApplication.translate


def known_models() -> list[str]:
    """Return the names of the embedded and installed models that can be used."""
    return [listing.name for listing in engine("fen.store").list_models() if listing.model is not None]


class ModelWidgetWrapper(WidgetWrapper):
    """An editable list of model names, with a button that picks a model's folder."""

    def createWidget(self) -> QWidget:
        self._combo = QComboBox()
        self._combo.setEditable(True)
        self._combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        for name in [AUTO_MODEL, *known_models()]:
            self._combo.addItem(name, name)
        if self.dialogType == DIALOG_MODELER:
            self._add_model_sources()
        if self.dialogType != DIALOG_STANDARD:
            return self._combo
        return self._with_folder_button()

    def setValue(self, value: Any) -> None:
        self.setComboValue(value, self._combo)

    def value(self) -> Any:
        return self.comboValue(combobox=self._combo)

    def _add_model_sources(self) -> None:
        """Offer the strings and folders that the surrounding Processing model has."""
        kinds = [QgsProcessingParameterString, QgsProcessingParameterFile]
        for source in self.dialog.getAvailableValuesOfType(kinds, [QgsProcessingOutputString]):
            self._combo.addItem(self.dialog.resolveValueDescription(source), source)

    def _with_folder_button(self) -> QWidget:
        self._combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        button = QToolButton()
        button.setText("…")
        button.setToolTip(translate("FERD", "Choose the folder of a model"))
        button.clicked.connect(self._choose_folder)
        box = QWidget()
        layout = QHBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo)
        layout.addWidget(button)
        return box

    def _choose_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self.widget, translate("FERD", "Choose the folder of a model"))
        if folder:
            self._combo.setEditText(folder)
