"""Wavelengths, widths and bad bands, from every place where rasters keep them.

In this order, the first that answers wins, band by band: the band's QGISPAM domain (what a user edited in QGIS or
EnMAP-Box), its IMAGERY domain (GDAL's convention), its default and ENVI domains, the lists of the dataset's ENVI and
default domains, and last the wavelength that many tools write into the band's name.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..bands import BandInfo
from .gdal_setup import type_name

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

_DATASET_DOMAINS = ("QGISPAM", "ENVI", "")


class _Facts(NamedTuple):
    """What one place says of one band; None where it says nothing that makes sense."""

    wavelength_nm: float | None = None
    fwhm_nm: float | None = None
    good: bool | None = None


def read_band_infos(dataset: Any) -> tuple[BandInfo, ...]:
    """Return what is known of each band of an open GDAL dataset."""
    lists = _dataset_lists(dataset)
    return tuple(
        _band_info(dataset.GetRasterBand(number), number, lists) for number in range(1, dataset.RasterCount + 1)
    )


def _band_info(band: Any, number: int, lists: Mapping[str, list[str]]) -> BandInfo:
    name = _text(band.GetDescription() or "")
    unit = lists["unit"][0] if lists["unit"] else None
    below_imagery = (
        _facts(_lower_keys(band.GetMetadata() or {}), unit),
        _facts(_lower_keys(band.GetMetadata("ENVI") or {}), unit),
        _listed_facts(lists, number - 1, unit),
    )
    places = (
        _facts(_lower_keys(band.GetMetadata("QGISPAM") or {}), unit),
        _imagery_facts(_lower_keys(band.GetMetadata("IMAGERY") or {}), below_imagery),
        *below_imagery,
        _Facts(wavelength_in_name(name)),
    )
    nodata = band.GetNoDataValue()
    return BandInfo(
        number=number,
        name=name,
        wavelength_nm=next((facts.wavelength_nm for facts in places if facts.wavelength_nm is not None), None),
        fwhm_nm=next((facts.fwhm_nm for facts in places if facts.fwhm_nm is not None), None),
        good=next((facts.good for facts in places if facts.good is not None), True),
        nodata=None if nodata is None else float(nodata),
        scale=_finite_or(band.GetScale(), 1.0) or 1.0,
        offset=_finite_or(band.GetOffset(), 0.0),
        stored_type=_stored_type(band),
    )


def _stored_type(band: Any) -> str:
    # GDAL before 3.7 calls signed bytes a way of reading bytes.
    signed = band.GetMetadataItem("PIXELTYPE", "IMAGE_STRUCTURE") == "SIGNEDBYTE"
    return "int8" if signed else type_name(band.DataType)


def _facts(items: Mapping[str, str], dataset_unit: str | None) -> _Facts:
    """Return what a band's own metadata says; its unit, or else the dataset's, holds for centre and width."""
    centre = _first(items, _WAVELENGTH_KEYS)
    unit = _declared(_first(items, _UNIT_KEYS)) or dataset_unit or _guessed_unit([centre])
    width = to_nanometres(_first(items, _FWHM_KEYS), unit) if unit else None
    return _Facts(to_nanometres(centre, unit), width, _is_good(_first(items, _BAD_BAND_KEYS)))


def _imagery_facts(items: Mapping[str, str], others: Sequence[_Facts]) -> _Facts:
    """Return what the IMAGERY domain says; without what it only rounds.

    GDAL 3.10 and later repeat an ENVI header there, in micrometres of three digits: in whole nanometres.
    """
    centre = to_nanometres(items.get("central_wavelength_um"), "um")
    width = to_nanometres(items.get("fwhm_um"), "um")
    return _Facts(
        None if _is_rounded(centre, (other.wavelength_nm for other in others)) else centre,
        None if _is_rounded(width, (other.fwhm_nm for other in others)) else width,
    )


def _is_rounded(value_nm: float | None, others_nm: Iterable[float | None]) -> bool:
    """Say whether a number of whole nanometres is the first other value, rounded."""
    other_nm = next((other for other in others_nm if other is not None), None)
    if value_nm is None or other_nm is None:
        return False
    return value_nm == round(value_nm) and abs(value_nm - other_nm) <= 0.5


def _listed_facts(lists: Mapping[str, list[str]], index: int, dataset_unit: str | None) -> _Facts:
    """Return what the dataset's lists say of the band at `index`; a missing unit is guessed for a whole list."""
    centre, width, good = (lists[what][index] if lists[what] else None for what in ("wavelength", "fwhm", "bbl"))
    unit = dataset_unit or _guessed_unit(lists["wavelength"])
    return _Facts(to_nanometres(centre, unit), to_nanometres(width, unit) if unit else None, _is_good(good))


def to_nanometres(text: str | None, unit: str | None) -> float | None:
    """Return a wavelength or width in nanometres, or None where text or unit make no sense.

    >>> to_nanometres("0.4554", "Micrometers")
    455.4
    """
    number = _number(text)
    if number is None or number <= 0:
        return None
    unit = _declared(unit)
    if unit is None:
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
        unit = _declared(_first(items, _UNIT_KEYS))
        if unit and not lists["unit"]:
            lists["unit"] = [unit]
    return lists


def _declared(unit: str | None) -> str | None:
    """Return a unit that says something, else None."""
    return None if unit is None or unit.strip().lower() in ("", "unknown") else unit


def _guessed_unit(texts: Iterable[str | None]) -> str | None:
    """Guess one unit for wavelengths and their widths, so that neither is split at the limit; None without any."""
    numbers = [number for number in map(_number, texts) if number is not None]
    if not numbers:
        return None
    return "um" if max(numbers) < _LARGEST_MICROMETRE else "nm"


def _lower_keys(items: Mapping[str | bytes, str | bytes]) -> dict[str, str]:
    return {_text(key).lower().replace(" ", "_"): _text(value) for key, value in items.items()}


def _text(value: str | bytes) -> str:
    """Return a text of a file's; GDAL gives bytes where it is in no code that Python knows."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


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
