"""Rasters on the web and in clouds' storage: by address, in lists, byte range by byte range."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from osgeo import gdal

from ferd_engine import detect_raster
from ferd_engine.batch import run_batch
from ferd_engine.options import DetectOptions
from ferd_engine.raster.address import gdal_name
from ferd_engine.scale import tasks
from ferd_engine.scale.strips import strips
from ferd_engine.scan import Wanted

from ..rasters import cube, read_scores, write_tiff
from .remote import storage

pytest.importorskip("distributed", reason="the extra scale is not installed")

N_ROWS, N_COLS, N_BANDS = 640, 61, 20
# What is not pixels: the header, sidecars, the rest of the last ranges.
MARGIN_BYTES = 300_000


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR")
    folder = tmp_path / "storage" / "bucket"
    folder.mkdir(parents=True)
    write_tiff(folder / "scene.tif", cube(N_ROWS, N_COLS, N_BANDS))
    return folder


def plain_scores(bucket: Path, tmp_path: Path) -> np.ndarray:
    return read_scores(detect_raster(bucket / "scene.tif", tmp_path / "plain.tif", enhance=False).output)


@pytest.mark.parametrize("kind", ["https", "s3", "gs"])
def test_workers_read_from_storage(kind: str, bucket: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = plain_scores(bucket, tmp_path)
    with storage(bucket.parent) as served:
        server = f"127.0.0.1:{served.port}"
        # As a user sets them, before the workers are started.
        for name, value in {
            "AWS_S3_ENDPOINT": server,
            "AWS_HTTPS": "NO",
            "AWS_VIRTUAL_HOSTING": "FALSE",
            "AWS_ACCESS_KEY_ID": "someone",
            "AWS_SECRET_ACCESS_KEY": "a-secret",
            "CPL_GS_ENDPOINT": f"http://{server}/",
            "GS_NO_SIGN_REQUEST": "YES",
        }.items():
            monkeypatch.setenv(name, value)
        address = {"https": f"http://{server}/bucket/scene.tif"}.get(kind, f"{kind}://bucket/scene.tif")
        report = detect_raster(address, tmp_path / "out.tif", enhance=False, scheduler="local:2")
    np.testing.assert_allclose(read_scores(report.output), plain, rtol=1e-6)
    if kind == "s3":
        assert served.signatures
        assert all(text.startswith("AWS4-HMAC-SHA256 Credential=someone/") for text in served.signatures)
    # Two passes, and five small windows that look for dead bands.
    size = (bucket / "scene.tif").stat().st_size
    assert 2 * size <= served.total <= 2.5 * size + MARGIN_BYTES


def test_a_worker_reads_the_bytes_of_its_strip(bucket: Path, tmp_path: Path) -> None:
    row_bytes = 4 * N_COLS * N_BANDS
    first, second, *_, last = strips(N_ROWS, row_bytes)
    wanted = Wanted(tuple(range(1, N_BANDS + 1)), (), None, with_moments=True, n_pixels=N_ROWS * N_COLS)
    with storage(bucket.parent) as served:
        path = gdal_name(f"http://127.0.0.1:{served.port}/bucket/scene.tif")
        job = tasks.Job("alone", path, DetectOptions(enhance=False, threads=1), tmp_path)
        tasks.tally_strip(job, wanted, first)
        # A strip far below: nothing in between is read.
        before = served.total
        tally = tasks.tally_strip(job, wanted, last)
        read = served.total - before
    n_bytes = (last[1] - last[0]) * row_bytes
    assert second[0] < last[0]
    assert tally.n_valid == (last[1] - last[0]) * N_COLS
    assert n_bytes * 0.9 <= read <= 1.5 * n_bytes + 100_000
    assert served.total < 0.5 * (bucket / "scene.tif").stat().st_size + MARGIN_BYTES


def test_a_list_of_addresses(bucket: Path, tmp_path: Path) -> None:
    plain = plain_scores(bucket, tmp_path)
    with storage(bucket.parent) as served:
        items = tmp_path / "items.txt"
        items.write_text(f"# hrefs of STAC items\nhttp://127.0.0.1:{served.port}/bucket/scene.tif\n")
        report = run_batch(items, tmp_path / "out", enhance=False, scheduler="local:1")
        assert [result.status for result in report.results] == ["done"], report.results
        np.testing.assert_allclose(read_scores(tmp_path / "out" / "scene_score.tif"), plain, rtol=1e-6)
        # What did not change in the storage is not read again.
        served.n_bytes.clear()
        again = run_batch(items, tmp_path / "out", enhance=False, resume=True)
        assert again.counts["current"] == 1
        assert served.total < 0.2 * (bucket / "scene.tif").stat().st_size
        write_tiff(bucket / "scene.tif", cube(N_ROWS + 1, N_COLS, N_BANDS))
        gdal.VSICurlClearCache()
        assert run_batch(items, tmp_path / "out", enhance=False, resume=True).counts["done"] == 1


def test_an_address_that_is_not_there_is_one_sentence(bucket: Path, tmp_path: Path) -> None:
    with storage(bucket.parent) as served:
        items = tmp_path / "items.txt"
        items.write_text(f"http://127.0.0.1:{served.port}/bucket/none.tif\n")
        report = run_batch(items, tmp_path / "out", enhance=False)
    assert report.counts["failed"] == 1
    assert "none.tif" in report.results[0].reason
    assert "\n" not in report.results[0].reason


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://host/a.tif?sig=x", "/vsicurl/https://host/a.tif?sig=x"),
        ("s3://bucket/a/b.tif", "/vsis3/bucket/a/b.tif"),
        ("gs://bucket/b.tif", "/vsigs/bucket/b.tif"),
        ("/vsis3/bucket/b.tif", "/vsis3/bucket/b.tif"),
        ("C:\\data\\b.tif", "C:\\data\\b.tif"),
        ("NETCDF:a.nc:b", "NETCDF:a.nc:b"),
    ],
)
def test_names_of_addresses(address: str, name: str) -> None:
    assert gdal_name(address) == name
