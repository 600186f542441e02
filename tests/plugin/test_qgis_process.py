"""The installed zip under `qgis_process`, a QGIS of its own."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import ferd_engine

_SHARED = Path(os.environ.get("FERD_SHARED", Path(__file__).parents[3] / "shared"))
_SCENES = sorted(p for p in (_SHARED / "data" / "georeferenced").glob("*") if p.suffix in (".tif", ".bsq"))

pytestmark = [
    pytest.mark.qgis,
    pytest.mark.skipif(shutil.which("qgis_process") is None, reason="qgis_process is not there"),
]


def test_the_algorithms_are_listed(qgis_process):
    listed = qgis_process("list", "--json")

    algorithms = json.loads(listed.stdout)["providers"]["ferd"]["algorithms"]
    assert {"ferd:fenenhance", "ferd:rxanomalydetection", "ferd:thresholdanomalies"} <= set(algorithms)


def test_a_run_gives_the_engines_scores(qgis_process, scene, tmp_path, read_raster):
    output = tmp_path / "scores.tif"

    done = qgis_process(
        "run", "--json", "ferd:rxanomalydetection", "--", f"INPUT={scene}", "DETECTOR=grx", f"OUTPUT={output}"
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["results"]["OUTPUT"] == str(output)
    ferd_engine.detect_raster(str(scene), str(tmp_path / "engine.tif"), backend="numpy")
    np.testing.assert_array_equal(read_raster(output), read_raster(tmp_path / "engine.tif"))


def test_scores_to_polygons(qgis_process, scene, tmp_path):
    from osgeo import ogr

    ferd_engine.detect_raster(str(scene), str(tmp_path / "s.tif"), enhance=False)
    polygons = tmp_path / "p.gpkg"

    done = qgis_process(
        "run", "--json", "ferd:thresholdanomalies", "--", f"INPUT={tmp_path / 's.tif'}", "THRESHOLD=count:11",
        f"POLYGONS={polygons}",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)["results"]
    assert (results["N_ANOMALIES"], results["POLYGONS"]) == (11, str(polygons))
    assert ogr.Open(str(polygons)).GetLayer(0).GetFeatureCount() == results["N_OBJECTS"]


def test_a_failure_is_a_sentence_and_an_exit_code(qgis_process, make_scene, tmp_path):
    few = make_scene("few.tif", n_bands=8)

    failed = qgis_process("run", "ferd:rxanomalydetection", "--", f"INPUT={few}", f"OUTPUT={tmp_path / 'scores.tif'}")

    assert failed.returncode != 0
    said = failed.stdout + failed.stderr
    assert "50" in said
    assert "Traceback" not in said
    assert not (tmp_path / "scores.tif").exists()


@pytest.mark.real
@pytest.mark.skipif(not _SCENES, reason=f"no real scenes under {_SHARED} (FERD_SHARED names the place)")
@pytest.mark.parametrize("detector", ["grx", "slrx"])
@pytest.mark.parametrize("path", _SCENES, ids=[path.stem for path in _SCENES])
def test_real_scenes_give_the_engines_scores_on_their_own_grid(qgis_process, tmp_path, read_raster, path, detector):
    from osgeo import gdal

    output = tmp_path / "scores.tif"
    done = qgis_process(
        "run", "ferd:rxanomalydetection", "--", f"INPUT={path}", f"DETECTOR={detector}", f"OUTPUT={output}"
    )

    assert done.returncode == 0, done.stderr
    ferd_engine.detect_raster(str(path), str(tmp_path / "engine.tif"), detector=detector, backend="numpy")
    np.testing.assert_array_equal(read_raster(output), read_raster(tmp_path / "engine.tif"))
    source, scores = gdal.Open(str(path)), gdal.Open(str(output))
    assert scores.GetGeoTransform() == source.GetGeoTransform()
    assert (scores.RasterXSize, scores.RasterYSize) == (source.RasterXSize, source.RasterYSize)
    assert (scores.GetSpatialRef() is None) == (source.GetSpatialRef() is None)
    if source.GetSpatialRef() is not None:
        assert scores.GetSpatialRef().IsSame(source.GetSpatialRef())


def test_the_ready_model(qgis_process, scene, tmp_path):
    polygons = tmp_path / "p.gpkg"

    done = qgis_process(
        "run", "--json", "ferd:scenetopolygons", "--", f"INPUT={scene}", "MODEL=fen-50", "THRESHOLD=count:9",
        f"detect:SCORES={tmp_path / 's.tif'}", f"threshold:POLYGONS={polygons}",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["results"]["threshold:POLYGONS"] == str(polygons)
    assert polygons.is_file()
