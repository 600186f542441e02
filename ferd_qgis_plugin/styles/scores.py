"""The score raster: a colour ramp whose stops are percentiles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qgis.core import (
    QgsBasicNumericFormat,
    QgsColorRampLegendNodeSettings,
    QgsColorRampShader,
    QgsGradientColorRamp,
    QgsGradientStop,
    QgsRasterLayer,
    QgsRasterShader,
    QgsSingleBandPseudoColorRenderer,
)
from qgis.PyQt.QtGui import QColor

from .order import ResultStyle

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from qgis.core import QgsMapLayer

# Percentile and colour. Scores have a long upper tail: four of the six colours belong to the highest 10 %, and what
# lies above the last percentile is as bright as that. Lightness rises from end to end, so that the map reads in grey
# print and for the colour-blind.
SCORE_STOPS = (
    (2.0, "#0b1330"),
    (50.0, "#27407e"),
    (90.0, "#6a4c93"),
    (98.0, "#d1495b"),
    (99.5, "#f79256"),
    (99.9, "#fdf3a7"),
)
_SAMPLE_PIXELS = 1_000_000


class ScoreStyle(ResultStyle):
    """Gives a score raster a colour ramp whose stops are percentiles of its scores."""

    RANK = 2

    def style(self, layer: QgsMapLayer) -> None:
        if isinstance(layer, QgsRasterLayer):
            style_scores(layer)


def style_scores(layer: QgsRasterLayer) -> None:
    """Set the score ramp, or leave the layer as it is where all scores are equal or missing."""
    import numpy as np

    scores = _sample(layer)
    if scores.size == 0:
        return
    values = [float(value) for value in np.percentile(scores, [percentile for percentile, _ in SCORE_STOPS])]
    stops = [(value, QColor(colour)) for value, (_, colour) in zip(values, SCORE_STOPS)]
    rising = [stop for i, stop in enumerate(stops) if i == 0 or stop[0] > stops[i - 1][0]]
    if len(rising) < 2:
        return
    layer.setRenderer(QgsSingleBandPseudoColorRenderer(layer.dataProvider(), 1, _shader(rising)))
    layer.renderer().setClassificationMin(rising[0][0])
    layer.renderer().setClassificationMax(rising[-1][0])
    layer.emitStyleChanged()
    layer.triggerRepaint()


def _shader(stops: list[tuple[float, QColor]]) -> QgsRasterShader:
    """Return a shader that interpolates between (value, colour) stops of rising value."""
    low, high = stops[0][0], stops[-1][0]
    between = [QgsGradientStop((value - low) / (high - low), colour) for value, colour in stops[1:-1]]
    ramp = QgsGradientColorRamp(stops[0][1], stops[-1][1], False, between)
    function = QgsColorRampShader(low, high, ramp)
    function.setColorRampItemList(
        [QgsColorRampShader.ColorRampItem(value, colour, f"{value:.4g}") for value, colour in stops]
    )
    function.setLegendSettings(_legend())
    shader = QgsRasterShader(low, high)
    shader.setRasterShaderFunction(function)
    return shader


def _legend() -> QgsColorRampLegendNodeSettings:
    """Return a legend whose numbers have four significant digits."""
    numbers = QgsBasicNumericFormat()
    numbers.setRoundingType(QgsBasicNumericFormat.RoundingType.SignificantFigures)
    numbers.setNumberDecimalPlaces(4)
    numbers.setShowThousandsSeparator(False)
    settings = QgsColorRampLegendNodeSettings()
    settings.setNumericFormat(numbers)
    return settings


def _sample(layer: QgsRasterLayer) -> NDArray[np.float64]:
    """Return the valid scores of the first band, at most about a million spread over the raster."""
    import numpy as np

    provider = layer.dataProvider()
    step = max((provider.xSize() * provider.ySize() / _SAMPLE_PIXELS) ** 0.5, 1.0)
    n_cols, n_rows = max(int(provider.xSize() / step), 1), max(int(provider.ySize() / step), 1)
    block = provider.block(1, provider.extent(), n_cols, n_rows)
    scores = np.frombuffer(bytes(block.data()), dtype=np.float32).astype(np.float64)
    valid = np.isfinite(scores)
    if block.hasNoDataValue():
        valid &= scores != block.noDataValue()
    return scores[valid]
