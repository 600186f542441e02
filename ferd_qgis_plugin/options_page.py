"""The page FERD in QGIS's options: which Python runs PyTorch."""

from __future__ import annotations

from qgis.gui import QgsFileWidget, QgsOptionsPageWidget, QgsOptionsWidgetFactory
from qgis.PyQt.QtCore import QCoreApplication
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from .help.page import HELP_URL
from .paths import icon_path
from .runtime import environment as e
from .runtime.interpreter import Interpreter, unnamed_python
from .runtime.settings import environment_folder, named_python, set_named_python
from .runtime.task import BACKGROUND, TaskFeedback

translate = QCoreApplication.translate

_SECTION = "pytorch-faster-and-on-graphics-cards"


class OptionsFactory(QgsOptionsWidgetFactory):
    """Makes the page when the options are opened."""

    def __init__(self) -> None:
        super().__init__("FERD", QIcon(icon_path("ferd")))
        # QGIS 3.32 and later find a page by its key.
        if hasattr(self, "setKey"):
            self.setKey("ferd")

    def createWidget(self, parent: QWidget | None) -> OptionsPage:
        return OptionsPage(parent)


class OptionsPage(QgsOptionsPageWidget):
    """Names a Python, makes the managed environment, and checks either."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.python = QgsFileWidget()
        self.python.setFilePath(named_python())
        self.build, self.wheels = QComboBox(), QgsFileWidget()
        self.build.addItem(translate("FERD", "CPU (200 MB to fetch, 0.9 GB on disk)"), "cpu")
        self.build.addItem(translate("FERD", "NVIDIA graphics card, CUDA (several GB)"), "cuda")
        self.wheels.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.in_use, self.log = QLabel(), QPlainTextEdit()
        self.in_use.setWordWrap(True)
        self.log.setReadOnly(True)
        self.check = QPushButton(translate("FERD", "Check"))
        self.make = QPushButton(translate("FERD", "Create or Replace"))
        self.remove = QPushButton(translate("FERD", "Remove"))
        self.stop = QPushButton(translate("FERD", "Cancel"))
        self._lay_out()
        self.check.clicked.connect(self._check)
        self.make.clicked.connect(self._make)
        self.remove.clicked.connect(self._remove)
        self.stop.clicked.connect(BACKGROUND.cancel)
        self.python.fileChanged.connect(self._show_state)
        self.log.setPlainText("\n".join(BACKGROUND.lines))
        BACKGROUND.line.connect(self.log.appendPlainText)
        BACKGROUND.changed.connect(self._show_state)
        self._show_state()

    def apply(self) -> None:
        set_named_python(self.python.filePath())

    def helpKey(self) -> str:
        return "ferd"

    def chosen(self) -> Interpreter | None:
        """Return the Python that would be used with what the page shows now."""
        typed = self.python.filePath().strip()
        if typed:
            return Interpreter(typed, translate("FERD", "named on the settings page"))
        return unnamed_python()

    def _lay_out(self) -> None:
        intro = QLabel(
            translate(
                "FERD",
                "FERD runs inside QGIS with NumPy and needs nothing more. PyTorch in another Python, the worker, is "
                "faster, and can use a graphics card. It is taken wherever a backend is auto or torch.",
            )
        )
        intro.setWordWrap(True)
        own = QGroupBox(translate("FERD", "A Python of your own"))
        form = QFormLayout(own)
        form.addRow(translate("FERD", "Program"), self.python)
        managed = QGroupBox(translate("FERD", "Managed environment"))
        form = QFormLayout(managed)
        form.addRow(translate("FERD", "Folder"), QLabel(str(environment_folder())))
        form.addRow(translate("FERD", "PyTorch for"), self.build)
        form.addRow(translate("FERD", "Install offline from a folder of wheels"), self.wheels)
        form.addRow(_row(self.make, self.remove))
        layout = QVBoxLayout(self)
        for widget in (intro, _link(), own, managed, self.in_use, _row(self.check, self.stop), self.log):
            layout.addWidget(widget)

    def _show_state(self) -> None:
        python = self.chosen()
        if python is None:
            text = translate("FERD", "In use: NumPy inside QGIS.")
        else:
            text = translate("FERD", "In use: {path} ({origin}).").format(path=python.path, origin=python.origin)
        self.in_use.setText(text)
        for button in (self.make, self.remove):
            button.setEnabled(not BACKGROUND.busy)
        self.check.setEnabled(python is not None and not BACKGROUND.busy)
        self.stop.setEnabled(BACKGROUND.busy)

    def _check(self) -> None:
        python = self.chosen()
        if python is not None:
            self.log.clear()
            BACKGROUND.start(translate("FERD", "Check of the PyTorch worker"), lambda task: _verdict(python, task))

    def _make(self) -> None:
        build, wheels = str(self.build.currentData()), self.wheels.filePath().strip()
        self.log.clear()

        def work(task: TaskFeedback) -> str:
            return _verdict(e.make_environment(build, wheels or None, task.log, task.isCanceled), task)

        BACKGROUND.start(translate("FERD", "Environment for PyTorch"), work)

    def _remove(self) -> None:
        removed = e.remove_environment()
        self.log.setPlainText(
            translate("FERD", "The managed environment was removed.")
            if removed
            else translate("FERD", "There is no managed environment.")
        )
        self._show_state()


def _verdict(python: Interpreter, task: TaskFeedback) -> str:
    text, problems = e.check_python(python, task)
    task.log(text)
    if problems:
        return translate("FERD", "The worker cannot run in {path}: {problems}").format(
            path=python.path, problems=" ".join(problems)
        )
    return translate("FERD", "The worker is ready: {path}").format(path=python.path)


def _link() -> QLabel:
    """Return a link to the page of the documentation, which the window's own Help button does not know."""
    link = QLabel(f'<a href="{HELP_URL}#{_SECTION}">{translate("FERD", "Documentation")}</a>')
    link.setOpenExternalLinks(True)
    return link


def _row(*widgets: QWidget) -> QWidget:
    box = QWidget()
    layout = QHBoxLayout(box)
    layout.setContentsMargins(0, 0, 0, 0)
    for widget in widgets:
        layout.addWidget(widget)
    layout.addStretch()
    return box
