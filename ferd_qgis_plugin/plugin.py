"""The plugin's life: it registers the provider when QGIS starts and takes it away when QGIS unloads it."""

from __future__ import annotations

from qgis.core import QgsApplication

from .provider import FerdProvider


class FerdPlugin:
    """What QGIS loads. It has no window of its own: everything is in the Processing Toolbox."""

    def __init__(self) -> None:
        self._provider: FerdProvider | None = None

    def initProcessing(self) -> None:
        """Register the provider; `qgis_process` calls this alone."""
        self._provider = FerdProvider()
        QgsApplication.processingRegistry().addProvider(self._provider)

    def initGui(self) -> None:
        """Start in a QGIS with a window."""
        self.initProcessing()

    def unload(self) -> None:
        """Take the provider away again."""
        if self._provider is not None:
            QgsApplication.processingRegistry().removeProvider(self._provider)
            self._provider = None
