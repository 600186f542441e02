"""The texts of FEN Enhance."""

from __future__ import annotations

from qgis.PyQt.QtCore import QCoreApplication

from .page import AlgorithmHelp
from .shared import advanced_help, enhanced_output, input_help, model_help, paper

translate = QCoreApplication.translate


def fen_help() -> AlgorithmHelp:
    """Return the texts of FEN Enhance."""
    return AlgorithmHelp(
        title=translate("FERD", "FEN Enhance"),
        group=translate("FERD", "Feature enhancement"),
        group_id="featureenhancement",
        summary=translate(
            "FERD", "Enhances the background of a hyperspectral raster with the Feature Enhancement Network."
        ),
        description=[
            translate(
                "FERD",
                "Runs the Feature Enhancement Network (FEN) over a hyperspectral raster. The result has as many bands "
                "as the model and lies on the input's grid; anomaly detectors separate targets from background better "
                "on it than on the raw bands.",
            ),
            translate(
                "FERD",
                "The result is FEN(x) + x, where x are the chosen bands scaled to −0.1 to 0.1: ((value − min) / "
                "(max − min) · 2 − 1) · 0.1, with min and max of all valid values of the scene. It has no unit.",
            ),
            translate(
                "FERD",
                "FEN is a convolutional network with a receptive field of 3 pixels on each side. It runs in NumPy "
                "inside QGIS, where nothing has to be installed, or in a PyTorch worker, which is faster and can use a "
                "graphics card.",
            ),
        ],
        references=[paper()],
        pages=[(translate("FERD", "Models"), "models.md"), (translate("FERD", "How FEN works"), "explanation/fen.md")],
        tags=["hyperspectral", "anomaly", "feature enhancement", "FERD", "FEN", "imaging spectroscopy", "EnMAP"],
        parameters={**input_help(), **model_help(), **advanced_help(), "OUTPUT": enhanced_output()},
    )
