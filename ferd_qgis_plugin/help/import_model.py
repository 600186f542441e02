"""The texts of Import FEN Model."""

from __future__ import annotations

from qgis.PyQt.QtCore import QCoreApplication

from .page import AlgorithmHelp
from .shared import paper

translate = QCoreApplication.translate


def import_help() -> AlgorithmHelp:
    """Return the texts of Import FEN Model."""
    return AlgorithmHelp(
        title=translate("FERD", "Import FEN Model"),
        group=translate("FERD", "Models"),
        group_id="models",
        summary=translate("FERD", "Installs a model of the Feature Enhancement Network, to be chosen by its name."),
        description=[
            translate(
                "FERD",
                "Takes a folder (or one of its folders) with a model of FERD (model.json, weights.safetensors), a "
                "safetensors file, the published weights (convh.pt, enc.pt, pc.pt), or the TorchScript files of a hub "
                "(cwl_script.pt, rnl_script.pt, fpl_script.pt). The model is then offered in the other algorithms.",
            ),
            translate(
                "FERD",
                "PyTorch files are read by the PyTorch worker alone, in a process of its own, after a check that they "
                "hold tensors and no code. The network built from them must give what the files' own gives on a probe; "
                "else nothing is installed.",
            ),
        ],
        references=[paper()],
        pages=[(translate("FERD", "Models"), "models.md")],
        tags=["hyperspectral", "model", "weights", "PyTorch", "safetensors", "FEN", "FERD"],
        parameters={
            "SOURCE": translate("FERD", "The folder in which the files of one model lie, at most three levels deep."),
            "NAME": translate(
                "FERD", "The name that the other algorithms will offer: letters, digits, dots, dashes, underscores."
            ),
            "REPLACE": translate("FERD", "Put the model into the place of an imported one of the same name."),
            "LICENCE": translate("FERD", "What the model's card says of the licence. Empty: not stated."),
            "SENSOR": translate("FERD", "What the model's card says of the sensor, such as AVIRIS-NG or EnMAP."),
            "WAVELENGTHS": translate(
                "FERD",
                "The centres of the bands that the model was trained on, in nanometres, as many as it has bands. With "
                "them, bands of a raster are chosen by wavelength. A model of FERD brings its own.",
            ),
        },
    )
