"""FEN in memory: ours by both backends beside the published way, against the bound of the machine's matrix products.

    python benchmarks/fen.py [--rows 1000] [--cols 1000] [--repeats 3]

Bound: 2 x multiply-adds of the direct convolution / the best float32 GEMM rate of numpy, scipy and torch, measured in
the same run. "Published" is the network as its authors run it: eager torch modules, batch norm apart, the whole image
at once with reflection padding. All results are compared, and the run fails where they differ by more than 1e-4 of the
largest value.
"""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from machine import best_of, describe, gemm_peaks, published_shape
from torch import nn
from torch.nn import functional

from ferd_engine import enhance, open_model
from ferd_engine.fen.backend import Backend, Carry, Work, open_backend
from ferd_engine.fen.bundle import Model

TOLERANCE = 1e-4


class Bottleneck(nn.Module):
    """A residual block of wide_resnet101_2, batch norm in inference mode."""

    def __init__(self, n_in: int, inner: int, outer: int, project: bool) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(n_in, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = nn.Conv2d(inner, inner, 3, padding=1, bias=False), nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = nn.Conv2d(inner, outer, 1, bias=False), nn.BatchNorm2d(outer)
        self.downsample = (
            nn.Sequential(nn.Conv2d(n_in, outer, 1, bias=False), nn.BatchNorm2d(outer)) if project else None
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the block's output."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = functional.relu(self.bn1(self.conv1(x)))
        x = functional.relu(self.bn2(self.conv2(x)))
        return functional.relu(self.bn3(self.conv3(x)) + shortcut)


class PublishedWay(nn.Module):
    """FEN as eager modules on the whole image: pad 4 by reflection, convolve with zero padding, crop 4."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        a = model.architecture
        self.convh = nn.Conv2d(a.n_bands, a.entry, 1, bias=False)
        self.layer1 = nn.Sequential(
            *(Bottleneck(a.outer if k else a.entry, a.inner, a.outer, k == 0) for k in range(a.bottlenecks))
        )
        self.conv1, self.conv2 = nn.Conv2d(a.outer, a.hidden, 1), nn.Conv2d(a.hidden, a.n_bands, 1)
        weights = {name: torch.from_numpy(np.array(values)) for name, values in model.weights.items()}
        missing, unexpected = self.load_state_dict(weights, strict=False)
        assert not unexpected, unexpected
        assert all(name.endswith("num_batches_tracked") for name in missing), missing
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the enhanced image for scaled (1, bands, rows, cols)."""
        features = self.layer1(self.convh(functional.pad(x, (4, 4, 4, 4), mode="reflect")))[:, :, 4:-4, 4:-4]
        return functional.relu(self.conv2(functional.relu(self.conv1(features)))) + x


def scene(rows: int, cols: int, bands: int) -> np.ndarray:
    """Return a smooth random scene (rows, cols, bands) float32."""
    random = np.random.default_rng(0)
    down, right = np.mgrid[0:rows, 0:cols].astype(np.float32)
    abundances = np.stack([np.sin(down / (9 + 5 * k)) * np.cos(right / (7 + 3 * k)) for k in range(6)], axis=-1)
    cube = abundances.reshape(-1, 6) @ random.normal(0, 1, (6, bands)).astype(np.float32)
    cube += 0.05 * random.standard_normal(cube.shape, dtype=np.float32)
    return np.ascontiguousarray(cube.reshape(rows, cols, bands))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--cols", type=int, default=1000)
    parser.add_argument("--model", help="by default a FEN of the published shape for 200 bands")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        compare(arguments, open_model(arguments.model or published_shape(Path(folder))))


def compare(arguments: argparse.Namespace, model: Model) -> None:
    """Time the published way and both backends on one scene, and print the table."""
    a = model.architecture
    cube = scene(arguments.rows, arguments.cols, a.n_bands)
    n_pixels = cube.shape[0] * cube.shape[1]
    flops = 2.0 * a.macs_per_pixel * n_pixels

    print(describe())
    size = f"{cube.shape[0]} x {cube.shape[1]} x {a.n_bands} float32"
    print(f"FEN {model.name}, {size}, {flops / n_pixels / 1e6:.2f} MFLOP per pixel")
    peaks = gemm_peaks()
    print("float32 GEMM GFLOP/s: " + ", ".join(f"{name} {peak:.0f}" for name, peak in peaks.items()))
    bound = flops / max(peaks.values()) / 1e9
    print(f"bound {bound:.2f} s")

    low, high = cube.min(), cube.max()
    scaled = (((cube - low) / (high - low)) * 2 - 1) * np.float32(0.1)
    halo = a.halo_px
    padded = np.pad(scaled, ((halo, halo), (halo, halo), (0, 0)), mode="reflect")
    with torch.inference_mode():
        network = PublishedWay(model)
        image = torch.from_numpy(scaled).permute(2, 0, 1).contiguous()[None]
        published_seconds = best_of(lambda: network(image), max(arguments.repeats - 1, 1))
        reference = network(image)[0].permute(1, 2, 0).numpy()
    largest = float(np.abs(reference).max())
    print(f"{'what':<34}{'seconds':>9}{'x bound':>9}{'x own bound':>13}{'published / ours':>18}{'error':>10}")
    print(f"{'published way, eager torch':<34}{published_seconds:9.2f}{published_seconds / bound:9.2f}")
    out = np.zeros_like(cube)
    for name in ("torch", "numpy"):
        backend = open_backend(model, name, "cpu")
        backend.enhance(padded[: 64 + 2 * halo])
        own_bound = flops / peaks["scipy" if name == "numpy" else "torch"] / 1e9
        in_memory = best_of(lambda backend=backend: enhance_in_blocks(backend, padded, out), arguments.repeats)
        whole_run = best_of(lambda name=name: enhance(cube, model=str(model.folder), backend=name), 2)
        rows = (
            (f"{name} backend", in_memory, out),
            (
                f"enhance(backend='{name}'), scan to result",
                whole_run,
                enhance(cube, model=str(model.folder), backend=name),
            ),
        )
        for what, seconds, found in rows:
            error = float(np.abs(found - reference).max()) / largest
            assert error <= TOLERANCE, f"{what} differs from the published network by {error:.1e}"
            print(
                f"{what:<34}{seconds:9.2f}{seconds / bound:9.2f}{seconds / own_bound:13.2f}"
                f"{published_seconds / seconds:18.2f}{error:10.1e}"
            )


def enhance_in_blocks(backend: Backend, padded: np.ndarray, out: np.ndarray, rows: int = 64) -> np.ndarray:
    """Run a backend over a mirrored image block by block into `out` (rows, cols, bands), as the pipeline does."""
    halo, carry = (padded.shape[0] - out.shape[0]) // 2, Carry()
    starts = range(0, len(out), rows)
    works = (Work(padded[start : start + rows + 2 * halo], out[start : start + rows], carry) for start in starts)
    with closing(backend.enhance_each(works)) as results:
        for _ in results:
            pass
    return out


if __name__ == "__main__":
    main()
