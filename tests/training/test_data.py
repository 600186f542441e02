"""What training reads and makes: scenes from every source, patches, synthetic backgrounds, implanted targets."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat
from scipy.ndimage import label

from ferd_engine.bands import BandInfo
from ferd_engine.errors import InputError
from ferd_engine.sample import make_sample, spectra
from training import synthetic
from training.config import DataConfig, SceneConfig
from training.finer import finer, noise_levels
from training.implant import _cut, _piece, donor, implant
from training.mixtures import mixture, purest
from training.mosaics import mosaic, smooth_gain
from training.patches import batches, cut, places
from training.scenes import Scene, load_scenes, prepare

DATA = DataConfig(train=(SceneConfig(path="x"),), bands=6, patch=8, band_selection="spread")


def test_scenes_come_from_files_and_folders(tmp_path):
    cube = np.random.default_rng(0).random((11, 9, 5)).astype(np.float32)
    (tmp_path / "folder").mkdir()
    np.save(tmp_path / "folder" / "b.npy", cube)
    savemat(tmp_path / "folder" / "a.mat", {"data": cube + 1})
    (tmp_path / "folder" / "notes.txt").write_text("no raster")
    found = load_scenes((SceneConfig(path=str(tmp_path / "folder"), licence="CC0-1.0"),))
    assert [scene.name for scene in found] == ["a.mat", "b.npy"]
    assert np.array_equal(found[1].values, cube)
    assert all(len(scene.sha256) == 64 and scene.licence == "CC0-1.0" for scene in found)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no raster"):
        load_scenes((SceneConfig(path=str(tmp_path / "empty")),))


def test_unfolded_pixels_go_column_by_column(tmp_path):
    cube = np.arange(4 * 3 * 5, dtype=np.float64).reshape(4, 3, 5)
    # MATLAB: reshape(cube, rows * cols, bands)'
    savemat(tmp_path / "flat.mat", {"V": cube.reshape(12, 5, order="F").T, "n": 3.0})
    config = SceneConfig(path=str(tmp_path / "flat.mat"), variable="V", rows=4, cols=3)
    assert np.array_equal(load_scenes((config,))[0].values, cube)
    with pytest.raises(InputError, match="correct rows"):
        load_scenes((SceneConfig(path=str(tmp_path / "flat.mat"), variable="V", rows=5, cols=3),))


def test_a_raster_loses_its_bad_bands(tmp_path):
    paths = make_sample(tmp_path / "sample")
    scene = load_scenes((SceneConfig(path=str(paths.scene)),))[0]
    assert scene.values.shape[2] == len(scene.bands) == int(spectra.good_bands().sum())
    background = prepare(scene, 100, "spread")
    assert np.isfinite(background.values).all()
    outside = ~np.isfinite(scene.values).all(axis=2)
    assert outside.any()
    assert np.allclose(background.values[outside], scene.values[~outside].mean(axis=0, dtype=np.float64), rtol=1e-5)


def test_constant_bands_are_dropped_and_too_few_named():
    values = np.random.default_rng(0).random((9, 8, 4)).astype(np.float32)
    scene = Scene("small", values, tuple(BandInfo(i + 1) for i in range(4)), "")
    assert prepare(scene, 4, "first").picked.tolist() == [0, 1, 2, 3]
    with pytest.raises(InputError, match="small cannot be used"):
        prepare(scene, 5, "first")
    dead = Scene("dead", np.full((9, 8, 4), np.nan, np.float32), scene.bands, "")
    with pytest.raises(InputError, match="no pixel"):
        prepare(dead, 4, "first")


def test_places_cover_and_repeat():
    shapes = [(64, 64), (100, 65), (70, 130)]
    drawn = places(shapes, 64, True, np.random.default_rng(1))
    assert sorted(place.scene for place in drawn) == [0] + [1] * 4 + [2] * 6
    for place in drawn:
        n_rows, n_cols = shapes[place.scene]
        assert 0 <= place.row <= n_rows - 64
        assert 0 <= place.col <= n_cols - 64
        assert 0 <= place.turn < 8
    assert drawn == places(shapes, 64, True, np.random.default_rng(1))
    assert drawn != places(shapes, 64, True, np.random.default_rng(2))
    small = places([(64, 64), (50, 63)], 64, False, np.random.default_rng(0))
    assert sorted((place.scene, place.side) for place in small) == [(0, 64), (1, 48), (1, 48), (1, 48), (1, 48)]
    with pytest.raises(InputError, match="Scene 2"):
        places([(64, 64), (64, 7)], 64, False, np.random.default_rng(0))


def test_patches_of_two_sizes_do_not_come_into_one_batch():
    def background(n_rows):
        values = np.random.default_rng(n_rows).random((n_rows, 16, 6)).astype(np.float32)
        return prepare(Scene("s", values, tuple(BandInfo(i + 1) for i in range(6)), ""), 6, "first")

    data = DataConfig(train=DATA.train, bands=6, patch=16)
    found = [tuple(batch.shape) for batch in batches([background(16), background(11)], data, 1, seed=0, epoch=1)]
    assert sorted(found) == [(1, 6, 8, 8)] * 4 + [(1, 6, 16, 16)]
    with pytest.raises(InputError, match=r"training\.batch"):
        next(batches([background(16), background(11)], data, 2, seed=0, epoch=1))


def test_patches_are_scaled_as_the_engine_scales():
    values = np.random.default_rng(5).normal(3.0, 2.0, (8, 8, 10)).astype(np.float32)
    background = prepare(Scene("s", values, tuple(BandInfo(i + 1) for i in range(10)), ""), 6, "spread")
    batch = next(batches([background], DATA, 4, seed=0, epoch=1)).numpy()
    kept = values[:, :, [0, 2, 4, 5, 7, 9]]
    wanted = ((kept - kept.min()) / (kept.max() - kept.min()) * 2 - 1) * 0.1
    assert batch.shape == (1, 6, 8, 8)
    assert np.abs(batch[0] - wanted.transpose(2, 0, 1)).max() < 1e-6


def test_turned_patches_are_the_patch_turned():
    values = np.random.default_rng(5).random((8, 8, 6)).astype(np.float32)
    background = prepare(Scene("s", values, tuple(BandInfo(i + 1) for i in range(6)), ""), 6, "first")
    seen = set()
    for turn in range(8):
        place = places([(8, 8)], 8, False, np.random.default_rng(0))[0]._replace(turn=turn)
        seen.add(cut(background, place, DATA, np.random.default_rng(0)).tobytes())
    assert len(seen) == 8


def test_varied_bands_stay_in_order_and_within_the_range():
    values = np.broadcast_to(np.arange(30, dtype=np.float32), (8, 8, 30)).copy()
    values += np.random.default_rng(0).random((8, 8, 1)).astype(np.float32) * 1e-3
    background = prepare(Scene("s", values, tuple(BandInfo(i + 1) for i in range(30)), ""), 6, "spread")
    varied = DataConfig(train=DATA.train, bands=6, patch=8, vary_bands=True)
    spans = set()
    for seed in range(60):
        place = places([(8, 8)], 8, False, np.random.default_rng(0))[0]
        patch = cut(background, place, varied, np.random.default_rng(seed))
        assert (np.diff(patch[:, 0, 0]) > 0).all()
        assert np.abs(patch).max() <= 0.1 + 1e-6
        spans.add(patch.tobytes())
    assert 5 < len(spans) < 60


def test_a_gain_is_smooth_positive_and_seeded():
    gains = np.stack([smooth_gain(100, np.random.default_rng(seed)) for seed in range(30)])
    assert gains.min() > 0.0
    assert np.abs(np.diff(np.log(gains), axis=1)).max() < 0.2
    assert np.log(gains).std() > 0.1
    assert np.array_equal(gains[3], smooth_gain(100, np.random.default_rng(3)))


def test_a_gain_changes_bands_and_keeps_the_scaling():
    values = np.random.default_rng(5).normal(3.0, 2.0, (8, 8, 6)).astype(np.float32)
    background = prepare(Scene("s", values, tuple(BandInfo(i + 1) for i in range(6)), ""), 6, "first")
    data = DataConfig(train=DATA.train, bands=6, patch=8, vary_gain=True)
    place = places([(8, 8)], 8, False, np.random.default_rng(0))[0]
    patch = cut(background, place, data, np.random.default_rng(4)).transpose(1, 2, 0).astype(np.float64)
    gain = smooth_gain(6, np.random.default_rng(4))
    wanted = values * gain
    wanted = ((wanted - wanted.min()) / (wanted.max() - wanted.min()) * 2 - 1) * 0.1
    assert np.abs(patch - wanted).max() < 1e-6
    assert np.ptp(gain) > 0.05


def test_a_mosaic_is_one_patch_beyond_a_border_and_the_other_before_it():
    random = np.random.default_rng(0)
    patch, other = random.uniform(-0.1, 0.1, (2, 5, 24, 24)).astype(np.float32)
    for seed in range(12):
        mixed = mosaic(patch, other, np.random.default_rng(seed))
        level = np.float32(np.random.default_rng(seed).uniform(0.4, 1.0))
        own = (mixed == patch).all(axis=0)
        assert 0.05 < own.mean() < 0.95
        lowered = (other + np.float32(0.1)) * level - np.float32(0.1)
        assert np.array_equal(mixed[:, ~own], lowered[:, ~own])
        # Two regions and not a scatter: few of the pixels have a neighbour of the other kind.
        assert (own[:, 1:] != own[:, :-1]).mean() < 0.15
        assert np.abs(mixed).max() <= 0.1


def test_mosaics_come_from_any_large_enough_scene():
    values = np.random.default_rng(5).random((2, 16, 16, 6)).astype(np.float32)
    scenes = [prepare(Scene("s", v, tuple(BandInfo(i + 1) for i in range(6)), ""), 6, "first") for v in values]
    plain = DataConfig(train=DATA.train, bands=6, patch=16)
    mixed = DataConfig(train=DATA.train, bands=6, patch=16, mosaics=True, rounds=8)
    known = {patch.tobytes() for patch in next(batches(scenes, plain, 2, 0, 1)).numpy()}
    drawn = [patch.tobytes() in known for batch in batches(scenes, mixed, 4, 0, 1) for patch in batch.numpy()]
    assert len(drawn) == 16
    assert 0 < sum(drawn) < 16


def test_synthetic_backgrounds_are_seeded_and_physical():
    cube = synthetic.background(4, 37, 52)
    assert cube.shape == (37, 52, spectra.N_BANDS)
    assert np.array_equal(cube, synthetic.background(4, 37, 52))
    assert not np.array_equal(cube, synthetic.background(5, 37, 52))
    good = spectra.good_bands()
    assert cube[:, :, good].min() > -0.1
    assert cube[:, :, good].max() < 1.5

    # Water-vapour bands are noise: neighbours have less in common there than in the good bands.
    def likeness(bands):
        a, b = cube[:, :-1, bands], cube[:, 1:, bands]
        return np.mean([np.corrcoef(a[:, :, i].ravel(), b[:, :, i].ravel())[0, 1] for i in range(a.shape[2])])

    assert likeness(good) > 0.5 > likeness(spectra.transmission() < 0.01)


def test_mixtures_are_seeded_and_of_the_spectra_of_their_source():
    source = synthetic.background(2, 50, 43)[:, :, spectra.good_bands()]
    source[3:5, 7] = np.nan
    made = mixture(source, "source", 1, 37, 52)
    assert made.shape == (37, 52, source.shape[2])
    assert np.array_equal(made, mixture(source, "source", 1, 37, 52))
    assert not np.array_equal(made, mixture(source, "source", 2, 37, 52))
    # What a scene's spectra span holds mixtures of them, and by far not what has its bands turned round.
    known = source[np.isfinite(source).all(axis=2)].astype(np.float64)
    axes = np.linalg.svd(known - known.mean(axis=0), full_matrices=False)[2][:8]

    def outside(values):
        pixels = values.reshape(-1, source.shape[2]) - known.mean(axis=0)
        return np.square(pixels - pixels @ axes.T @ axes).sum() / np.square(pixels).sum()

    assert outside(made) < 2 * outside(known) < 0.1 * outside(made[:, :, ::-1])
    # Noise as in the source, so that no detector tells the two apart by it.
    ratio = noise_levels(made) / noise_levels(source)
    assert 0.8 < np.median(ratio) < 1.5
    with pytest.raises(InputError, match="too few"):
        mixture(np.full((5, 5, 4), np.nan), "empty", 0, 10, 10)


def test_the_purest_pixels_are_the_corners():
    random = np.random.default_rng(0)
    corners = np.array([[0.0, 0.0, 1.0], [4.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
    mixed = random.dirichlet([1.0, 1.0, 1.0], 400) @ corners
    found = purest(np.concatenate([mixed, corners]), 3, random)
    assert {tuple(row) for row in found} == {tuple(row) for row in corners}


def test_mixtures_are_made_of_the_scenes_before_them(tmp_path):
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}.npy", np.random.default_rng(ord(name)).random((12, 9, 5)).astype(np.float32))
    files = tuple(SceneConfig(path=str(tmp_path / f"{name}.npy"), licence=name) for name in ("a", "b"))
    wanted = SceneConfig(kind="mixtures", count=3, rows=8, cols=11, seed=40)
    found = load_scenes((*files, wanted, wanted))
    names = [f"mixture seed {seed} of {name}.npy" for seed, name in ((40, "a"), (41, "b"), (42, "a"))]
    assert [scene.name for scene in found[2:]] == names * 2
    assert [(scene.licence, scene.sha256) for scene in found[2:4]] == [(s.licence, s.sha256) for s in found[:2]]
    assert found[2].values.shape == (8, 11, 5)
    assert np.array_equal(found[2].values, found[5].values)
    with pytest.raises(InputError, match="none: name some"):
        load_scenes((wanted,))


def test_implanted_targets_change_what_the_truth_says_and_nothing_else():
    cube = synthetic.background(1, 60, 45)[:, :, spectra.good_bands()]
    cube[:, :3] = np.nan
    before = cube.copy()
    planted, truth = implant(cube, np.random.default_rng(2))
    assert np.array_equal(cube, before, equal_nan=True)
    changed = (planted != cube).any(axis=2) & np.isfinite(cube).all(axis=2)
    assert np.array_equal(changed, truth)
    assert 0 < truth.sum() <= 0.025 * 60 * 42
    assert np.isfinite(planted[:, 3:]).all()
    again, _ = implant(cube, np.random.default_rng(2))
    assert np.array_equal(planted, again, equal_nan=True)


def test_implanted_targets_follow_the_scene_in_any_unit():
    """A gain and an offset per band, which RX ignores, change neither the truth nor the targets' shares."""
    cube = synthetic.background(3, 40, 41)[:, :, spectra.good_bands()][:, :, ::4].astype(np.float64)
    gain = np.linspace(0.5, 300.0, cube.shape[2])
    offset = np.linspace(-7.0, 5.0, cube.shape[2])
    plain, truth = implant(cube, np.random.default_rng(0))
    other, other_truth = implant(cube * gain + offset, np.random.default_rng(0))
    assert np.array_equal(truth, other_truth)
    assert np.allclose((other - offset) / gain, plain, rtol=1e-9, atol=1e-9)


