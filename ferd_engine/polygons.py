"""Anomalies as polygons: connected pixels above the threshold, with what an analyst asks about each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cube import Float32Array, ScratchCube
from .errors import OutputError, RunError
from .progress import ProgressSpan
from .raster.gdal_setup import gdal, gdal_exceptions, gdal_reason, ogr, osr
from .raster.source import Georeference, Source
from .statistics import Float64Array
from .windows import Window

_DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".json": "GeoJSON"}
_LAYER = "anomalies"
_FIELDS = (
    ("id", "integer"),
    ("pixels", "integer"),
    ("area", "real"),
    ("max_score", "real"),
    ("mean_score", "real"),
    ("peak_row", "integer"),
    ("peak_col", "integer"),
    ("peak_x", "real"),
    ("peak_y", "real"),
    ("mean_spectrum", "text"),
)


def check_polygon_name(name: str) -> None:
    """Raise `OutputError` for a file type that is not written."""
    if Path(name).suffix.lower() not in _DRIVERS:
        raise OutputError(f"The polygons {name} have no known type: end the name in .gpkg or .geojson.")


@dataclass
class _Objects:
    """Sums over the pixels of n objects, in arrays (n + 1, ...) whose index is an object's id; 0 belongs to none.

    `peak` is the largest score and `peak_place` (n + 1, 2) its row and column; `spectrum_sum` is (n + 1, bands).
    """

    pixels: NDArray[np.int64]
    score_sum: Float64Array
    peak: Float64Array
    peak_place: NDArray[np.int64]
    spectrum_sum: Float64Array

    @classmethod
    def none(cls, n_objects: int, n_bands: int) -> _Objects:
        size = n_objects + 1
        return cls(
            np.zeros(size, dtype=np.int64),
            np.zeros(size),
            np.full(size, -np.inf),
            np.zeros((size, 2), dtype=np.int64),
            np.zeros((size, n_bands)),
        )

    def add(self, ids: NDArray[np.int64], scores: Float32Array, places: NDArray[np.int64], spectra: Any) -> None:
        """Add pixels: their objects (n,), scores (n,), rows and columns (n, 2) and spectra (n, bands)."""
        np.add.at(self.pixels, ids, 1)
        np.add.at(self.score_sum, ids, scores)
        np.add.at(self.spectrum_sum, ids, spectra)
        # The largest score of each object last, the first pixel among equal ones.
        order = np.lexsort((-np.arange(len(ids)), scores, ids))
        last = order[np.flatnonzero(np.diff(ids[order], append=-1))]
        better = last[scores[last] > self.peak[ids[last]]]
        self.peak[ids[better]] = scores[better]
        self.peak_place[ids[better]] = places[better]


def write_polygons(
    path: Path,
    scores: ScratchCube,
    threshold: float,
    source: Source,
    numbers: Sequence[int],
    *,
    windows: Sequence[Window],
    connectedness: int,
    min_pixels: int,
    progress: ProgressSpan,
) -> int:
    """Write the objects with scores above `threshold` as polygons and return how many there are.

    path : .gpkg or .geojson in a folder that holds nothing else; its layer `anomalies` has the input's projection, or
    columns and rows (downwards negative) where it has none. scores : (rows, cols, 1), NaN where there is none.
    connectedness : 4 or 8 neighbours hold an object together. min_pixels : smaller objects are left out. Attributes:
    id, pixels, area (in squared map units), max_score, mean_score, peak_row and peak_col (from 0), peak_x and peak_y
    (its centre on the map), mean_spectrum (of the bands `numbers`, comma-separated, empty without bands).
    Raises `RunError`.
    """
    work = path.parent
    try:
        with gdal_exceptions():
            mask = _mask(work / "mask.tif", scores, threshold, windows)
            objects, n_objects = _trace(mask, connectedness, min_pixels)
            labels = _labels(work / "labels.tif", objects, scores)
            sums = _sums(labels, n_objects, scores, source, numbers, windows, progress)
            _write(path, objects, sums, source.georeference, scores.n_rows)
            mask = labels = objects = None
            for name in ("mask.tif", "labels.tif"):
                (work / name).unlink()
    except RuntimeError as error:
        if isinstance(error, RunError):
            raise
        raise RunError(
            f"Cannot write the polygons {path.name} ({gdal_reason(error)}): free disk space in its folder, or choose "
            "another one."
        ) from error
    return n_objects


def _raster(path: Path, n_rows: int, n_cols: int, kind: int) -> Any:
    """Return a new raster of one band whose map coordinates are columns and, from the bottom, rows."""
    options = ["COMPRESS=DEFLATE", "ZLEVEL=1", "TILED=YES", "SPARSE_OK=TRUE", "BIGTIFF=IF_SAFER"]
    raster = gdal.GetDriverByName("GTiff").Create(str(path), n_cols, n_rows, 1, kind, options)
    raster.SetGeoTransform((0.0, 1.0, 0.0, float(n_rows), 0.0, -1.0))
    return raster


def _mask(path: Path, scores: ScratchCube, threshold: float, windows: Sequence[Window]) -> Any:
    mask = _raster(path, scores.n_rows, scores.n_cols, gdal.GDT_Byte)
    for window in windows:
        above = scores.read_values(window)[:, :, 0] > threshold
        mask.GetRasterBand(1).WriteArray(above.astype(np.uint8), window.col_start, window.row_start)
    return mask


def _trace(mask: Any, connectedness: int, min_pixels: int) -> tuple[Any, int]:
    """Return a dataset in memory with a layer of outlines, numbered from 1, in columns and rows from the bottom."""
    # From GDAL 3.11 on the driver for rasters in memory takes vectors too, and the other one goes.
    driver = ogr.GetDriverByName("Memory") or ogr.GetDriverByName("MEM")
    dataset = driver.CreateDataSource("outlines")
    layer = dataset.CreateLayer("outlines", None, ogr.wkbPolygon)
    layer.CreateField(ogr.FieldDefn("id", ogr.OFTInteger))
    band = mask.GetRasterBand(1)
    gdal.Polygonize(band, band, layer, -1, ["8CONNECTED=8"] if connectedness == 8 else [])
    number = 0
    for feature in list(layer):
        # A pixel has the area 1.
        if round(feature.GetGeometryRef().Area()) < min_pixels:
            layer.DeleteFeature(feature.GetFID())
            continue
        number += 1
        feature.SetField("id", number)
        layer.SetFeature(feature)
    return dataset, number


def _labels(path: Path, objects: Any, scores: ScratchCube) -> Any:
    labels = _raster(path, scores.n_rows, scores.n_cols, gdal.GDT_Int32)
    gdal.RasterizeLayer(labels, [1], objects.GetLayer(0), options=["ATTRIBUTE=id"])
    return labels


def _sums(
    labels: Any,
    n_objects: int,
    scores: ScratchCube,
    source: Source,
    numbers: Sequence[int],
    windows: Sequence[Window],
    progress: ProgressSpan,
) -> _Objects:
    sums = _Objects.none(n_objects, len(numbers))
    for window in windows:
        progress.step(window.row_start / scores.n_rows, "Polygons")
        ids = labels.ReadAsArray(window.col_start, window.row_start, window.n_cols, window.n_rows)
        rows, cols = np.nonzero(ids)
        if not len(rows):
            continue
        places = np.stack([rows + window.row_start, cols + window.col_start], axis=1)
        values = source.read(window, numbers).values[rows, cols] if numbers else np.empty((len(rows), 0))
        sums.add(ids[rows, cols].astype(np.int64), scores.read_values(window)[rows, cols, 0], places, values)
    return sums


def _write(path: Path, objects: Any, sums: _Objects, place: Georeference, n_rows: int) -> None:
    kinds = {"integer": ogr.OFTInteger64, "real": ogr.OFTReal, "text": ogr.OFTString}
    geotransform = place.geotransform or (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
    dataset = ogr.GetDriverByName(_DRIVERS[path.suffix.lower()]).CreateDataSource(str(path))
    layer = dataset.CreateLayer(_LAYER, _projection(place), ogr.wkbMultiPolygon)
    for name, kind in _FIELDS:
        if name != "id" or path.suffix.lower() != ".gpkg":
            layer.CreateField(ogr.FieldDefn(name, kinds[kind]))
    layer.StartTransaction()
    for outline in objects.GetLayer(0):
        number = outline.GetField("id")
        feature = ogr.Feature(layer.GetLayerDefn())
        feature.SetGeometry(_on_map(outline.GetGeometryRef(), geotransform, n_rows))
        feature.SetFID(number)
        for name, value in _attributes(number, sums, geotransform).items():
            if feature.GetFieldIndex(name) >= 0:
                feature.SetField(name, value)
        layer.CreateFeature(feature)
    layer.CommitTransaction()


def _attributes(number: int, sums: _Objects, geotransform: Sequence[float]) -> dict[str, Any]:
    pixels = int(sums.pixels[number])
    row, col = (int(value) for value in sums.peak_place[number])
    x, y = _map_point(col + 0.5, row + 0.5, geotransform)
    pixel_area = abs(geotransform[1] * geotransform[5] - geotransform[2] * geotransform[4])
    return {
        "id": number,
        "pixels": pixels,
        "area": pixels * pixel_area,
        "max_score": float(sums.peak[number]),
        "mean_score": float(sums.score_sum[number] / pixels),
        "peak_row": row,
        "peak_col": col,
        "peak_x": x,
        "peak_y": y,
        "mean_spectrum": ",".join(f"{value:.7g}" for value in sums.spectrum_sum[number] / pixels),
    }


def _projection(place: Georeference) -> Any:
    if not place.projection or place.geotransform is None:
        return None
    projection = osr.SpatialReference()
    projection.ImportFromWkt(place.projection)
    projection.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return projection


def _map_point(col: float, row: float, geotransform: Sequence[float]) -> tuple[float, float]:
    return (
        geotransform[0] + col * geotransform[1] + row * geotransform[2],
        geotransform[3] + col * geotransform[4] + row * geotransform[5],
    )


def _on_map(outline: Any, geotransform: Sequence[float], n_rows: int) -> Any:
    """Return a valid multipolygon in map coordinates; pixels that meet at a corner alone make several parts."""
    polygon = outline.Clone()
    for ring in range(polygon.GetGeometryCount()):
        points = polygon.GetGeometryRef(ring)
        for index in range(points.GetPointCount()):
            x, y = points.GetX(index), points.GetY(index)
            points.SetPoint_2D(index, *_map_point(x, n_rows - y, geotransform))
    return ogr.ForceToMultiPolygon(polygon if polygon.IsValid() else polygon.MakeValid())
