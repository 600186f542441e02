"""Long work of the settings page in the background, which goes on when the page is closed."""

from __future__ import annotations

from typing import Callable

from qgis.core import Qgis, QgsApplication, QgsMessageLog, QgsProcessingFeedback, QgsTask
from qgis.PyQt.QtCore import QCoreApplication, QObject, pyqtSignal

from .environment import SetupError
from .jobs import WorkerError

translate = QCoreApplication.translate

# Work that gets a log and a cancel, and returns its last words.
Work = Callable[["TaskFeedback"], str]


class TaskFeedback(QgsProcessingFeedback):
    """What the work may use: a log, and whether to stop."""

    def __init__(self, log: Callable[[str], None]) -> None:
        super().__init__(False)
        self.log = log

    def pushDebugInfo(self, info: str) -> None:
        self.log(info)


class Background(QObject):
    """One piece of work at a time, with the lines that it logged; pages come and go."""

    line = pyqtSignal(str)
    changed = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._task: _Task | None = None

    @property
    def busy(self) -> bool:
        return self._task is not None

    def start(self, title: str, work: Work) -> None:
        """Begin; the log starts anew. Nothing happens while there is other work."""
        if self.busy:
            return
        self.lines = []
        self._task = _Task(title, work)
        self._task.said.connect(self._add)
        self._task.ended.connect(self._end)
        self.changed.emit()
        QgsApplication.taskManager().addTask(self._task)

    def cancel(self) -> None:
        """Stop the work, which says so in the log."""
        if self._task is not None:
            self._task.cancel()

    def _add(self, text: str) -> None:
        self.lines.append(text)
        self.line.emit(text)

    def _end(self, text: str, done: bool) -> None:
        self._add(text)
        level = Qgis.MessageLevel.Info if done else Qgis.MessageLevel.Warning
        QgsMessageLog.logMessage(text, "FERD", level)
        self._task = None
        self.changed.emit()


class _Task(QgsTask):
    said = pyqtSignal(str)
    ended = pyqtSignal(str, bool)

    def __init__(self, title: str, work: Work) -> None:
        super().__init__(title, QgsTask.Flag.CanCancel)
        self._work = work
        self._feedback = TaskFeedback(self.said.emit)
        self._outcome = ""

    def run(self) -> bool:
        try:
            self._outcome = self._work(self._feedback)
        except (SetupError, WorkerError, OSError) as error:
            self._outcome = str(error)
            return False
        # The border of a thread: what goes wrong here would end QGIS's task without a word.
        except Exception as error:  # noqa: BLE001
            self._outcome = f"{type(error).__name__}: {error}"
            return False
        return True

    def cancel(self) -> None:
        self._feedback.cancel()
        super().cancel()

    def finished(self, result: bool) -> None:
        self.ended.emit(self._outcome or translate("FERD", "Cancelled."), result)


BACKGROUND = Background()
