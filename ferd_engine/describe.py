"""What a raster is, and what a run would take of it: the facts behind `ferd info`."""

from __future__ import annotations

import math
from typing import Any

from .bands import candidates
from .errors import FerdError
from .options import EnhanceOptions
from .plan import select_for_model
from .raster import GdalSource, Source, open_source
from .raster.gdal_setup import gdal, gdal_exceptions
from .report import format_band_list
from .scan import probe


def describe_raster(path: str, options: EnhanceOptions) -> dict[str, Any]:
    """Return size, place, bands and nodata of a raster, and the model and bands that `detect` would use, and why.

    Only the header and five small windows are read, so bands that seem wholly nodata or constant are "suspected" here;
    a run looks at every pixel. Raises `FerdError` where the raster cannot be opened.
    """
    source = open_source(path, options.variable)
    try:
        return {**_header(source), **_choice(source, options)}
    finally:
        source.close()


def _header(source: Source) -> dict[str, Any]:
    wavelengths = [band.wavelength_nm for band in source.bands]
    known = [wavelength for wavelength in wavelengths if wavelength is not None]
    nodata = sorted({band.nodata for band in source.bands if band.nodata is not None})
    return {
        "input": source.path,
        "rows": source.n_rows,
        "cols": source.n_cols,
        "bands": len(source.bands),
        # Several where bands differ.
        "dtype": ", ".join(dict.fromkeys(band.stored_type for band in source.bands)),
        "projection": _projection_name(source.georeference.projection),
        "geotransform": source.georeference.geotransform,
        "nodata": [value if math.isfinite(value) else str(value) for value in nodata],
        "wavelengths_nm": wavelengths if known else None,
        "wavelength_range_nm": [min(known), max(known)] if known else None,
        "bad_bands": format_band_list(band.number for band in source.bands if not band.good),
    }


def _choice(source: Source, options: EnhanceOptions) -> dict[str, Any]:
    facts: dict[str, Any] = {"suspected_dead_bands": "", "model": None, "bands_used": "", "band_selection": None}
    try:
        usable = candidates(source.bands, options.bands)
        if isinstance(source, GdalSource):
            # A description must cost little memory: a raster that is stored in huge blocks is not looked into.
            source.check_block(0)
        suspects = set(probe(source, usable))
        facts["suspected_dead_bands"] = format_band_list(sorted(suspects))
        alive = [number for number in usable if number not in suspects]
        selection, model = select_for_model(source.bands, alive, options)
    except FerdError as error:
        # A raster on which FEN cannot run is worth describing all the same.
        return {**facts, "why": str(error)}
    kind = "trained" if model.trained else "untrained control"
    return {
        **facts,
        "model": model.name,
        "bands_used": format_band_list(selection.numbers),
        "band_selection": selection.method,
        "why": f"{len(alive)} of {len(source.bands)} bands are usable; the model {model.name} ({kind}) takes "
        f"{model.n_bands}, picked by the selection {selection.method!r}.",
    }


def _projection_name(wkt: str) -> str:
    """Return the name of a coordinate system with its code where it has one."""
    if not wkt:
        return ""
    from osgeo import osr

    with gdal_exceptions():
        try:
            system = osr.SpatialReference(wkt)
            code = system.GetAuthorityCode(None)
            authority = f" ({system.GetAuthorityName(None)}:{code})" if code else ""
            return f"{system.GetName() or 'unnamed'}{authority}"
        except RuntimeError:
            return f"not understood by GDAL {gdal.__version__}"
