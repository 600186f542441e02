"""The evaluation commands on made-up sets in the layouts of ABU and HAD100."""

from __future__ import annotations

import json

import numpy as np
import pytest
from osgeo import gdal
from scipy.io import savemat

import ferd_engine
from ferd_engine.errors import InputError
from ferd_engine.evaluate import evaluate_scores
from ferd_engine.fen.bundle import Model, save_model
from ferd_engine.fen.network import Architecture, untrained_weights
from training import had100
from training.__main__ import main
from training.evaluation import family, sign_flip_test

gdal.UseExceptions()


def cube_and_truth(seed, shape=(24, 30, 55)):
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(4, shape[2]))
    cube = random.normal(size=(*shape[:2], 4)) @ mixing + 0.3 * random.normal(size=shape)
    truth = np.zeros(shape[:2], dtype=bool)
    truth[5:7, 8 + seed : 10 + seed] = True
    cube[truth] += random.normal(size=shape[2])
    return cube.astype(np.float32), truth


def write_png(path, truth, n_bands):
    memory = gdal.GetDriverByName("MEM").Create("", truth.shape[1], truth.shape[0], n_bands, gdal.GDT_Byte)
    for band in range(1, n_bands + 1):
        # An opaque alpha must not be taken for truth.
        memory.GetRasterBand(band).WriteArray(
            np.full(truth.shape, 255, np.uint8) if band == 4 else truth * np.uint8(255)
        )
    gdal.GetDriverByName("PNG").CreateCopy(str(path), memory)


def bundle(folder, n_bands, seed):
    architecture = Architecture(n_bands, bottlenecks=1, entry=8, inner=8, outer=16)
    model = Model(folder.name, architecture, untrained_weights(architecture, seed), band_selection="spread")
    save_model(model, folder)
    return folder


@pytest.fixture
def had(tmp_path):
    root = tmp_path / "HAD100"
    for part in ("test/aviris_ng", "train/aviris_ng", "ground_truth/aviris_ng"):
        (root / part).mkdir(parents=True)
    for seed in range(3):
        cube, truth = cube_and_truth(seed)
        np.save(root / "test" / "aviris_ng" / f"ang{seed}.npy", cube)
        write_png(root / "ground_truth" / "aviris_ng" / f"ang{seed}.png", truth, (1, 3, 4)[seed])
    return root


def test_had100_gives_the_mean_auc_of_the_first_bands(had, tmp_path, capsys):
    model = bundle(tmp_path / "own-50", 50, 3)
    output = tmp_path / "out.json"
    arguments = ["--bands", "50", "--data", str(had), "--model", str(model), "--controls", "2", "--json", str(output)]
    assert main(["evaluate", "had100", *arguments]) == 0
    printed = capsys.readouterr().out
    results = json.loads(output.read_text())
    assert sorted(results) == ["ang0", "ang1", "ang2"]
    for seed in range(3):
        cube, truth = cube_and_truth(seed)
        plain = evaluate_scores(ferd_engine.detect(cube[:, :, :50], enhance=False), truth).auc
        enhanced = evaluate_scores(ferd_engine.detect(cube[:, :, :50], model=str(model)), truth).auc
        assert results[f"ang{seed}"]["GRX"]["auc"] == pytest.approx(plain, abs=1e-9)
        assert results[f"ang{seed}"][f"{model} + GRX"]["auc"] == pytest.approx(enhanced, abs=1e-9)
    mean = np.mean([row["GRX"]["auc"] for row in results.values()])
    assert f"| mean of 3 | {mean:.4f} |" in printed
    assert "FERD 0.9941" in printed
    # Two controls in one column, by their mean and spread; of both shapes.
    for kind in ("untrained", "untrained, own shape,"):
        means = [np.mean([row[f"{kind} {seed} + GRX"]["auc"] for row in results.values()]) for seed in (0, 1)]
        assert f"| {np.mean(means):.4f} ({np.std(means, ddof=1):.4f}) |" in printed
    assert "| untrained + GRX | untrained, own shape, + GRX |" in printed


HAD_CONFIG = """
name = "tiny"
output = "run"
seed = 0
[data]
bands = 20
patch = 24
train = [{ kind = "had100", path = "HAD100" }]
held_out = [{ kind = "had100", path = "HAD100", split = "test" }]
[network]
teacher = "random"
entry = 4
inner = 4
outer = 8
blocks = [1, 1, 1]
embedding_blocks = 1
decoder_blocks = [1, 1, 1]
[training]
epochs = 2
batch = 2
threads = 1
selection = "test-labels"
"""