def test_targets_share_materials():
    """Some targets are of one material: their mean spectra point the same way, which drawn anew they would not."""
    # Levels alone, the same in all bands: what a target's spectrum looks like is its material's.
    scene = np.repeat(np.random.default_rng(0).random((80, 80, 1), np.float32), 40, axis=2)
    alike = 0
    for seed in range(8):
        planted, truth = implant(scene, np.random.default_rng(seed))
        labels, count = label(truth, np.ones((3, 3)))
        spectra_of = np.array([(planted - scene)[labels == i + 1].mean(axis=0) for i in range(count)])
        likeness = np.corrcoef(spectra_of) if count > 1 else np.eye(1)
        alike += int((likeness[np.triu_indices(count, 1)] > 0.99).sum())
    assert alike > 5


def test_a_piece_of_a_donor_is_made_of_its_pixels():
    values = np.random.default_rng(0).random((9, 8, 30)).astype(np.float32)
    source = donor(values)
    assert source.reflectance.min() == 0.0
    where = np.zeros((20, 20), dtype=bool)
    where[15:18, 3:5] = True
    piece = _piece(_cut(source, 30, np.random.default_rng(1), False), where)
    there = {pixel.tobytes() for pixel in source.reflectance.reshape(-1, 30)}
    assert len(piece) == 6
    assert all(pixel.astype(np.float32).tobytes() in there for pixel in piece)
    # Stretched or turned round: still its values, in another order.
    for seed in range(5):
        varied = _piece(_cut(source, 30, np.random.default_rng(seed), True), where)
        assert np.isin(varied.astype(np.float32), source.reflectance).all()


