"""Reads foreign torch files in a process of its own. Run by path as a script; it imports nothing of this package.

python -I import_worker.py JOB.json

JOB.json: {"kind": "state-dict" | "torchscript", "files": [three paths], "output": folder, "packages": folders that are
added to sys.path, "memory_bytes": limit on top of what torch itself takes}. Writes into the output folder
`tensors.json` ({name: shape} in order), `tensors.bin` (float32, little-endian, in that order) with the state and
`probe.output`, the network's output (rows, cols, bands) for the probe; or `error.txt` with a reason and exit code 1.
"""

from __future__ import annotations

import json
import pickle  # nosec B403 - for the type of an error alone; torch.load(weights_only=True) reads the files
import sys
from pathlib import Path
from typing import Any

PROBE_SHAPE = (11, 9)
BATCH_NORM_EPS = 1e-5
# What is used of each of the three files; `num_batches_tracked` and the training head conv3 are not.
USED_PREFIXES = (("convh.",), ("layer1.",), ("conv1.", "conv2."))


def main(arguments: list[str]) -> int:
    """Do one job."""
    job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    sys.path += job["packages"]
    output = Path(job["output"])
    try:
        arrays = _read(job)
    # The border of the process: whatever goes wrong with a foreign file must reach the parent as text.
    except Exception as error:  # noqa: BLE001
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        (output / "error.txt").write_text(f"{type(error).__name__}: {(lines or ['no reason'])[0]}", encoding="utf-8")
        return 1
    (output / "tensors.json").write_text(
        json.dumps({name: list(values.shape) for name, values in arrays.items()}), encoding="utf-8"
    )
    with (output / "tensors.bin").open("wb") as file:
        for values in arrays.values():
            file.write(values.astype("<f4").tobytes())
    return 0


def _read(job: dict[str, Any]) -> dict[str, Any]:
    import numpy as np
    import torch

    release = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
    if release < (2, 6):
        raise RuntimeError(f"torch {torch.__version__} cannot read foreign files safely, 2.6 or later can")
    _limit_memory(job["memory_bytes"])
    if job["kind"] == "state-dict":
        parts = [_load_state_dict(torch, path) for path in job["files"]]
        modules = None
    else:
        jit: Any = torch.jit
        modules = [jit.load(path, map_location="cpu").eval() for path in job["files"]]
        parts = [module.state_dict() for module in modules]
    state = {}
    for part, prefixes in zip(parts, USED_PREFIXES):
        for name, value in part.items():
            if name.startswith(prefixes) and not name.endswith("num_batches_tracked"):
                state[name] = value.detach().to(torch.float32).contiguous()
    probe = np.random.RandomState(0).uniform(-0.1, 0.1, (*PROBE_SHAPE, state["convh.weight"].shape[1]))
    image = torch.from_numpy(probe.astype(np.float32)).permute(2, 0, 1)[None].contiguous()
    with torch.inference_mode():
        if modules is None:
            result = _run_plainly(torch, state, image)
        else:
            entry, residual, head = modules
            result, _ = head(residual(entry(image)), image)
    arrays = {name: value.numpy() for name, value in state.items()}
    arrays["probe.output"] = np.ascontiguousarray(result[0].permute(1, 2, 0).to(torch.float32).numpy())
    return arrays


def _limit_memory(extra_bytes: int) -> None:
    """Bound the address space to what is in use now, with torch loaded, plus the given bytes."""
    try:
        import resource

        in_use = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    resource.setrlimit(resource.RLIMIT_AS, (in_use + extra_bytes, in_use + extra_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _load_state_dict(torch: Any, path: str) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        # torch's own text advises loading without the restriction.
        raise ValueError(
            f"{Path(path).name} holds more than tensors, or is damaged, and no code is run for it"
        ) from None
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"{Path(path).name} holds no state dict")
    return state


def _run_plainly(torch: Any, state: dict[str, Any], image: Any) -> Any:
    """Run the published computation, padding, batch norm and cropping as they are written there."""
    functional = torch.nn.functional

    def norm(x: Any, name: str) -> Any:
        parts = (state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(x, *parts, training=False, eps=BATCH_NORM_EPS)

    x = functional.conv2d(functional.pad(image, (4, 4, 4, 4), mode="reflect"), state["convh.weight"])
    block = 0
    while f"layer1.{block}.conv1.weight" in state:
        prefix = f"layer1.{block}."
        y = functional.relu(norm(functional.conv2d(x, state[prefix + "conv1.weight"]), prefix + "bn1"))
        y = functional.relu(norm(functional.conv2d(y, state[prefix + "conv2.weight"], padding=1), prefix + "bn2"))
        y = norm(functional.conv2d(y, state[prefix + "conv3.weight"]), prefix + "bn3")
        if prefix + "downsample.0.weight" in state:
            x = norm(functional.conv2d(x, state[prefix + "downsample.0.weight"]), prefix + "downsample.1")
        x = functional.relu(x + y)
        block += 1
    x = x[:, :, 4:-4, 4:-4]
    x = functional.relu(functional.conv2d(x, state["conv1.weight"], state["conv1.bias"]))
    return functional.relu(functional.conv2d(x, state["conv2.weight"], state["conv2.bias"])) + image


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
