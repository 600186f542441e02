"""The sample scene: deterministic, described as real rasters are, hard but not hopeless, whole or absent."""

from __future__ import annotations

import numpy as np
import pytest
from osgeo import gdal, osr

from ferd_engine.errors import OutputError, RunError, UsageError
from ferd_engine.evaluate import evaluate_scores
from ferd_engine.sample import make_sample, scene, spectra


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return make_sample(tmp_path_factory.mktemp("sample") / "made" / "here")


@pytest.fixture(scope="module")
def cube(sample):
    return gdal.Open(str(sample.scene)).ReadAsArray().transpose(1, 2, 0)


@pytest.fixture(scope="module")
def truth(sample):
    return gdal.Open(str(sample.truth)).ReadAsArray()


@pytest.fixture(scope="module")
def other():
    return scene.compose(1)


def mahalanobis(pixels):
    centred = pixels - pixels.mean(axis=0)
    inverse = np.linalg.inv(centred.T @ centred / (len(pixels) - 1))
    return np.sum(centred @ inverse * centred, axis=1)


def test_written_pixels_are_the_composed_ones(cube, truth):
    again = scene.compose(0)
    assert cube.dtype == np.int16
    assert truth.dtype == np.uint8
    np.testing.assert_array_equal(cube, again.cube)
    np.testing.assert_array_equal(truth, again.truth)


def test_another_seed_gives_another_scene(cube, other):
    assert other.cube.shape == cube.shape
    assert np.mean(other.cube == cube) < 0.2


def test_georeference_has_non_square_pixels(sample):
    for path in (sample.scene, sample.truth):
        dataset = gdal.Open(str(path))
        transform = dataset.GetGeoTransform()
        assert (transform[1], transform[5]) == (4.0, -5.0)
        assert osr.SpatialReference(wkt=dataset.GetProjection()).GetAuthorityCode(None) == "32633"
        assert (dataset.RasterXSize, dataset.RasterYSize) == (224, 160)


def test_each_band_says_what_it_is(sample):
    dataset = gdal.Open(str(sample.scene))
    assert dataset.RasterCount == spectra.N_BANDS
    good = spectra.good_bands()
    for index, nm in enumerate(spectra.wavelengths()):
        band = dataset.GetRasterBand(index + 1)
        items = band.GetMetadata()
        assert float(items["wavelength"]) == pytest.approx(nm, abs=1e-3)
        assert items["wavelength_units"] == "Nanometers"
        assert 8 <= float(items["fwhm"]) <= 12
        assert items["bbl"] == str(int(good[index]))
        assert band.GetNoDataValue() == -32768
        assert float(band.GetMetadata("IMAGERY")["CENTRAL_WAVELENGTH_UM"]) == pytest.approx(nm / 1e3, abs=1e-6)


def test_opens_in_true_colour(sample):
    dataset = gdal.Open(str(sample.scene))
    interpretation = {
        dataset.GetRasterBand(i).GetColorInterpretation(): float(dataset.GetRasterBand(i).GetMetadata()["wavelength"])
        for i in range(1, dataset.RasterCount + 1)
    }
    assert interpretation[gdal.GCI_RedBand] == pytest.approx(650, abs=5)
    assert interpretation[gdal.GCI_GreenBand] == pytest.approx(550, abs=5)
    assert interpretation[gdal.GCI_BlueBand] == pytest.approx(460, abs=5)


def test_bad_bands_are_the_noisy_ones(cube, truth):
    good = spectra.good_bands()
    pixels = cube[truth != 255].astype(float)
    # Noise shows in the difference of neighbouring bands, which hold nearly the same reflectance.
    roughness = np.abs(np.diff(pixels, axis=1)).mean(axis=0)
    both_bad = ~good[1:] & ~good[:-1]
    both_good = good[1:] & good[:-1]
    assert roughness[both_bad].min() > 2 * np.percentile(roughness[both_good], 90)
    assert 0.05 < np.mean(~good) < 0.2


def test_nodata_covers_all_bands_of_a_pixel_and_the_truth_knows(cube, truth):
    outside = (cube == -32768).all(axis=2)
    np.testing.assert_array_equal(outside, (cube == -32768).any(axis=2))
    np.testing.assert_array_equal(outside, truth == 255)
    assert outside[0, 0]
    assert 0.01 < outside.mean() < 0.1


def test_reflectance_is_physical(cube, truth):
    good = cube[truth != 255][:, spectra.good_bands()]
    assert good.max() < 10000
    assert np.mean(good < 0) < 0.02


def test_plain_rx_finds_most_but_not_all(cube, truth, other):
    for made in (scene.Scene(cube, truth), other):
        known = made.truth != 255
        scores = mahalanobis(made.cube[known][:, spectra.good_bands()].astype(float))
        evaluation = evaluate_scores(scores, made.truth[known])
        assert 0.88 < evaluation.auc < 0.98
        assert 15 <= evaluation.n_anomalies <= 90


def test_existing_files_stay_unless_overwriting_is_allowed(tmp_path):
    (tmp_path / "truth.tif").write_text("mine")
    with pytest.raises(OutputError, match=r"truth\.tif exists already"):
        make_sample(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["truth.tif"]
    assert (tmp_path / "truth.tif").read_text() == "mine"
    make_sample(tmp_path, overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.txt", "scene.tif", "truth.tif"]


def test_negative_seed_is_refused(tmp_path):
    with pytest.raises(UsageError, match="seed is -1"):
        make_sample(tmp_path / "new", seed=-1)
    assert not (tmp_path / "new").exists()


def test_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="choose another one"):
        make_sample(tmp_path / "file" / "inside")


def test_failed_write_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise RunError("disk full")

    monkeypatch.setattr("ferd_engine.sample.write_truth", fail)
    with pytest.raises(RunError, match="disk full"):
        make_sample(tmp_path)
    assert list(tmp_path.iterdir()) == []