def test_a_donor_with_holes_gives_finite_targets():
    values = np.random.default_rng(0).random((5, 6, 10)).astype(np.float32)
    values[1, :, :] = np.nan
    values[2, 3, 4] = np.nan
    scene = np.random.default_rng(1).random((30, 30, 10)).astype(np.float32)
    for seed in range(20):
        planted, _ = implant(scene, np.random.default_rng(seed), [donor(values)])
        assert np.isfinite(planted).all()


def test_a_finer_scene_has_the_same_light_and_as_much_noise():
    random = np.random.default_rng(0)
    x = np.linspace(0.0, 1.0, 60)
    shape = random.random((40, 50, 1))

    def light(x):
        return 3.0 + shape * np.sin(3 * x) + 0.5 * x

    level = np.linspace(0.01, 0.05, 60)
    scene = light(x) + level * random.standard_normal((40, 50, 60))
    assert np.allclose(noise_levels(scene)[1:-1], level[1:-1], rtol=0.15)
    fine = finer(scene, 119)
    assert fine.shape == (40, 50, 119)
    # Every second band is a band of the scene; the others are on the same curve, with as much noise.
    assert np.allclose(fine[:, :, ::2], scene, atol=1e-6)
    left = fine - light(np.linspace(0.0, 1.0, 119))
    assert np.allclose(left.std(axis=(0, 1))[1:-1], np.linspace(0.01, 0.05, 119)[1:-1], rtol=0.15)
    assert np.linalg.matrix_rank(np.cov(fine.reshape(-1, 119).T)) == 119


def test_scenes_are_refined_only_where_asked_and_needed(tmp_path):
    cube = np.random.default_rng(0).random((11, 9, 8)).astype(np.float32)
    cube[0, 0, 0] = np.nan
    np.save(tmp_path / "a.npy", cube)
    fine = load_scenes((SceneConfig(path=str(tmp_path / "a.npy"), finer=12),))[0]
    assert fine.values.shape == (11, 9, 12)
    assert len(fine.bands) == 12
    assert not np.isfinite(fine.values[0, 0]).all()
    assert np.isfinite(fine.values[1:]).all()
    assert load_scenes((SceneConfig(path=str(tmp_path / "a.npy"), finer=6),))[0].values.shape == (11, 9, 8)
