"""A georeferenced sample scene with truth, made from a seed: for the demonstration, first steps and tests."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..errors import OutputError, RunError, UsageError
from . import scene, spectra
from .files import write_scene, write_truth

__all__ = ["SamplePaths", "make_sample"]

_README = """\
FERD sample scene (seed {seed})

scene.tif  synthetic reflectance times {scale}, {rows} rows x {cols} columns x {bands} bands, Int16, nodata {nodata};
           400 to 2500 nm, {good} bands good and {bad} bad (bbl 0: water vapour); pixels of {width:g} m x {height:g} m,
           UTM zone 33N. The place is made up.
truth.tif  1 where something man-made that does not belong there covers a quarter of a pixel or more ({targets} things,
           {pixels} pixels), 0 elsewhere, {truth_nodata} outside the swath.

Farmland, a wood, a river, two roads and a hamlet, as linear mixtures of spectra built from Gaussians and sigmoids;
tarpaulins, painted panels, white plastic and rubber as anomalies. The roofs are rare too, and no anomalies: a detector
that finds everything rare marks them as well.

Try:  ferd detect scene.tif score.tif
      ferd evaluate score.tif truth.tif
"""


@dataclass(frozen=True)
class SamplePaths:
    """The files of a sample: a cube, its truth, and what they are."""

    scene: Path
    truth: Path
    readme: Path


def make_sample(folder: str | os.PathLike[str], seed: int = 0, *, overwrite: bool = False) -> SamplePaths:
    """Write the sample scene of a seed into a folder, which is made where it is missing.

    Equal seeds give equal pixels. scene.tif is int16 of (160 rows, 224 cols, 240 bands), reflectance x 10000, nodata
    -32768, with wavelength, width (nm) and bad-band flag per band; truth.tif is uint8, 1 for anomaly, nodata 255.
    All files are written whole or not at all. Raises `UsageError` for a negative seed, `OutputError` where a file
    exists already (without `overwrite`) or the folder cannot be made, and `RunError` where writing fails.
    """
    if seed < 0:
        raise UsageError(f"The seed is {seed}: give 0 or a positive whole number.")
    target = Path(folder)
    paths = SamplePaths(target / "scene.tif", target / "truth.tif", target / "README.txt")
    if not overwrite:
        for path in (paths.scene, paths.truth, paths.readme):
            if path.exists():
                raise OutputError(
                    f"The file {path} exists already: choose another folder, or allow it with --overwrite."
                )
    try:
        target.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".ferd-sample-", dir=target))
    except OSError as error:
        raise OutputError(f"Cannot write into the folder {target} ({error.strerror}): choose another one.") from error
    try:
        _write(scratch, seed)
        for path in (paths.scene, paths.truth, paths.readme):
            (scratch / path.name).replace(path)
            # Statistics that QGIS kept of an older scene would stretch this one wrongly.
            path.with_name(path.name + ".aux.xml").unlink(missing_ok=True)
    except OSError as error:
        raise RunError(
            f"Cannot write the sample into {target} ({error.strerror}): free disk space or choose another folder."
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return paths


def _write(folder: Path, seed: int) -> None:
    sample = scene.compose(seed)
    good = spectra.good_bands()
    write_scene(folder / "scene.tif", sample.cube, seed)
    write_truth(folder / "truth.tif", sample.truth)
    text = _README.format(
        seed=seed,
        scale=scene.REFLECTANCE_SCALE,
        rows=scene.N_ROWS,
        cols=scene.N_COLS,
        bands=spectra.N_BANDS,
        nodata=scene.NODATA,
        good=int(good.sum()),
        bad=int((~good).sum()),
        width=scene.PIXEL_WIDTH_M,
        height=scene.PIXEL_HEIGHT_M,
        targets=scene.N_TARGETS,
        pixels=int((sample.truth == 1).sum()),
        truth_nodata=scene.TRUTH_NODATA,
    )
    (folder / "README.txt").write_text(text, encoding="utf-8")
