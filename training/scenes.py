"""Scenes for training and selection: read, bands picked, invalid pixels filled, scaled as the engine scales."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferd_engine.bands import BandInfo, candidates, pick_bands
from ferd_engine.errors import FerdError, InputError
from ferd_engine.raster import open_source
from ferd_engine.raster.array_source import load_mat
from ferd_engine.raster.source import check_file
from ferd_engine.windows import whole

from . import had100, synthetic
from .config import SceneConfig
from .finer import finer
from .mixtures import mixture

Float32Array = NDArray[np.float32]

# What lies beside rasters in a folder of them: headers, statistics, overviews, notes, quick looks.
_NO_RASTER = (".hdr", ".xml", ".txt", ".md", ".json", ".png", ".jpg", ".csv", ".ovr", ".enp", ".dbf")


@dataclass(frozen=True)
class Scene:
    """Values (rows, cols, bands) float32 in the file's units, NaN where invalid, its good bands, and where it is from.

    `sha256` is that of the file, or of the file that a mixture's spectra are from; empty for a synthetic scene, whose
    `name` says how to make it again.
    """

    name: str
    values: Float32Array
    bands: tuple[BandInfo, ...]
    licence: str
    sha256: str = ""
    truth: NDArray[np.bool_] | None = None


def load_scenes(configs: tuple[SceneConfig, ...], *, with_truth: bool = False) -> list[Scene]:
    """Return all scenes in order; `with_truth` adds the truth of those of the had100 kind.

    Raises `InputError` where a folder holds nothing or a file cannot be read.
    """
    scenes: list[Scene] = []
    real: list[Scene] = []
    for config in configs:
        made = _mixtures(config, real) if config.kind == "mixtures" else list(_load(config, with_truth))
        scenes += [_refined(scene, config.finer) for scene in made]
        if config.kind in ("raster", "had100"):
            real += made
    return scenes


def _mixtures(config: SceneConfig, sources: list[Scene]) -> list[Scene]:
    if not sources:
        raise InputError("Mixtures are made of the scenes from files named before them, and there are none: name some.")
    made = []
    for seed in range(config.seed, config.seed + config.count):
        source = sources[(seed - config.seed) % len(sources)]
        values = mixture(source.values, source.name, seed, config.rows, config.cols)
        # The spectra are the source's, and so are licence and hash.
        made.append(replace(source, name=f"mixture seed {seed} of {source.name}", values=values, truth=None))
    return made


def _refined(scene: Scene, n_bands: int) -> Scene:
    if len(scene.bands) >= n_bands:
        return scene
    # No band of the finer scene is one of the sensor's.
    bands = tuple(BandInfo(number) for number in range(1, n_bands + 1))
    return replace(scene, name=f"{scene.name} at {n_bands} bands", values=finer(scene.values, n_bands), bands=bands)


def _load(config: SceneConfig, with_truth: bool) -> Iterator[Scene]:
    if config.kind == "synthetic":
        for seed in range(config.seed, config.seed + config.count):
            values = synthetic.background(seed, config.rows, config.cols)
            yield _scene(f"synthetic seed {seed}", values, synthetic.bands(), config.licence)
    elif config.kind == "had100":
        for path in had100.images(Path(config.path), config.split, config.sensor):
            truth = had100.truth(Path(config.path), path.stem, config.sensor) if with_truth else None
            yield _scene_of_file(path, config, truth)
    elif Path(config.path).is_dir():
        paths = [p for p in sorted(Path(config.path).iterdir()) if p.is_file() and p.suffix.lower() not in _NO_RASTER]
        if not paths:
            raise InputError(f"The folder {config.path} holds no raster: check the path.")
        for path in paths:
            yield _scene_of_file(path, config, None)
    else:
        yield _scene_of_file(Path(config.path), config, None)


def _scene_of_file(path: Path, config: SceneConfig, truth: NDArray[np.bool_] | None) -> Scene:
    if config.rows:
        values = _unfolded(path, config)
        bands = tuple(BandInfo(number) for number in range(1, values.shape[2] + 1))
    else:
        source = open_source(str(path), config.variable or None)
        try:
            bands = source.bands
            values = source.read(whole(source.n_rows, source.n_cols), [band.number for band in bands]).values
        finally:
            source.close()
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return _scene(path.name, values, bands, config.licence, sha256, truth)


def _unfolded(path: Path, config: SceneConfig) -> Float32Array:
    check_file(str(path))
    array = load_mat(str(path), config.variable or None, n_dims=2)
    if array.ndim != 2 or array.shape[1] != config.rows * config.cols:
        raise InputError(
            f"The array of {path} has the shape {array.shape}, not (bands, {config.rows * config.cols}): correct rows "
            "and cols."
        )
    return np.asarray(array.reshape(len(array), config.cols, config.rows).transpose(2, 1, 0), dtype=np.float32)


def _scene(
    name: str,
    values: NDArray[np.floating[Any]],
    bands: tuple[BandInfo, ...],
    licence: str,
    sha256: str = "",
    truth: NDArray[np.bool_] | None = None,
) -> Scene:
    """Return the scene with its good bands alone: neither marked as bad, nor wholly invalid, nor constant."""
    keep = [number for number in candidates(bands, None) if _varies(values[:, :, number - 1])]
    if truth is not None and truth.shape != values.shape[:2]:
        raise InputError(
            f"The truth of {name} has the shape {truth.shape} and the image {values.shape[:2]}: leave the scene out."
        )
    kept = np.ascontiguousarray(values[:, :, [number - 1 for number in keep]], dtype=np.float32)
    return Scene(name, kept, tuple(bands[number - 1] for number in keep), licence, sha256, truth)


def _varies(band: NDArray[np.floating[Any]]) -> bool:
    known = band[np.isfinite(band)]
    return known.size > 0 and float(known.min()) < float(known.max())


@dataclass(frozen=True)
class Background:
    """A scene to cut patches from: values (rows, cols, all bands) float32, finite; extremes of each band, (bands,).

    `picked` are the places of the bands that the engine would pick.
    """

    values: Float32Array
    low: Float32Array
    high: Float32Array
    picked: NDArray[np.intp]


def prepare(scene: Scene, n_bands: int, selection: str) -> Background:
    """Return a scene with invalid pixels replaced by the mean spectrum, as the engine does before FEN.

    Raises `InputError` where the bands do not suffice or no pixel is valid.
    """
    valid = np.isfinite(scene.values).all(axis=2)
    if not valid.any():
        raise InputError(f"The scene {scene.name} has no pixel that is valid in all bands: leave it out.")
    try:
        picked = pick_bands(range(1, len(scene.bands) + 1), n_bands, selection, scene.bands, None, selection)
    except FerdError as error:
        raise InputError(f"The scene {scene.name} cannot be used: {error}") from error
    known = scene.values[valid]
    values = scene.values.copy()
    values[~valid] = known.mean(axis=0, dtype=np.float64)
    return Background(values, known.min(axis=0), known.max(axis=0), np.array(picked.numbers) - 1)
