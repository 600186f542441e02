"""Which pixels of a raster are background, as a raster or polygons say."""

from __future__ import annotations

from threading import Lock
from typing import Any, Protocol

import numpy as np

from ..cube import BoolArray
from ..errors import InputError
from ..windows import Window
from . import open_source
from .gdal_setup import gdal, gdal_exceptions, ogr, osr
from .masked_source import check_grid
from .source import Georeference, Source


class Background(Protocol):
    """Flags of the pixels of a raster, read by windows."""

    path: str

    def read(self, window: Window) -> BoolArray:
        """Return (rows, cols) whether a pixel belongs to the background."""

    def close(self) -> None:
        """Release the file."""


def open_background(path: str, source: Source) -> Background:
    """Open a raster on the source's grid (background where it is neither 0 nor nodata), or a file of polygons.

    Raises `InputError` where the file cannot be read, has another size or place, or holds no polygon.
    """
    dataset = _open_vector(path)
    if dataset is not None:
        with gdal_exceptions():
            return _Polygons(path, dataset, source)
    flags = open_source(path)
    try:
        check_grid(source, flags, "background")
    except InputError:
        flags.close()
        raise
    return _Raster(flags)


class _Raster:
    def __init__(self, source: Source) -> None:
        self.path = source.path
        self._source = source

    def read(self, window: Window) -> BoolArray:
        flag = self._source.read(window, (1,)).values[:, :, 0]
        inside: BoolArray = ~np.isnan(flag) & (flag != 0)
        return inside

    def close(self) -> None:
        self._source.close()


class _Polygons:
    """The polygons of a layer, in the raster's projection; a pixel is inside where its centre is.

    Each window is drawn when it is read, so that the memory follows the window and not the raster.
    """

    def __init__(self, path: str, dataset: Any, source: Source) -> None:
        place = source.georeference
        if place.geotransform is None:
            raise InputError(
                f"The polygons {path} need a raster with a place on the map, and {source.path or 'the cube'} has none: "
                "give the background as a raster of the same size."
            )
        self.path = path
        self._transform = place.geotransform
        # One thread reads ahead while another computes, and a layer has one place where it is read.
        self._lock = Lock()
        self._dataset, self._layer = _reprojected(path, dataset, place)

    def read(self, window: Window) -> BoolArray:
        with self._lock, gdal_exceptions():
            drawing = gdal.GetDriverByName("MEM").Create("", window.n_cols, window.n_rows, 1, gdal.GDT_Byte)
            x, dx_col, dx_row, y, dy_col, dy_row = self._transform
            left = x + window.col_start * dx_col + window.row_start * dx_row
            top = y + window.col_start * dy_col + window.row_start * dy_row
            drawing.SetGeoTransform((left, dx_col, dx_row, top, dy_col, dy_row))
            gdal.RasterizeLayer(drawing, [1], self._layer, burn_values=[1])
            inside: BoolArray = drawing.ReadAsArray() == 1
            return inside

    def close(self) -> None:
        # The layer lives as long as its dataset.
        self._layer = self._dataset = None


def _open_vector(path: str) -> Any:
    """Return a dataset of vectors, None for what is a raster, an array or unreadable."""
    if path.lower().endswith((".mat", ".npy")):
        return None
    with gdal_exceptions():
        for kind in (gdal.OF_RASTER, gdal.OF_VECTOR):
            try:
                dataset = gdal.OpenEx(path, kind)
            except RuntimeError:
                continue
            return dataset if kind == gdal.OF_VECTOR else None
    return None


def _reprojected(path: str, dataset: Any, place: Georeference) -> tuple[Any, Any]:
    """Return a dataset in memory and its layer of the polygons, without a projection of its own.

    Where the file or the raster names no projection, coordinates are taken as they are.
    """
    driver = gdal.GetDriverByName("Memory") or gdal.GetDriverByName("MEM")
    memory = driver.Create("", 0, 0, 0, gdal.GDT_Unknown)
    layer = memory.CreateLayer("background", None, ogr.wkbUnknown)
    count = 0
    for index in range(dataset.GetLayerCount()):
        original = dataset.GetLayer(index)
        change = _transformation(original.GetSpatialRef(), place.projection)
        for feature in original:
            shape = feature.GetGeometryRef()
            # 2 dimensions are there in polygons, multipolygons and their curved kinds alone.
            if shape is None or shape.GetDimension() != 2:
                continue
            shape = shape.Clone()
            if change is not None:
                try:
                    shape.Transform(change)
                except RuntimeError as error:
                    raise InputError(
                        f"A polygon of {path} cannot be brought to the raster's projection: check both projections."
                    ) from error
            copy = ogr.Feature(layer.GetLayerDefn())
            copy.SetGeometry(shape)
            layer.CreateFeature(copy)
            count += 1
    if not count:
        raise InputError(f"The background {path} holds no polygon: give polygons, or a raster on the input's grid.")
    return memory, layer


def _transformation(theirs: Any, projection: str) -> Any:
    if theirs is None or not projection:
        return None
    ours = osr.SpatialReference()
    ours.ImportFromWkt(projection)
    for system in (ours, theirs):
        # Map coordinates come as x, y in files and geotransforms, whatever order the authority names.
        system.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return None if ours.IsSame(theirs) else osr.CoordinateTransformation(theirs, ours)
