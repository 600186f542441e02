"""The report: self-contained, escaped, whole or absent, and true to the scores."""

from __future__ import annotations

import base64
import json
import re
import warnings
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from osgeo import gdal

from ferd_engine.cli import main
from ferd_engine.errors import InputError, OutputError
from ferd_engine.evaluate import evaluate_files, evaluate_with_report
from ferd_engine.evaluation_report.preview import NOTHING, png_uri

from .test_evaluate import write_raster

VOID = {"meta", "img"}


class Checker(HTMLParser):
    """Follows open elements and keeps what the page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "iframe", "object")
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "data")]
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def scene(tmp_path: Path, n_rows: int = 31, n_cols: int = 47, name: str = "s.tif") -> tuple[str, str]:
    rng = np.random.default_rng(1)
    truth = np.zeros((n_rows, n_cols), dtype=np.uint8)
    truth[n_rows // 2, n_cols // 3 : n_cols // 3 + 2] = 1
    scores = (rng.chisquare(20, truth.shape) + 40.0 * truth).astype(np.float32)
    scores[0, :3] = -9999.0
    return write_raster(tmp_path / name, scores, -9999.0), write_raster(tmp_path / "t.tif", truth)


def images(page: str) -> list[np.ndarray]:
    """Return the images of a page (rows, cols, 3), decoded by GDAL."""
    decoded = []
    for data in re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page):
        gdal.FileFromMemBuffer("/vsimem/report.png", base64.b64decode(data))
        decoded.append(gdal.Open("/vsimem/report.png").ReadAsArray().transpose(1, 2, 0))
        gdal.Unlink("/vsimem/report.png")
    return decoded


def test_the_page_is_whole_and_loads_nothing(tmp_path: Path) -> None:
    scores, truth = scene(tmp_path)
    evaluation = evaluate_with_report(scores, truth, str(tmp_path / "r.html"))
    assert evaluation == evaluate_files(scores, truth)
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert checker.loads
    assert all(load.startswith("data:image/png;base64,") for load in checker.loads)
    assert "url(" not in page
    assert "@import" not in page
    drawings = re.findall(r"<svg.*?</svg>", page)
    assert len(drawings) == 6
    for drawing in drawings:
        ET.fromstring(drawing)
    for text in (f"{evaluation.auc:.4f}", f"{evaluation.auc_odp:.4f}", "AUC(D,τ) + (1 − AUC(F,τ))", "1,452 background"):
        assert text in checker.text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "s.tif", "t.tif"]


def test_names_of_files_are_text(tmp_path: Path) -> None:
    scores, truth = scene(tmp_path, name="<img src=x onerror=alert(1)>&amp;.tif")
    evaluate_with_report(scores, truth, str(tmp_path / "r.html"))
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "<img src=x" not in page
    checker = Checker()
    checker.feed(page)
    assert checker.text.count("<img src=x onerror=alert(1)>&amp;.tif") == 2


@pytest.mark.parametrize("most_pixels", [1, 1000, 1 << 20])
def test_maps_show_each_pixel_however_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_pixels: int
) -> None:
    monkeypatch.setattr("ferd_engine.score_planes._PART_PIXELS", most_pixels)
    monkeypatch.setattr("ferd_engine.evaluation_report.preview._LONGEST", 16)
    scores, truth = scene(tmp_path)
    evaluate_with_report(scores, truth, str(tmp_path / "r.html"))
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    rarity, decisions = images(page)
    # Cells of 3 x 3 pixels, cut off at the lower and right edge.
    assert "stands for 3 x 3 pixels" in page
    assert rarity.shape == decisions.shape == (11, 16, 3)
    assert tuple(rarity[0, 0]) != NOTHING
    found = (decisions == (46, 170, 120)).all(axis=2)
    assert np.argwhere(found).tolist() == [[5, 5]]
    # One false alarm in a thousand of 1452 background pixels.
    assert (decisions == (214, 60, 74)).all(axis=2).sum() == 1


def test_cells_without_scores_are_left_out(tmp_path: Path) -> None:
    scores, truth = scene(tmp_path)
    evaluate_with_report(scores, truth, str(tmp_path / "r.html"))
    rarity, decisions = images((tmp_path / "r.html").read_text(encoding="utf-8"))
    for image in (rarity, decisions):
        assert np.argwhere((image == NOTHING).all(axis=2)).tolist() == [[0, 0], [0, 1], [0, 2]]


@pytest.mark.parametrize("values", [[[1.0, 1.0]], [[5.0], [-3.0], [2.0]], [[0.0, 1e30, -1e30]]])
def test_small_and_extreme_maps_have_a_page(tmp_path: Path, values: list[list[float]]) -> None:
    scores = np.array(values, dtype=np.float32)
    truth = np.zeros(scores.shape, dtype=np.uint8)
    truth.flat[0] = 1
    paths = write_raster(tmp_path / "s.tif", scores), write_raster(tmp_path / "t.tif", truth)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate_with_report(*paths, str(tmp_path / "r.html"))
    assert "nan" not in "".join(re.findall(r"<svg.*?</svg>", (tmp_path / "r.html").read_text(encoding="utf-8")))


def test_pngs_are_what_they_were() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(images(png_uri(colours))[0], colours)


def test_a_report_is_whole_or_absent(tmp_path: Path) -> None:
    scores, truth = scene(tmp_path)
    target = tmp_path / "r.html"
    target.write_text("old")
    with pytest.raises(OutputError, match=r"r\.html exists already"):
        evaluate_with_report(scores, truth, str(target))
    assert target.read_text() == "old"
    with pytest.raises(InputError):
        evaluate_with_report(scores, str(tmp_path / "none.tif"), str(target), overwrite=True)
    assert target.read_text() == "old"
    evaluate_with_report(scores, truth, str(target), overwrite=True)
    assert target.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert len(list(tmp_path.iterdir())) == 3
    with pytest.raises(OutputError, match=r"end its name in \.html"):
        evaluate_with_report(scores, truth, str(tmp_path / "r.pdf"))
    with pytest.raises(OutputError, match="no folder"):
        evaluate_with_report(scores, truth, str(tmp_path / "none" / "r.html"))


def test_the_command_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores, truth = scene(tmp_path)
    target = str(tmp_path / "r.html")
    assert main(["evaluate", scores, truth, "--report", target, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["background_quantiles"]["median"] > 0
    assert main(["evaluate", scores, truth, "--report", target]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main(["evaluate", scores, truth, "--report", target, "--overwrite"]) == 0
    assert "auc odp" in capsys.readouterr().out
    assert main(["evaluate", scores, truth, "--overwrite"]) == 2
    assert "--overwrite needs --report" in capsys.readouterr().err
