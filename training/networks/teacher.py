"""Weights of the teacher: from ImageNet, from a file, or random."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from ferd_engine.errors import InputError, MissingPackageError, ModelError

_HUB_REPOSITORY = "timm/wide_resnet101_2.tv_in1k"


def load_teacher(layers: Mapping[str, nn.Module], source: str) -> None:
    """Fill `layer1`, `layer2` and `layer3` from "imagenet" or a file; "random" leaves them as they are.

    Raises `ModelError` where the weights do not fit, `InputError` where they cannot be had.
    """
    if source == "random":
        return
    state = _imagenet() if source == "imagenet" else _from_file(Path(source))
    for name, layer in layers.items():
        part = {key[len(name) + 1 :]: value for key, value in state.items() if key.startswith(name + ".")}
        try:
            layer.load_state_dict(part)
        except RuntimeError as error:
            raise ModelError(
                f"The teacher's weights ({source}) do not fit {name} of this network: check network.blocks, inner and "
                "outer, or choose a wide_resnet101_2."
            ) from error


def _from_file(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(f"There is no file {path} with the teacher's weights: correct network.teacher.")
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return dict(load_file(path))
        except (OSError, SafetensorError) as error:
            raise _unreadable(path) from error
    try:
        # Plain tensors alone: nothing in the file is run.
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise _unreadable(path) from error
    if not isinstance(state, dict):
        raise _unreadable(path)
    return dict(state.get("state_dict", state))


def _unreadable(path: Path) -> InputError:
    return InputError(
        f"The file {path} cannot be read as the teacher's weights: set network.teacher to a .safetensors, .pth or .pt "
        "file of plain tensors."
    )


def _imagenet() -> dict[str, Tensor]:
    """Return torchvision's wide_resnet101_2, through torchvision or the Hugging Face hub, whichever is installed."""
    try:
        from torchvision.models import Wide_ResNet101_2_Weights
    except ImportError:
        return _from_hub()
    try:
        return dict(Wide_ResNet101_2_Weights.IMAGENET1K_V1.get_state_dict(progress=False, check_hash=True))
    except OSError as error:
        raise _unreachable(error) from error


def _from_hub() -> dict[str, Tensor]:
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise MissingPackageError(
            'ImageNet weights need torchvision or huggingface_hub: python -m pip install "torchvision>=0.21", or set '
            "network.teacher to a file or to random."
        ) from error
    try:
        return _from_file(Path(hf_hub_download(_HUB_REPOSITORY, "model.safetensors")))
    except OSError as error:
        raise _unreachable(error) from error


def _unreachable(error: OSError) -> InputError:
    return InputError(
        f"The ImageNet weights cannot be downloaded ({error}): go online, or set network.teacher to a file or to "
        "random."
    )
