"""Names of rasters that are no paths of the file system: addresses on the web or in a cloud, and GDAL's own names."""

from __future__ import annotations

# GDAL's prefix for each kind of address, as catalogues (STAC items, say) give them; with it GDAL reads only the bytes
# that it needs.
_REMOTE = {"https": "/vsicurl/https://", "http": "/vsicurl/http://", "s3": "/vsis3/", "gs": "/vsigs/", "az": "/vsiaz/"}


def gdal_name(path: str) -> str:
    """Return GDAL's name of an address of the web or of a cloud's storage; any other path as it is.

    >>> gdal_name("s3://bucket/scene.tif")
    '/vsis3/bucket/scene.tif'
    """
    scheme, separator, rest = path.partition("://")
    prefix = _REMOTE.get(scheme.lower()) if separator else None
    return path if prefix is None else prefix + rest


def is_plain_path(path: str) -> bool:
    """Say whether a path is one of the file system; GDAL has other names, for what is elsewhere or inside a file.

    >>> [is_plain_path(path) for path in ("C:/scene.tif", "/vsis3/bucket/scene.tif", "NETCDF:scene.nc:reflectance")]
    [True, False, False]
    """
    return not path.startswith("/vsi") and ":" not in path[2:]
