"""What was changed in a layer of QGIS and not in its file: wavelengths, bad bands, no-data, projection."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qgis.core import QgsRasterLayer

# Where EnMAP-Box, and QGIS users with it, keep edits of a raster's metadata: custom properties of the layer. Before its
# version 3.17 they are named QGISPAM/dataset/DOMAIN/KEY or QGISPAM/band/NUMBER/DOMAIN/KEY (its RFC 2); the default
# domain is empty. From then on it reads those alone that hold the values of all bands, as a list or by band number
# (qgispluginsupport, qps/qgsrasterlayerproperties.py: SpectralPropertyKeys).
_PROPERTY = re.compile(r"QGISPAM/(?:dataset|band/(\d+))/([^/]*)/([^/]+)")
_SPECTRAL_PREFIX = re.compile(r"(?:enmapbox|qps)/", re.IGNORECASE)
_SPECTRAL_KEYS = {
    **dict.fromkeys(("wl", "wavelength", "wavelengths", "center_wavelength", "center_wavelengths"), "wavelength"),
    **dict.fromkeys(("wlu", "wavelength_unit", "wavelength_units"), "wavelength_units"),
    **dict.fromkeys(("fwhm", "full_width_half_maximum"), "fwhm"),
    **dict.fromkeys(("bbl", "bad_band", "bad_band_multiplier", "bad_band_list"), "bbl"),
}
# The engine looks into this domain before all others.
_DOMAIN = "QGISPAM"


@dataclass
class LayerEdits:
    """Edits of one layer; band 0 is the dataset. A no-data value of None takes the file's away."""

    metadata: dict[int, dict[str, str]] = field(default_factory=dict)
    nodata: dict[int, float | None] = field(default_factory=dict)
    projection: str = ""

    def __bool__(self) -> bool:
        return bool(self.metadata or self.nodata or self.projection)

    @classmethod
    def of(cls, layer: QgsRasterLayer) -> LayerEdits:
        """Return what was changed in a layer, as far as GDAL can hold it."""
        nodata = {}
        for band in _bands_with_own_nodata(layer):
            known, value = _nodata(layer, band)
            if known:
                nodata[band] = value
        return cls(_metadata(layer), nodata, _projection(layer))

    def write(self, dataset: Any) -> None:
        """Put the edits into an open dataset."""
        for band, items in self.metadata.items():
            holder = dataset.GetRasterBand(band) if band else dataset
            holder.SetMetadata({**(holder.GetMetadata(_DOMAIN) or {}), **items}, _DOMAIN)
        for band, value in self.nodata.items():
            if value is None:
                dataset.GetRasterBand(band).DeleteNoDataValue()
            else:
                dataset.GetRasterBand(band).SetNoDataValue(value)
        if self.projection:
            dataset.SetProjection(self.projection)


def has_lost_nodata(layer: QgsRasterLayer) -> bool:
    """Say whether the layer has no-data settings that GDAL cannot hold: ranges, or several values for one band."""
    return not all(_nodata(layer, band)[0] for band in _bands_with_own_nodata(layer))


def _bands_with_own_nodata(layer: QgsRasterLayer) -> list[int]:
    provider = layer.dataProvider()
    return [
        band
        for band in range(1, layer.bandCount() + 1)
        if provider.userNoDataValues(band)
        or (provider.sourceHasNoDataValue(band) and not provider.useSourceNoDataValue(band))
    ]


def _nodata(layer: QgsRasterLayer, band: int) -> tuple[bool, float | None]:
    """Return whether one value, or none, says what is no-data in a band, and that value."""
    provider = layer.dataProvider()
    values = {(part.min(), part.max()) for part in provider.userNoDataValues(band)}
    if provider.sourceHasNoDataValue(band) and provider.useSourceNoDataValue(band):
        own = float(provider.sourceNoDataValue(band))
        values.add((own, own))
    if not values:
        return True, None
    low, high = values.pop()
    return not values and low == high, low


def _metadata(layer: QgsRasterLayer) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for name in layer.customPropertyKeys():
        match = _PROPERTY.fullmatch(name)
        if match is None:
            continue
        band, value = int(match[1] or 0), layer.customProperty(name)
        if value is None or band > layer.bandCount():
            continue
        text = ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        found[band][match[3]] = text
    for band, key, text in _spectral_properties(layer):
        found[band][key] = text
    return dict(found)


def _spectral_properties(layer: QgsRasterLayer) -> Iterator[tuple[int, str, str]]:
    """Yield (band, key, value) of the properties that hold the values of all bands, for the bands that have one."""
    for name in layer.customPropertyKeys():
        key = _SPECTRAL_KEYS.get(re.sub(r"[ -]", "_", _SPECTRAL_PREFIX.sub("", name, count=1)).lower())
        if key is None:
            continue
        values = layer.customProperty(name)
        if isinstance(values, (list, tuple)):
            values = dict(enumerate(values, start=1)) if len(values) == layer.bandCount() else {}
        elif not isinstance(values, dict):
            continue
        for band in range(1, layer.bandCount() + 1):
            # The keys of a map that QGIS can save are text.
            value = values.get(band, values.get(str(band)))
            if value is not None and value != "":
                yield band, key, str(int(value) if isinstance(value, bool) else value)


def _projection(layer: QgsRasterLayer) -> str:
    """Return the layer's projection as WKT where its owner set another one than the file's, else nothing."""
    chosen, own = layer.crs(), layer.dataProvider().crs()
    if not chosen.isValid() or chosen == own:
        return ""
    # WKT 1 as GDAL writes it: what every GDAL since QGIS 3.22's reads.
    return str(chosen.toWkt())
