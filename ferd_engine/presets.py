"""Three settings, fixed for all scenes: what `--preset` stands for. docs/detectors.md says how they were chosen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """The detector and its options as `DetectOptions` names them, and what the setting is, in a few words."""

    words: str
    settings: dict[str, str | int]


PRESETS: dict[str, Preset] = {
    "fast": Preset("global RX", {"detector": "grx"}),
    "balanced": Preset(
        "global RX on the raw and on the enhanced bands",
        {"detector": "fusion", "components": "raw:grx:oas,fen:grx"},
    ),
    "best": Preset(
        "global and local RX on both",
        {
            "detector": "fusion",
            "components": "raw:grx:oas,raw:lrx:pca:20,fen:grx,fen:lrx:oas",
            "inner": 11,
            "outer": 21,
        },
    ),
}
