"""The options of a run: one frozen object, checked where it enters, the same for command line, QGIS and Python."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from numbers import Integral
from pathlib import Path
from typing import Any, TypeVar

from .errors import UsageError
from .presets import PRESETS
from .scale.address import parse_scheduler
from .threshold_rule import parse_threshold

BAND_SELECTIONS = ("auto", "first", "spread", "wavelength")
SCALINGS = ("minmax", "percentile")
BACKENDS = ("auto", "numpy", "torch")
CONNECTEDNESS = (4, 8)
DEFAULT_DETECTOR = "grx"
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("float32", "bf16")

LEAST_MEMORY_BYTES = 64 << 20
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def parse_memory(text: str) -> int:
    """Return bytes for a size such as `1GiB`, `512 MB` or `2e9`; units count in powers of 1024.

    >>> parse_memory("1.5GiB")
    1610612736
    """
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:[eE][0-9]+)?)\s*([bkmgt]?)(?:i?b)?\s*", text.strip(), re.IGNORECASE)
    if not match:
        raise UsageError(f"The memory budget {text!r} is not a size: write it like 512MiB or 2GiB.")
    size = float(match[1]) * _UNITS[match[2].lower()]
    if not LEAST_MEMORY_BYTES <= size < 1 << 60:
        raise UsageError(f"The memory budget {text!r} is out of range: give at least 64MiB.")
    return int(size)


@dataclass(frozen=True)
class EnhanceOptions:
    """What `enhance` needs to know besides input and output; `ferd enhance --help` explains each by the same name."""

    model: str | None = None
    bands: str | None = None
    band_selection: str = "auto"
    scaling: str = "minmax"
    mask: str | None = None
    variable: str | None = None
    backend: str = "auto"
    device: str = "auto"
    precision: str = "float32"
    memory: str = "1GiB"
    threads: int | None = None
    overwrite: bool = False
    cog: bool = False
    scheduler: str | None = None

    def __post_init__(self) -> None:
        _check_types(self)
        _one_of("band selection", self.band_selection, BAND_SELECTIONS)
        _one_of("scaling", self.scaling, SCALINGS)
        _one_of("backend", self.backend, BACKENDS)
        _one_of("device", self.device, DEVICES)
        _one_of("precision", self.precision, PRECISIONS)
        parse_memory(self.memory)
        if self.scheduler is not None:
            parse_scheduler(self.scheduler)
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"The number of threads is {self.threads}: give 1 or more.")

    @property
    def budget_bytes(self) -> int:
        """The memory budget of the whole run."""
        return parse_memory(self.memory)

    @property
    def cache_bytes(self) -> int:
        """What of the budget GDAL's block cache may take: an eighth."""
        return self.budget_bytes // 8

    @property
    def array_bytes(self) -> int:
        """What of the budget the run's own arrays may take: all but GDAL's part."""
        return self.budget_bytes * 7 // 8

    def as_metadata(self) -> dict[str, str]:
        """Return the options that shape the result as text, for the output's metadata."""
        shaping = {k: v for k, v in asdict(self).items() if k not in _RUN_ONLY and v is not None}
        return {f"FERD_{key.upper()}": str(value) for key, value in shaping.items()}


# These change how a run goes, the form of its files, or what is written beside the raster; never the raster's values.
_RUN_ONLY = {
    "memory",
    "threads",
    "overwrite",
    "cog",
    "device",
    "scheduler",
    "mask_out",
    "polygons",
    "connectedness",
    "min_pixels",
}
# These say what the model gets; a run without a model would ignore them.
_FEN_ONLY = ("model", "band_selection", "scaling")
_DETECTOR_OPTIONS = ("block", "components", "covariance", "mean", "inner", "outer")


