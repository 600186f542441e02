"""Cloud-optimized GeoTIFFs: a finished GeoTIFF is written anew by GDAL's COG driver."""

from __future__ import annotations

from pathlib import Path

from ..errors import OutputError, RunError
from .gdal_setup import close_dataset, gdal, gdal_exceptions, gdal_reason


def check_cog_name(name: str) -> None:
    """Raise `OutputError` for the name of a raster that is no GeoTIFF."""
    if Path(name).suffix.lower() not in (".tif", ".tiff"):
        raise OutputError(
            f"The output {name} is no GeoTIFF, and --cog makes one of them: end it in .tif, or drop --cog."
        )


def make_cog(path: Path, *, is_mask: bool) -> None:
    """Replace a GeoTIFF by a cloud-optimized one with the same content: blocks of 512, overviews, header first.

    Overviews are means of the scores, and the most frequent value of a mask; both pass over nodata.
    """
    fresh = path.with_name(f"{path.name}.cog")
    options = [
        "COMPRESS=DEFLATE",
        "LEVEL=1",
        f"PREDICTOR={'STANDARD' if is_mask else 'FLOATING_POINT'}",
        f"OVERVIEW_RESAMPLING={'MODE' if is_mask else 'AVERAGE'}",
        "BIGTIFF=IF_SAFER",
        "NUM_THREADS=ALL_CPUS",
    ]
    failures: list[str] = []
    try:
        with gdal_exceptions():
            written = gdal.Translate(str(fresh), str(path), format="COG", creationOptions=options)
        failures = close_dataset(written)
    except RuntimeError as error:
        failures = [str(error)]
    if failures:
        raise RunError(
            f"Cannot write {path.name} as a cloud-optimized GeoTIFF ({gdal_reason(failures[0])}): free disk space in "
            "the output folder, or drop --cog."
        )
    fresh.replace(path)
