"""The choice of a model in Processing's three kinds of dialogs."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.qgis


@pytest.fixture
def wrapper(provider):
    """Return a function that makes the widget of MODEL for a dialog, known to Processing by its class name."""
    from processing.gui.wrappers import WidgetWrapperFactory

    def make(dialog_name: str, **methods):
        dialog = type(dialog_name, (), methods)()
        definition = provider.algorithm("rxanomalydetection").parameterDefinition("MODEL")
        return WidgetWrapperFactory.create_wrapper(definition, dialog)

    return make


def combo_of(wrapper):
    from qgis.PyQt.QtWidgets import QComboBox

    widget = wrapper.widget
    return widget if isinstance(widget, QComboBox) else widget.findChild(QComboBox)


@pytest.mark.parametrize("dialog", ["AlgorithmDialog", "BatchAlgorithmDialog"])
def test_the_embedded_models_are_offered(wrapper, dialog):
    made = wrapper(dialog)
    combo = combo_of(made)

    names = [combo.itemText(index) for index in range(combo.count())]
    assert names[0] == "auto"
    assert {"fen-50", "fen-100", "fen-200"} < set(names)
    assert made.value() == "auto"


def test_a_name_and_a_folder_are_taken_as_written(wrapper, tmp_path):
    made = wrapper("AlgorithmDialog")

    made.setValue("fen-50")
    assert made.value() == "fen-50"
    made.setValue(str(tmp_path))
    assert made.value() == str(tmp_path)
    combo_of(made).setEditText("  fen-100 ")
    assert made.value() == "fen-100"


def test_the_folder_button_fills_in_the_folder(wrapper, part, monkeypatch, tmp_path):
    from qgis.PyQt.QtWidgets import QToolButton

    made = wrapper("AlgorithmDialog")
    answers = iter([str(tmp_path), ""])
    monkeypatch.setattr(part("model_widget").QFileDialog, "getExistingDirectory", lambda *_: next(answers))
    button = made.widget.findChild(QToolButton)

    button.click()
    assert made.value() == str(tmp_path)
    # Cancelled: what was there stays.
    button.click()
    assert made.value() == str(tmp_path)


def test_the_model_designer_offers_its_own_inputs(wrapper):
    from qgis.core import QgsProcessingModelChildParameterSource

    source = QgsProcessingModelChildParameterSource.fromModelParameter("WHICH")
    made = wrapper(
        "ModelerParametersDialog",
        getAvailableValuesOfType=lambda self, kinds, outputs: [source],
        resolveValueDescription=lambda self, value: "Which model",
    )
    combo = combo_of(made)

    combo.setCurrentIndex(combo.findText("Which model"))
    assert made.value().parameterName() == "WHICH"
    made.setValue("fen-200")
    assert made.value() == "fen-200"
