"""Files that declare more than there is, or are more than the memory: a sentence at once, never the memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal

from tests.engine.rasters import cube, write_envi
from tests.faults.hostile import Trials


def sparse(path: Path, n_rows: int, n_cols: int, n_bands: int, *creation: str, kind: int = gdal.GDT_Int16) -> Path:
    """Write a GeoTIFF that has its first pixels, and leaves all other blocks out."""
    options = ["SPARSE_OK=TRUE", "BIGTIFF=YES", *creation]
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), n_cols, n_rows, n_bands, kind, options)
    dataset.GetRasterBand(1).WriteArray(cube(2, 2, 1, "int16")[:, :, 0])
    dataset = None
    return path


TILES = ("TILED=YES", "BLOCKXSIZE=4096", "BLOCKYSIZE=4096")


@pytest.mark.parametrize(
    ("shape", "creation"),
    [
        ((60_000, 60_000, 4), (*TILES, "COMPRESS=DEFLATE")),
        ((60_000, 60_000, 4), TILES),
        ((300_000, 300_000, 2), (*TILES, "COMPRESS=ZSTD")),
        ((12_000, 12_000, 2), ("BLOCKYSIZE=12000", "COMPRESS=LZW")),
        ((16, 90_000_000, 2), ("COMPRESS=DEFLATE",)),
        ((16, 16, 60_000), ("COMPRESS=DEFLATE", "INTERLEAVE=PIXEL")),
        ((16, 16, 65_535), ("COMPRESS=DEFLATE", "INTERLEAVE=BAND")),
    ],
    ids=str,
)
def test_declared_pixels(
    shape: tuple[int, int, int], creation: tuple[str, ...], tmp_path: Path, trials: Trials
) -> None:
    path = sparse(tmp_path / "odd.tif", *shape, *creation)
    assert not trials.detect(path, compare=False).gave_a_result
    trials.info(path)


@pytest.mark.parametrize("side", [13_312])
def test_a_block_larger_than_the_memory(side: int, tmp_path: Path, trials: Trials) -> None:
    tile = ("TILED=YES", f"BLOCKXSIZE={side}", f"BLOCKYSIZE={side}", "COMPRESS=DEFLATE", "ZLEVEL=1", "INTERLEAVE=BAND")
    path = sparse(tmp_path / "odd.tif", 40, 40, 4, *tile, kind=gdal.GDT_Byte)
    assert "--memory" in trials.detect(path, compare=False).said
    trials.info(path)


@pytest.mark.parametrize("n_bands", [600, 8000, 65_535])
def test_bands_that_are_there(n_bands: int, tmp_path: Path, trials: Trials, tiny_model: Path) -> None:
    rng = np.random.default_rng(n_bands)
    array = rng.integers(0, 250, (4, 5, n_bands)).astype("uint8")
    path = write_envi(tmp_path / "many.bsq", array)
    found = trials.detect(path, compare=False)
    assert found.gave_a_result == (n_bands == 600), found.said
    assert found.gave_a_result or "fewer bands" in found.said
    assert trials.info(path).gave_a_result
    if n_bands == 65_535:
        return
    np.save(tmp_path / "many.npy", array)
    assert trials.detect(tmp_path / "many.npy", compare=False).code == found.code
    assert trials.detect(path, "--bands", "1-3,7", compare=False).gave_a_result
    assert trials.enhance(path, tiny_model).gave_a_result


@pytest.mark.parametrize("shape", [(1, 400_000, 3), (400_000, 1, 3), (1, 1, 3), (2, 1, 3)], ids=str)
def test_shapes_that_are_there(shape: tuple[int, int, int], tmp_path: Path, trials: Trials, tiny_model: Path) -> None:
    array = np.random.default_rng(1).integers(0, 250, shape).astype("uint8")
    path = write_envi(tmp_path / "odd.bsq", array)
    trials.detect(path, compare=array.size < 100)
    trials.info(path)
