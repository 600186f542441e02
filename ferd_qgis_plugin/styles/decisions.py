"""Mask and polygons: the map below stays readable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qgis.core import (
    QgsFillSymbol,
    QgsPalettedRasterRenderer,
    QgsPalLayerSettings,
    QgsRasterLayer,
    QgsSimpleFillSymbolLayer,
    QgsSingleSymbolRenderer,
    QgsTextBufferSettings,
    QgsTextFormat,
    QgsVectorLayer,
    QgsVectorLayerSimpleLabeling,
)
from qgis.PyQt.QtCore import QCoreApplication
from qgis.PyQt.QtGui import QColor

from ..compat import OUTSIDE_POLYGONS
from .order import ResultStyle

if TYPE_CHECKING:
    from qgis.core import QgsMapLayer

translate = QCoreApplication.translate

# Far from every colour of the score ramp and from soil and plants, light beside it and dark around it.
_COLOUR = "#2ee6e6"
_RIM = "#0b1330"
_LABEL = "#fdf3a7"
# Scores have no unit, and each detector has a range of its own: three significant digits.
SCORE_LABEL = (
    'if(abs("max_score") >= 100, to_string(round("max_score")), '
    'to_string(round("max_score", 2 - floor(log10(max(abs("max_score"), 1e-9))))))'
)


class MaskStyle(ResultStyle):
    """Shows what is above the threshold and nothing else."""

    RANK = 1

    def style(self, layer: QgsMapLayer) -> None:
        if isinstance(layer, QgsRasterLayer):
            style_mask(layer)


class PolygonStyle(ResultStyle):
    """Outlines each object and writes its largest score beside it."""

    RANK = 0

    def style(self, layer: QgsMapLayer) -> None:
        if isinstance(layer, QgsVectorLayer):
            style_polygons(layer)


def style_mask(layer: QgsRasterLayer) -> None:
    """Colour the value 1 and make 0 transparent."""
    entry = QgsPalettedRasterRenderer.Class
    classes = [
        entry(0, QColor(0, 0, 0, 0), translate("FERD", "Background")),
        entry(1, QColor(_COLOUR), translate("FERD", "Anomaly")),
    ]
    layer.setRenderer(QgsPalettedRasterRenderer(layer.dataProvider(), 1, classes))
    layer.emitStyleChanged()
    layer.triggerRepaint()


def style_polygons(layer: QgsVectorLayer) -> None:
    """Draw outlines without filling, labelled with the largest score of each object."""
    symbol = QgsFillSymbol.createSimple(_outline(_RIM, 1.1))
    symbol.appendSymbolLayer(QgsSimpleFillSymbolLayer.create(_outline(_COLOUR, 0.5)))
    layer.setRenderer(QgsSingleSymbolRenderer(symbol))
    settings = QgsPalLayerSettings()
    settings.fieldName = SCORE_LABEL
    settings.isExpression = True
    # Objects are a few pixels large: a number on one would hide it.
    settings.placement = OUTSIDE_POLYGONS
    settings.dist = 1
    settings.setFormat(_label_format())
    layer.setLabeling(QgsVectorLayerSimpleLabeling(settings))
    layer.setLabelsEnabled(True)
    layer.emitStyleChanged()
    layer.triggerRepaint()


def _outline(colour: str, width_mm: float) -> dict[str, str]:
    return {"style": "no", "outline_color": colour, "outline_width": str(width_mm), "joinstyle": "miter"}


def _label_format() -> QgsTextFormat:
    """Return light text with a dark rim, which reads on any picture."""
    rim = QgsTextBufferSettings()
    rim.setEnabled(True)
    rim.setSize(0.8)
    rim.setColor(QColor(_RIM))
    text = QgsTextFormat()
    text.setSize(8)
    text.setColor(QColor(_LABEL))
    text.setBuffer(rim)
    return text
