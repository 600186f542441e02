"""How results look on the map; applied on the main thread after a layer was loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qgis.PyQt import sip

from .decisions import MaskStyle, PolygonStyle
from .order import About
from .rgb import RgbStyle
from .scores import ScoreStyle

if TYPE_CHECKING:
    from qgis.core import QgsProcessingContext

    from .order import ResultStyle

__all__ = ["About", "MaskStyle", "PolygonStyle", "RgbStyle", "ScoreStyle", "style_on_load"]

_held: list[ResultStyle] = []


def style_on_load(context: QgsProcessingContext, path: str, style: ResultStyle) -> None:
    """Have a result styled if Processing will load it.

    Each result gets a post-processor of its own, because the context deletes it at its end; until then it is held here,
    because the context does not hold it.
    """
    if not context.willLoadLayerOnCompletion(path):
        return
    _held[:] = [kept for kept in _held if not sip.isdeleted(kept)]
    _held.append(style)
    context.layerToLoadOnCompletionDetails(path).setPostProcessor(style)
