"""The engine's progress and report, told through Processing's feedback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from qgis.core import QgsProcessingFeedback

    from ferd_engine import RunReport


class FeedbackProgress:
    """A Processing feedback as the engine's `Progress`."""

    def __init__(self, feedback: QgsProcessingFeedback) -> None:
        self._feedback = feedback
        self._message = ""

    def update(self, fraction: float, message: str) -> None:
        """Move the progress bar; write each new message once."""
        self._feedback.setProgress(100.0 * fraction)
        if message != self._message:
            self._message = message
            self._feedback.setProgressText(message)

    def cancelled(self) -> bool:
        """Say whether the user pressed Cancel."""
        return bool(self._feedback.isCanceled())


def push_report(report: RunReport, feedback: QgsProcessingFeedback, in_own_words: Callable[[str], str]) -> None:
    """Write to the log what the run did, and the engine's warnings in the warnings' colour and the dialog's words."""
    for line in report.lines():
        feedback.pushInfo(line)
    for warning in report.warnings:
        feedback.pushWarning(in_own_words(warning))
