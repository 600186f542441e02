"""The networks: sizes, losses against their definitions, the inference part against the engine's definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from ferd_engine.errors import InputError, ModelError
from ferd_engine.fen.network import Architecture, tensor_shapes, untrained_weights
from tests.engine.fen.reference import enhanced
from training import losses
from training.config import LossConfig, NetworkConfig
from training.networks.distillation import Outputs, ReverseDistillation
from training.networks.fen import Fen
from training.objectives import distances, ranking_loss

SMALL = NetworkConfig(
    teacher="random", entry=6, inner=8, outer=12, blocks=(2, 1, 2), embedding_blocks=1, decoder_blocks=(1, 2, 1)
)


def test_fen_is_what_the_engine_defines():
    architecture = Architecture(5, bottlenecks=4, entry=6, inner=7, outer=8, hidden=9)
    random = np.random.default_rng(0)
    weights = untrained_weights(architecture, 1)
    for name in weights:
        # Batch norm in general position, as a trained teacher has it.
        if "running_var" in name:
            weights[name] = random.uniform(0.5, 2.0, weights[name].shape).astype(np.float32)
        elif "running_mean" in name or "bn" in name:
            weights[name] = random.normal(0.5, 0.5, weights[name].shape).astype(np.float32)
    fen = Fen(architecture).eval()
    fen.load_weights(weights)
    assert fen.weights().keys() == tensor_shapes(architecture).keys()
    image = random.uniform(-0.1, 0.1, (13, 9, 5)).astype(np.float32)
    with torch.no_grad():
        found = fen(torch.from_numpy(image.transpose(2, 0, 1)[None].copy()))[0].numpy().transpose(1, 2, 0)
    wanted = enhanced(image, weights, 4)
    assert np.abs(found - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_scales_of_teacher_and_student_match():
    network = ReverseDistillation(7, SMALL)
    outputs = network(torch.rand(2, 7, 24, 16))
    assert [tuple(scale.shape) for scale in outputs.teacher] == [(2, 12, 32, 24), (2, 24, 16, 12), (2, 48, 8, 6)]
    assert [scale.shape for scale in outputs.student] == [scale.shape for scale in outputs.teacher]
    assert outputs.reconstruction.shape == (2, 7, 24, 16)
    assert outputs.logits.shape == (2, 1, 24, 16)


def test_the_teacher_never_learns_and_the_entry_does():
    network = ReverseDistillation(7, SMALL).train()
    assert not any(part.training for layer in network.frozen() for part in layer.modules())
    losses.total(images := torch.rand(2, 7, 16, 16), network(images), LossConfig())["loss"].backward()
    assert all(p.grad is None for layer in network.frozen() for p in layer.parameters())
    learning = [p for p in network.parameters() if p.requires_grad]
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in learning)


def test_losses_are_their_definitions():
    generator = torch.Generator().manual_seed(0)
    teacher = [torch.randn(3, 4, 5, 6, generator=generator), torch.randn(3, 2, 2, 3, generator=generator)]
    student = [torch.randn(scale.shape, generator=generator) for scale in teacher]
    wanted = 0.0
    for a, b in zip(teacher, student):
        cosines = [float((x * y).sum() / (x.norm() * y.norm())) for x, y in zip(a, b)]
        wanted += 1.0 - sum(cosines) / 3
    assert float(losses.cosine_distance(teacher, student)) == pytest.approx(wanted, rel=1e-5)
    assert float(losses.cosine_distance(teacher, [7.0 * scale for scale in teacher])) == pytest.approx(0.0, abs=1e-6)

    logits = torch.randn(2, 1, 3, 3, generator=generator)
    wanted = float(torch.log1p(torch.exp(logits)).mean())
    assert float(losses.alignment(logits)) == pytest.approx(wanted, rel=1e-5)
    assert float(losses.alignment(torch.full((1, 1, 2, 2), -60.0), sigmoid_twice=True)) == pytest.approx(math.log(2))

    images, made = torch.rand(2, 3, 4, 4, generator=generator), torch.rand(2, 3, 4, 4, generator=generator)
    parts = losses.total(images, Outputs(teacher, student, made, logits), LossConfig(0.1, 0.2, 0.5))
    assert float(parts["reconstruction"]) == pytest.approx(float(functional.mse_loss(made, images)))
    total = 0.1 * parts["alignment"] + 0.2 * parts["reconstruction"] + 0.5 * parts["distillation"]
    assert float(parts["loss"]) == pytest.approx(float(total), rel=1e-6)


def test_distances_are_grx_and_the_ranking_loss_bounds_wrong_pairs():
    random = np.random.default_rng(3)
    image = random.normal(size=(4, 11, 9)) * np.array([1.0, 5.0, 0.1, 2.0])[:, None, None]
    pixels = image.reshape(4, -1).T - image.reshape(4, -1).mean(axis=1)
    wanted = np.einsum("ij,jk,ik->i", pixels, np.linalg.inv(np.cov(pixels.T)), pixels)
    found = distances(torch.from_numpy(image)).numpy()
    assert np.abs(found - wanted).max() < 1e-5 * wanted.max()

    truth = random.random((11, 9)) < 0.2
    target, background = wanted[truth.ravel()], wanted[~truth.ravel()]
    pairs = np.log1p(background[None, :] / target[:, None])
    loss = float(ranking_loss(torch.from_numpy(image), torch.from_numpy(truth)))
    assert loss == pytest.approx(pairs.mean(), rel=1e-4)
    wrong = np.mean(background[None, :] > target[:, None])
    assert wrong <= loss / math.log(2)


def test_teacher_weights_come_from_a_file(tmp_path):
    source = ReverseDistillation(7, SMALL)
    state = {f"layer1.{key}": value for key, value in source.fen.layer1.state_dict().items()}
    state.update({f"layer2.{key}": value for key, value in source.layer2.state_dict().items()})
    state.update({f"layer3.{key}": value for key, value in source.layer3.state_dict().items()})
    torch.save({**state, "fc.weight": torch.zeros(3)}, tmp_path / "teacher.pth")
    config = NetworkConfig(**{**vars(SMALL), "teacher": str(tmp_path / "teacher.pth")})
    loaded = ReverseDistillation(9, config)
    assert torch.equal(loaded.layer3[1].conv2.weight, source.layer3[1].conv2.weight)
    assert torch.equal(loaded.fen.layer1[0].downsample[0].weight, source.fen.layer1[0].downsample[0].weight)
    wrong = NetworkConfig(**{**vars(config), "inner": 16})
    with pytest.raises(ModelError, match="do not fit layer1"):
        ReverseDistillation(9, wrong)
    with pytest.raises(InputError, match="no file"):
        ReverseDistillation(9, NetworkConfig(**{**vars(config), "teacher": str(tmp_path / "absent.pth")}))


@pytest.mark.parametrize("name", ["text.pth", "text.safetensors", "tensor.pt"])
def test_a_file_without_teacher_weights_is_named(tmp_path, name):
    (tmp_path / name).write_text("no weights")
    if name == "tensor.pt":
        torch.save(torch.zeros(3), tmp_path / name)
    with pytest.raises(InputError, match=rf"{name} cannot be read as the teacher's weights"):
        ReverseDistillation(9, NetworkConfig(**{**vars(SMALL), "teacher": str(tmp_path / name)}))


@pytest.mark.slow
def test_the_full_size_is_that_of_the_published_networks():
    """Parameters of wide_resnet101_2's layers 1 to 3 by torchvision's definition, and one whole step."""
    network = ReverseDistillation(50, NetworkConfig(teacher="random"))
    counts = [sum(p.numel() for p in layer.parameters()) for layer in network.frozen()]

    def bottlenecks(n_in, inner, outer, blocks):
        first = n_in * inner + 9 * inner**2 + inner * outer + 4 * inner + 2 * outer + n_in * outer + 2 * outer
        other = outer * inner + 9 * inner**2 + inner * outer + 4 * inner + 2 * outer
        return first + (blocks - 1) * other

    assert counts == [bottlenecks(64, 128, 256, 3), bottlenecks(256, 256, 512, 4), bottlenecks(512, 512, 1024, 23)]
    optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=0.005, betas=(0.5, 0.999))
    images = torch.rand(2, 50, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.2 - 0.1
    found = []
    for _ in range(3):
        loss = losses.total(images, network(images), LossConfig())["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    assert found[-1] < found[0]
