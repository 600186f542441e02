"""The plugin's life: it registers the provider when QGIS starts and takes it away when QGIS unloads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qgis.core import QgsApplication

from .provider import FerdProvider
from .translation import install_translation, remove_translation

if TYPE_CHECKING:
    from qgis.gui import QgisInterface
    from qgis.PyQt.QtCore import QTranslator

    from .options_page import OptionsFactory


class FerdPlugin:
    """What QGIS loads: everything is in the Processing Toolbox, but for one page in QGIS's options."""

    def __init__(self, iface: QgisInterface | None = None) -> None:
        self._iface = iface
        self._provider: FerdProvider | None = None
        self._options: OptionsFactory | None = None
        self._translator: QTranslator | None = None

    def initProcessing(self) -> None:
        """Register the provider; `qgis_process` calls this alone."""
        # First, since texts are translated when they are made.
        self._translator = install_translation()
        self._provider = FerdProvider()
        QgsApplication.processingRegistry().addProvider(self._provider)
        # Once more, now that models find the algorithms of their steps; the Toolbox hears of it.
        self._provider.refreshAlgorithms()

    def initGui(self) -> None:
        """Start in a QGIS with a window."""
        self.initProcessing()
        if self._iface is not None:
            from .options_page import OptionsFactory

            self._options = OptionsFactory()
            self._iface.registerOptionsWidgetFactory(self._options)

    def unload(self) -> None:
        """Take provider, page and translation away again."""
        if self._options is not None and self._iface is not None:
            self._iface.unregisterOptionsWidgetFactory(self._options)
            self._options = None
        if self._provider is not None:
            QgsApplication.processingRegistry().removeProvider(self._provider)
            self._provider = None
        remove_translation(self._translator)
        self._translator = None
