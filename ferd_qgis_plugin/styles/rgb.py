"""A cube of many bands as a picture of three."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qgis.core import (
    QgsContrastEnhancement,
    QgsMultiBandColorRenderer,
    QgsRasterLayer,
    QgsRasterMinMaxOrigin,
)

from ..engine import engine
from ..source import UnusableLayerError, gdal_source
from .order import ResultStyle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qgis.core import QgsMapLayer

# Red, green and blue in nanometres, and how far from one a band may lie and still be shown as it.
_CENTRES_NM = (650.0, 550.0, 460.0)
_TOLERANCE_NM = 40.0


class RgbStyle(ResultStyle):
    """Shows natural colours where wavelengths are known, else three bands far apart, stretched."""

    RANK = 3

    def style(self, layer: QgsMapLayer) -> None:
        if isinstance(layer, QgsRasterLayer) and layer.bandCount() >= 3:
            style_cube(layer)


def style_cube(layer: QgsRasterLayer) -> None:
    """Show three bands, each stretched between its 2nd and 98th percentile."""
    layer.setRenderer(QgsMultiBandColorRenderer(layer.dataProvider(), *picture_bands(_wavelengths(layer))))
    layer.setContrastEnhancement(
        QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum,
        QgsRasterMinMaxOrigin.Limits.CumulativeCut,
    )
    layer.emitStyleChanged()
    layer.triggerRepaint()


def picture_bands(wavelengths_nm: Sequence[float | None]) -> tuple[int, int, int]:
    """Return the bands (from 1) for red, green and blue; without visible light, the middles of three equal parts."""
    known = [(centre, number) for number, centre in enumerate(wavelengths_nm, start=1) if centre is not None]
    nearest = [min((abs(centre - wanted), number) for centre, number in known) for wanted in _CENTRES_NM if known]
    if nearest and all(distance <= _TOLERANCE_NM for distance, _ in nearest):
        red, green, blue = (number for _, number in nearest)
        if len({red, green, blue}) == 3:
            return red, green, blue
    n_bands = len(wavelengths_nm)
    # The longest wavelength as red, as in nature.
    return (5 * n_bands) // 6 + 1, n_bands // 2 + 1, n_bands // 6 + 1


def _wavelengths(layer: QgsRasterLayer) -> list[float | None]:
    try:
        source = engine("raster").open_source(gdal_source(layer))
    except (UnusableLayerError, engine("errors").FerdError):
        return [None] * layer.bandCount()
    try:
        return [band.wavelength_nm for band in source.bands]
    finally:
        source.close()
