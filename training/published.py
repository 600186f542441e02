"""Figures that others published, to stand beside ours: ROC AUC."""

from __future__ import annotations

# HAD100, mean over the test images of AVIRIS-NG, by number of bands. FERD: Jin, Dang, Zhu 2024, whose epochs were
# chosen by the test labels; AETNet: Li et al. 2023; FERS: Jin et al. 2025.
HAD100: dict[int, dict[str, float]] = {
    50: {"GRX": 0.9799, "AETNet": 0.9925, "FERD": 0.9941, "FERS": 0.9953},
    100: {"GRX": 0.9714, "AETNet": 0.9875, "FERD": 0.9901, "FERS": 0.9910},
    200: {"GRX": 0.9649, "AETNet": 0.9818, "FERD": 0.9890, "FERS": 0.9902},
}

# The first 200 bands, FERD's AVIRIS model; SLRX with 25 blocks a side (Jin, Dang, Zhu 2024).
SCENES: dict[str, dict[str, float]] = {
    "abu-airport-1": {"GRX": 0.8248, "FEN + GRX": 0.9478, "SLRX": 0.9471, "FEN + SLRX": 0.9653},
    "abu-airport-2": {"GRX": 0.8433, "FEN + GRX": 0.9861, "SLRX": 0.9527, "FEN + SLRX": 0.9869},
}
