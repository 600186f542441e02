"""The functions that Python programs call, the examples of docs/models.md, and the published way of calling FEN."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest

import ferd_engine
from ferd_engine.errors import ModelError, UsageError
from ferd_engine.fen.bundle import Model
from ferd_engine.fen.export import export_model
from ferd_engine.fen.importers import TORCHSCRIPT_FILES

from .fen.reference import enhanced, relative_difference
from .rasters import cube

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def model(small_model: Model) -> str:
    return str(small_model.folder)


def _scaled(values: np.ndarray) -> np.ndarray:
    """Return a cube scaled as the published experiments scale: [-0.1, 0.1] over everything."""
    low, high = values.min(), values.max()
    return (((values - low) / (high - low) * 2 - 1) * 0.1).astype(np.float32)


def test_examples_of_the_documentation(no_user_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    results = doctest.testfile(str(DOCS / "models.md"), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert results.failed == 0
    assert results.attempted >= 10


def test_enhance_gives_the_network_what_it_was_trained_on(small_model: Model, model: str) -> None:
    values = cube(19, 23, 6)
    expected = enhanced(_scaled(values), small_model.weights, small_model.architecture.bottlenecks)
    found = ferd_engine.enhance(values, model=model)
    assert (found.shape, found.dtype) == ((19, 23, 6), np.float32)
    assert relative_difference(found, expected) < 1e-5
    # Reflectance in [0, 1], as the published README feeds it, would be another input to the same weights.
    unscaled = (values - values.min()) / np.ptp(values)
    plain = enhanced(unscaled.astype(np.float32), small_model.weights, small_model.architecture.bottlenecks)
    assert relative_difference(_scaled(plain), _scaled(expected)) > 1e-2


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint16"])
def test_any_unit_gives_the_same_cube(model: str, dtype: str) -> None:
    values = cube(19, 23, 6, "uint16").astype(np.float64)
    expected = ferd_engine.enhance(values / 255.0, model=model)
    found = ferd_engine.enhance((values * 40 + 1000).astype(dtype), model=model)
    assert relative_difference(found, expected) < 1e-5


def test_the_published_way_of_calling_gives_what_our_door_gives(small_model: Model, model: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    export_model(small_model, tmp_path / "script", "torchscript")
    values = cube(19, 23, 6)
    # The published README's lines, on scaled values instead of its values in [0, 1].
    hsi = torch.from_numpy(_scaled(values)).permute(2, 0, 1)[None]
    cwl, rnl, fpl = (torch.jit.load(str(tmp_path / "script" / name)).eval() for name in TORCHSCRIPT_FILES)
    published, _ = fpl(rnl(cwl(hsi)), hsi)
    found = ferd_engine.enhance(values, model=model)
    assert relative_difference(found, published[0].permute(1, 2, 0).numpy()) < 1e-4


def test_a_path_in_place_of_an_array_is_answered_with_the_functions_for_files() -> None:
    with pytest.raises(ferd_engine.FerdError, match="use detect_raster or enhance_raster"):
        ferd_engine.detect("scene.tif")


def test_detect_scores_what_enhance_gives(model: str) -> None:
    values = cube(19, 23, 6)
    scores = ferd_engine.detect(values, model=model)
    assert (scores.shape, scores.dtype) == ((19, 23), np.float32)
    pixels = ferd_engine.enhance(values, model=model).reshape(-1, 6).astype(np.float64)
    centred = pixels - pixels.mean(axis=0)
    expected = np.einsum("ij,ij->i", centred @ np.linalg.inv(np.cov(pixels.T)), centred).reshape(19, 23)
    assert relative_difference(scores, expected) < 1e-3


def test_nan_and_masked_values_are_nan_in_every_result(model: str) -> None:
    values = cube(19, 23, 6)
    masked = np.ma.masked_array(values, np.zeros(values.shape, bool))
    masked[3, 4, 2] = np.ma.masked
    values[3, 4, 2] = np.nan
    for given in (values, masked):
        scores, cubes = ferd_engine.detect(given, model=model), ferd_engine.enhance(given, model=model)
        assert np.argwhere(np.isnan(scores)).tolist() == [[3, 4]]
        assert np.argwhere(np.isnan(cubes).all(axis=2)).tolist() == [[3, 4]]
        assert np.isnan(cubes).sum() == 6


def test_open_model_by_name_and_by_folder(small_model: Model, model: str, no_user_models: Path) -> None:
    opened = ferd_engine.open_model(model)
    assert (opened.name, opened.n_bands, opened.sha256) == ("small-6", 6, small_model.sha256)
    embedded = ferd_engine.open_model("fen-50")
    assert (embedded.n_bands, embedded.trained) == (50, True)
    with pytest.raises(ModelError, match="no model 'nothing'"):
        ferd_engine.open_model("nothing")


def test_arguments_that_do_not_exist_are_refused(model: str) -> None:
    for function in (ferd_engine.enhance, ferd_engine.detect):
        with pytest.raises(UsageError, match="no option 'modell'"):
            function(cube(5, 6, 6), modell=model)
        with pytest.raises(ferd_engine.FerdError):
            function(np.zeros((5, 6)), model=model)