def test_training_on_had100s_layout_chooses_by_test_labels_where_asked(had, tmp_path):
    for seed in (5, 6):
        np.save(had / "train" / "aviris_ng" / f"ang{seed}.npy", cube_and_truth(seed)[0])
    (tmp_path / "config.toml").write_text(HAD_CONFIG)
    assert main(["train", str(tmp_path / "config.toml")]) == 0
    card = json.loads((tmp_path / "run" / "model" / "model.json").read_text())
    assert [entry["name"] for entry in card["training"]["data"]] == ["ang5.npy", "ang6.npy"]
    # Whoever reads the card sees that its figures on these scenes are none on unseen ones.
    assert card["training"]["config"]["training"]["selection"] == "test-labels"
    # The first bands of the test images, through the engine, by their own truth.
    aucs = []
    for path in had100.images(had, "test", "aviris_ng"):
        scores = ferd_engine.detect(np.load(path), model=str(tmp_path / "run" / "model"))
        aucs.append(evaluate_scores(scores, had100.truth(had, path.stem, "aviris_ng")).auc)
    assert card["training"]["held_out_auc"] == pytest.approx(np.mean(aucs), abs=1e-6)


def test_truth_is_read_from_any_png(had):
    for seed in range(3):
        assert np.array_equal(had100.truth(had, f"ang{seed}", "aviris_ng"), cube_and_truth(seed)[1])
    with pytest.raises(InputError, match="no truth"):
        had100.truth(had, "ang9", "aviris_ng")


def test_a_wrong_folder_is_named(tmp_path, capsys):
    assert main(["evaluate", "had100", "--bands", "50", "--data", str(tmp_path)]) == 2
    assert "no .npy images" in capsys.readouterr().err
    assert main(["evaluate", "scenes", "--data", str(tmp_path)]) == 2
    assert "no .mat scenes" in capsys.readouterr().err


@pytest.mark.parametrize("kind", [["scenes"], ["had100", "--bands", "50"]])
def test_fewer_controls_than_none_are_refused_before_a_scene_is_read(kind, tmp_path, capsys):
    assert main(["evaluate", *kind, "--data", str(tmp_path), "--controls", "-1"]) == 2
    assert capsys.readouterr().err == "training: The number of controls is -1: give 0 or more.\n"


def test_scenes_take_the_largest_model_that_fits(tmp_path, capsys):
    folder = tmp_path / "scenes"
    folder.mkdir()
    for seed, n_bands in enumerate((55, 30, 12)):
        cube, truth = cube_and_truth(seed, (24, 30, n_bands))
        savemat(folder / f"abu-{seed}.mat", {"data": cube, "map": truth.astype(float)})
    models = tmp_path / "models"
    bundle(models / "fam-50", 50, 0)
    bundle(models / "fam-20", 20, 0)
    output = tmp_path / "out.json"
    arguments = ["--data", str(folder), "--model", str(models), "--controls", "1", "--json", str(output)]
    assert main(["evaluate", "scenes", *arguments]) == 0
    printed = capsys.readouterr().out
    results = json.loads(output.read_text())
    for seed, (n_bands, name) in enumerate(((55, "fam-50"), (30, "fam-20"))):
        cube, truth = cube_and_truth(seed, (24, 30, n_bands))
        wanted = evaluate_scores(ferd_engine.detect(cube.astype(np.float64), model=str(models / name)), truth).auc
        assert results[f"abu-{seed}"][f"{models} + GRX"]["auc"] == pytest.approx(wanted, abs=1e-9)
    assert np.isnan(results["abu-2"][f"{models} + GRX"]["auc"])
    assert "| mean of 2 |" in printed
    assert "| - |" in printed
    assert f"{models} + GRX against" in printed
    arguments[-3:] = ["0", "--json", str(tmp_path / "absent" / "out.json")]
    assert main(["evaluate", "scenes", *arguments]) != 0
    told = capsys.readouterr()
    assert "| mean of 2 |" in told.out
    assert "Cannot write the results to" in told.err


@pytest.mark.parametrize(
    ("name", "bands"), [("fen-200", ["fen-100", "fen-200", "fen-50"]), ("fen-100", ["fen-100", "fen-50"])]
)
def test_a_name_stands_for_the_model_and_smaller_ones_alone(name, bands):
    # A larger one would be taken in its place, and the table would show the wrong model's figures under its name.
    assert [path.name for path in family(name)] == bands


def test_sign_flips():
    assert sign_flip_test([0.01] * 7) == pytest.approx(2 / 128)
    assert sign_flip_test([0.01, -0.01]) == 1.0
    assert sign_flip_test([0.1, 0.2, -0.05]) == 0.5
    assert sign_flip_test(list(np.full(20, 0.01))) < 0.001


def test_train_command(tmp_path, capsys):
    (tmp_path / "config.toml").write_text(
        'name = "tiny"\noutput = "run"\n'
        '[data]\ntrain = [{kind = "synthetic", count = 1, rows = 16, cols = 16}]\nbands = 10\npatch = 16\n'
        '[network]\nteacher = "random"\nentry = 4\ninner = 4\nouter = 8\nblocks = [1, 1, 1]\n'
        "embedding_blocks = 1\ndecoder_blocks = [1, 1, 1]\n[training]\nepochs = 1\nthreads = 1\n"
    )
    assert main(["train", str(tmp_path / "config.toml")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "run" / "model")
    assert main(["train", str(tmp_path / "absent.toml")]) == 2
