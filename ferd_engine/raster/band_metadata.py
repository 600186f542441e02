"""Wavelengths, widths and bad bands, from every place where rasters keep them.

In this order, the first that answers wins, band by band: the band's QGISPAM domain (what a user edited in QGIS or
EnMAP-Box), its IMAGERY domain (GDAL's convention), its default and ENVI domains, the lists of the dataset's ENVI and
default domains, and last the wavelength that many tools write into the band's name.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from typing import Any

from ..bands import BandInfo

logger = logging.getLogger("ferd")

_NM_PER_UNIT = {
    "nanometers": 1.0,
    "nanometer": 1.0,
    "nanometres": 1.0,
    "nanometre": 1.0,
    "nm": 1.0,
    "micrometers": 1e3,
    "micrometer": 1e3,
    "micrometres": 1e3,
    "micrometre": 1e3,
    "microns": 1e3,
    "micron": 1e3,
    "um": 1e3,
    "µm": 1e3,
    "μm": 1e3,
    "millimeters": 1e6,
    "meters": 1e9,
    "m": 1e9,
}
# Without a unit, numbers below this are micrometres and numbers above it nanometres: no spectrometer of this field
# works below 100 nm or beyond 100 um.
_LARGEST_MICROMETRE = 100.0

_IN_NAME = re.compile(r"(\d+(?:\.\d+)?)\s*(nanomet(?:er|re)s?|micromet(?:er|re)s?|microns?|nm|[uµμ]m)\b", re.IGNORECASE)

_WAVELENGTH_KEYS = ("wavelength", "wavelengths", "center_wavelength", "central_wavelength")
_FWHM_KEYS = ("fwhm",)
_UNIT_KEYS = ("wavelength_units", "wavelength_unit", "wavelengthunits")
_BAD_BAND_KEYS = ("bbl", "bad_band_multiplier", "good_wavelengths")

_BAND_DOMAINS = ("QGISPAM", "", "ENVI")
_DATASET_DOMAINS = ("QGISPAM", "ENVI", "")


def read_band_infos(dataset: Any) -> tuple[BandInfo, ...]:
    """Return what is known of each band of an open GDAL dataset."""
    lists = _dataset_lists(dataset)
    return tuple(
        _band_info(dataset.GetRasterBand(number), number, lists) for number in range(1, dataset.RasterCount + 1)
    )


def _band_info(band: Any, number: int, lists: Mapping[str, list[str]]) -> BandInfo:
    name = band.GetDescription() or ""
    wavelength, fwhm, good = _from_imagery(band.GetMetadata("IMAGERY") or {})
    for domain in _BAND_DOMAINS:
        items = _lower_keys(band.GetMetadata(domain) or {})
        unit = _first(items, _UNIT_KEYS)
        own = to_nanometres(_first(items, _WAVELENGTH_KEYS), unit)
        # A user's edit in QGIS stands above everything else.
        if own is not None and (wavelength is None or domain == "QGISPAM"):
            wavelength = own
            fwhm = (
                to_nanometres(_first(items, _FWHM_KEYS), unit or _unit_of(own, _first(items, _WAVELENGTH_KEYS))) or fwhm
            )
        if good is None:
            good = _is_good(_first(items, _BAD_BAND_KEYS))
    unit = lists["unit"][0] if lists["unit"] else None
    if wavelength is None and lists["wavelength"]:
        text = lists["wavelength"][number - 1]
        unit = unit or _guessed_unit(lists["wavelength"])
        wavelength = to_nanometres(text, unit)
        fwhm = to_nanometres(lists["fwhm"][number - 1], unit) if lists["fwhm"] else fwhm
    if good is None and lists["bbl"]:
        good = _is_good(lists["bbl"][number - 1])
    if wavelength is None:
        wavelength = wavelength_in_name(name)
    nodata = band.GetNoDataValue()
    return BandInfo(
        number=number,
        name=name,
        wavelength_nm=wavelength,
        fwhm_nm=fwhm,
        good=good is not False,
        nodata=None if nodata is None else float(nodata),
        scale=_finite_or(band.GetScale(), 1.0) or 1.0,
        offset=_finite_or(band.GetOffset(), 0.0),
    )


def to_nanometres(text: str | None, unit: str | None) -> float | None:
    """Return a wavelength or width in nanometres, or None where text or unit make no sense.

    >>> to_nanometres("0.4554", "Micrometers")
    455.4
    """
    number = _number(text)
    if number is None or number <= 0:
        return None
    if unit is None or unit.strip().lower() in ("", "unknown"):
        factor = 1e3 if number < _LARGEST_MICROMETRE else 1.0
    else:
        known = _NM_PER_UNIT.get(unit.strip().lower())
        # An index, a wavenumber or a frequency is no wavelength.
        if known is None:
            return None
        factor = known
    # Rounded at a billionth of a nanometre, so that 0.4554 um is 455.4 nm and not 455.40000000000003 nm.
    return round(number * factor, 9)


def wavelength_in_name(name: str) -> float | None:
    """Return the wavelength in nanometres that a band name such as `band 1 (0.4554 Micrometers)` tells."""
    found = _IN_NAME.findall(name)
    return to_nanometres(*found[-1]) if found else None


def _from_imagery(items: Mapping[str, str]) -> tuple[float | None, float | None, bool | None]:
    upper = {key.upper(): value for key, value in items.items()}
    centre = to_nanometres(upper.get("CENTRAL_WAVELENGTH_UM"), "um")
    return centre, to_nanometres(upper.get("FWHM_UM"), "um"), None


def _dataset_lists(dataset: Any) -> dict[str, list[str]]:
    """Return the dataset's per-band lists under the names wavelength, fwhm, bbl; and the unit as a list of one."""
    lists: dict[str, list[str]] = {"wavelength": [], "fwhm": [], "bbl": [], "unit": []}
    keys = {"wavelength": _WAVELENGTH_KEYS, "fwhm": _FWHM_KEYS, "bbl": _BAD_BAND_KEYS}
    for domain in _DATASET_DOMAINS:
        items = _lower_keys(dataset.GetMetadata(domain) or {})
        for what, names in keys.items():
            text = _first(items, names)
            values = [part.strip() for part in text.strip().strip("{}").split(",")] if text else []
            if len(values) == dataset.RasterCount and not lists[what]:
                lists[what] = values
            elif len(values) > 1 and len(values) != dataset.RasterCount:
                logger.warning(
                    "The %s list has %d entries for %d bands and is left out.", what, len(values), dataset.RasterCount
                )
        unit = _first(items, _UNIT_KEYS)
        if unit and not lists["unit"]:
            lists["unit"] = [unit]
    return lists


def _guessed_unit(texts: list[str]) -> str:
    """Guess one unit for a whole list, so that it is not split at the limit between the two."""
    numbers = [number for number in map(_number, texts) if number is not None]
    return "um" if numbers and max(numbers) < _LARGEST_MICROMETRE else "nm"


def _unit_of(wavelength_nm: float, text: str | None) -> str:
    """Return the unit under which `text` was taken for this wavelength."""
    return "um" if _number(text) != wavelength_nm else "nm"


def _lower_keys(items: Mapping[str, str]) -> dict[str, str]:
    return {key.lower().replace(" ", "_"): value for key, value in items.items()}


def _first(items: Mapping[str, str], keys: tuple[str, ...]) -> str | None:
    return next((items[key] for key in keys if key in items), None)


def _is_good(text: str | None) -> bool | None:
    number = _number(text)
    return None if number is None else number != 0


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _finite_or(value: float | None, default: float) -> float:
    return float(value) if value is not None and math.isfinite(value) else default
