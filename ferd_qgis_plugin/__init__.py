"""FERD for QGIS: hyperspectral anomaly detection as a Processing provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qgis.gui import QgisInterface

    from .plugin import FerdPlugin


def classFactory(iface: QgisInterface | None) -> FerdPlugin:
    """Return the plugin; `iface` is None where QGIS runs without a window (`qgis_process`)."""
    from .plugin import FerdPlugin

    return FerdPlugin(iface)
