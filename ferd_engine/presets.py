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
    "balanced": Preset("global RX without the farthest pixels", {"detector": "grx", "covariance": "trimmed:5"}),
    "best": Preset(
        "global and local RX on the raw and on the enhanced bands, and small objects",
        {
            "detector": "fusion",
            "components": "raw:grx:trimmed:5,raw:lrx:pca:40,fen:grx:trimmed:5,fen:lrx:oas,raw:aed",
            "inner": 11,
            "outer": 21,
        },
    ),
}