@dataclass(frozen=True)
class DetectOptions(EnhanceOptions):
    """What `detect` needs to know besides input and output.

    With a preset, the detector and its options become what the preset sets; giving others beside it is refused.
    """

    preset: str | None = None
    detector: str = DEFAULT_DETECTOR
    enhance: bool = True
    block: int | None = None
    components: str | None = None
    covariance: str | None = None
    mean: str | None = None
    inner: int | None = None
    outer: int | None = None
    background: str | None = None
    background_of: str | None = None
    threshold: str | None = None
    mask_out: str | None = None
    polygons: str | None = None
    connectedness: int = 8
    min_pixels: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.preset is not None:
            self._take_preset(self.preset)
        if not self.enhance:
            for name in _FEN_ONLY:
                value = getattr(self, name)
                if value != getattr(EnhanceOptions, name):
                    raise UsageError(
                        f"The {name.replace('_', ' ')} {value!r} is of no use without enhancement: drop one of the two "
                        "options."
                    )
        if self.background_of is not None and self.background is not None:
            raise UsageError("The background is either of pixels of the image or of several rasters: drop one of them.")
        self._check_threshold()

    def _take_preset(self, name: str) -> None:
        _one_of("preset", name, tuple(PRESETS))
        settings = PRESETS[name].settings
        for option in ("detector", *_DETECTOR_OPTIONS):
            value, wanted = getattr(self, option), settings.get(option)
            if value not in (getattr(DetectOptions, option), wanted):
                raise _beside_preset(name, option, value)
            # The way to set a field of a frozen dataclass while it is being made.
            object.__setattr__(self, option, wanted)

    def _check_threshold(self) -> None:
        if self.threshold is not None:
            parse_threshold(self.threshold)
        elif self.mask_out is not None or self.polygons is not None:
            given = "mask" if self.polygons is None else "polygons"
            raise UsageError(f"The {given} cannot be made without a threshold: give one, such as percentile:99.")
        if self.connectedness not in CONNECTEDNESS:
            raise UsageError(f"The connectedness is {self.connectedness}: give 4 or 8 neighbours.")
        if self.min_pixels < 1:
            raise UsageError(f"The smallest object has {self.min_pixels} pixels: give 1 or more.")
        if self.polygons is None and (self.connectedness, self.min_pixels) != (8, 1):
            raise UsageError("Connectedness and smallest object are of no use without polygons: name their file.")

    def detector_options(self) -> dict[str, Any]:
        """Return the options meant for the detector, as far as they were given."""
        given = {name: getattr(self, name) for name in _DETECTOR_OPTIONS}
        return {name: value for name, value in given.items() if value is not None}


_Options = TypeVar("_Options", bound=EnhanceOptions)


def build_options(kind: type[_Options], options: _Options | None, changes: dict[str, Any]) -> _Options:
    """Return `options` with `changes`, or options made of `changes` alone; an unknown name is a `UsageError`."""
    known = {field.name for field in fields(kind)}
    for name in changes:
        if name not in known:
            raise UsageError(f"There is no option {name!r}: the options are {', '.join(sorted(known))}.")
    values: dict[str, Any] = {} if options is None else {f.name: getattr(options, f.name) for f in fields(options)}
    preset = PRESETS.get(str(changes.get("preset")))
    # The finished object could not tell the default detector from one that was asked for.
    if preset is not None and changes.get("detector", preset.settings["detector"]) != preset.settings["detector"]:
        raise _beside_preset(changes["preset"], "detector", changes["detector"])
    values.update({name: str(value) if isinstance(value, Path) else value for name, value in changes.items()})
    if isinstance(values.get("memory"), int):
        values["memory"] = str(values["memory"])
    return kind(**values)


def _beside_preset(preset: str, option: str, value: object) -> UsageError:
    return UsageError(
        f"The preset {preset} sets the detector and its options, so {option} {value!r} has no place beside it: drop "
        "one of the two."
    )


# For each annotation that an option may have: the classes of its values, and how an error calls them.
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "str": ((str,), "text"),
    "str | None": ((str, type(None)), "text"),
    "int | None": ((Integral, type(None)), "a whole number"),
    "int": ((Integral,), "a whole number"),
    "bool": ((bool,), "True or False"),
}


def _check_types(options: EnhanceOptions) -> None:
    """Refuse values that only Python callers can give, such as a list of bands."""
    for field in fields(options):
        value = getattr(options, field.name)
        classes, words = _TYPES[str(field.type)]
        if not isinstance(value, classes) or (isinstance(value, bool) and bool not in classes):
            raise UsageError(f"The option {field.name} is {value!r}: give {words}.")


def _one_of(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"The {what} {value!r} does not exist: choose one of {', '.join(known)}.")
