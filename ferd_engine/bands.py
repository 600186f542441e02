"""Bands: which there are, which are good, and which of them a run uses.

Selection drops bad bands first, then picks the number that the model wants (DESIGN.md, "Band selection").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .errors import InputError, UsageError

# A model band and its nearest sensor band may lie this far apart before "auto" gives up matching by wavelength:
# three bands of a 5 nm spectrometer, so that no absorption feature is mistaken for its neighbour.
_MATCH_TOLERANCE_NM = 15.0


@dataclass(frozen=True)
class BandInfo:
    """One band of a raster: `number` counts from 1; wavelength and width are in nanometres where known.

    `stored_type` names the type of its numbers in the file, such as int16, where there is a file.
    """

    number: int
    name: str = ""
    wavelength_nm: float | None = None
    fwhm_nm: float | None = None
    good: bool = True
    nodata: float | None = None
    scale: float = 1.0
    offset: float = 0.0
    stored_type: str = ""


@dataclass(frozen=True)
class Selection:
    """The bands of a run (numbers from 1, in the order used) and how they were picked."""

    numbers: tuple[int, ...]
    method: str


def parse_band_list(text: str, n_bands: int, wavelengths_nm: Sequence[float | None] | None = None) -> tuple[int, ...]:
    """Return band numbers (from 1, each once, in the order written) for a list such as `1-50,60,1500-1750nm`.

    A part with a unit (nm, um, µm, or the words) stands for the bands whose centre lies in the range, its ends
    included, or for the band nearest to a single wavelength; `wavelengths_nm` are the bands' centres, None where one is
    not known. Raises `UsageError` for anything else, for numbers that the raster does not have, and for wavelengths
    where it has none.

    >>> parse_band_list("3-5,1", 10)
    (3, 4, 5, 1)
    >>> parse_band_list("0.5-0.7um, 420 nm", 4, [400.0, 500.0, 600.0, 700.0])
    (2, 3, 4, 1)
    """
    numbers: dict[int, None] = {}
    for part in text.split(","):
        found = _by_wavelength(part, text, wavelengths_nm or ())
        if found is not None:
            numbers.update(dict.fromkeys(found))
            continue
        match = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", part)
        if not match:
            raise UsageError(
                f"The band list {text!r} is not understood at {part.strip()!r}: write it like 1-50,60 or 400-1300nm."
            )
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= n_bands:
            unit_forgotten = last > n_bands and any(centre is not None for centre in wavelengths_nm or ())
            hint = f"; a wavelength needs its unit, such as {part.strip()}nm" if unit_forgotten else ""
            raise UsageError(
                f"The band list {text!r} asks for {part.strip()!r}, but the raster has the bands 1 to {n_bands}: "
                f"name bands in that range, the lower number first{hint}."
            )
        numbers.update(dict.fromkeys(range(first, last + 1)))
    return tuple(numbers)


_NUMBER = r"(\d+(?:\.\d*)?|\.\d+)"
_NM_PER_UNIT = {"n": 1.0, "u": 1e3, "µ": 1e3, "μ": 1e3, "m": 1e3}
_UNIT = r"(nm|nanomet(?:er|re)s?|[uµμ]m|micromet(?:er|re)s?|microns?)"
_WAVELENGTHS = re.compile(rf"\s*{_NUMBER}\s*{_UNIT}?\s*(?:-\s*{_NUMBER}\s*{_UNIT})?\s*", re.IGNORECASE)


def _by_wavelength(part: str, text: str, wavelengths_nm: Sequence[float | None]) -> list[int] | None:
    """Return the bands of one part of a list that is given by wavelength, None where it is not."""
    match = _WAVELENGTHS.fullmatch(part)
    if not match or not (match[2] or match[4]):
        return None
    unit = match[4] or match[2]
    low = float(match[1]) * _NM_PER_UNIT[(match[2] or unit)[0].lower()]
    high = low if match[3] is None else float(match[3]) * _NM_PER_UNIT[unit[0].lower()]
    known = [(centre, number) for number, centre in enumerate(wavelengths_nm, start=1) if centre is not None]
    what = f"The band list {text!r} asks for {part.strip()!r}"
    if not known:
        raise UsageError(f"{what}, but no wavelength of the raster is known: name bands by number, such as 1-50,60.")
    if match[3] is None:
        return [min((abs(centre - low), number) for centre, number in known)[1]]
    # A billionth of a nanometre, to which centres are rounded.
    found = [number for centre, number in known if low - 1e-9 <= centre <= high + 1e-9]
    if not found:
        first, last = min(known)[0], max(known)[0]
        raise UsageError(
            f"{what}, but no band has its centre there: name a range within {first:g}-{last:g}nm, the lower end first."
        )
    return found


def candidates(bands: Sequence[BandInfo], band_list: str | None) -> tuple[int, ...]:
    """Return the numbers of the good bands, restricted to the user's list; `InputError` if none is left."""
    wanted: Sequence[int] = range(1, len(bands) + 1)
    if band_list is not None:
        wanted = parse_band_list(band_list, len(bands), [band.wavelength_nm for band in bands])
    left = tuple(number for number in wanted if bands[number - 1].good)
    if not left:
        raise InputError("Every band asked for is marked as bad in the raster: correct its bad band list or --bands.")
    return left


def pick_bands(
    numbers: Sequence[int],
    n_wanted: int,
    method: str,
    bands: Sequence[BandInfo],
    model_wavelengths_nm: Sequence[float] | None,
    model_method: str,
) -> Selection:
    """Pick the `n_wanted` bands for a model out of the usable band `numbers`.

    `method` is the user's choice; with `auto` bands are matched by wavelength where both sides know theirs and every
    match lies within 15 nm, else picked as the model's `model_method` says. Each band is used at most once.
    """
    if len(numbers) < n_wanted:
        raise InputError(
            f"The model needs {n_wanted} bands, but only {len(numbers)} usable bands are left: choose a model with "
            "fewer bands, or name more bands."
        )
    if method in ("auto", "wavelength"):
        matched = _match_wavelengths(numbers, bands, model_wavelengths_nm, strict=method == "auto")
        if matched:
            return Selection(matched, "wavelength")
        if method == "wavelength":
            side = "model" if not model_wavelengths_nm else "raster"
            raise UsageError(
                f"Bands cannot be selected by wavelength because the {side} has no known wavelengths: use the band "
                "selection first or spread."
            )
        method = "spread" if model_method == "wavelength" else model_method
    if method == "first":
        return Selection(tuple(numbers[:n_wanted]), "first")
    places = np.rint(np.linspace(0, len(numbers) - 1, n_wanted)).astype(int)
    return Selection(tuple(numbers[place] for place in places), "spread")


def _match_wavelengths(
    numbers: Sequence[int], bands: Sequence[BandInfo], model_wavelengths_nm: Sequence[float] | None, *, strict: bool
) -> tuple[int, ...] | None:
    """Return the band nearest to each wavelength of a model, each band once; None where a side has no wavelengths.

    With `strict` also None where a nearest band is farther away than the tolerance.
    """
    known = [bands[number - 1].wavelength_nm for number in numbers]
    centres = np.array([np.nan if centre is None else centre for centre in known], dtype=np.float64)
    if not model_wavelengths_nm or np.isnan(centres).any():
        return None
    chosen: list[int] = []
    for wavelength in model_wavelengths_nm:
        distance = np.abs(centres - wavelength)
        nearest = int(np.argmin(distance))
        if strict and distance[nearest] > _MATCH_TOLERANCE_NM:
            return None
        chosen.append(numbers[nearest])
        centres[nearest] = np.inf
    return tuple(chosen)
