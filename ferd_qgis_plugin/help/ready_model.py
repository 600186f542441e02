"""The texts of the ready model. Its file holds them in English; here they are in the language of QGIS."""

from __future__ import annotations

from qgis.PyQt.QtCore import QCoreApplication

translate = QCoreApplication.translate


def model_title() -> str:
    """Return the model's name in the Toolbox."""
    return translate("FERD", "From Scene to Anomaly Polygons")


def model_group() -> str:
    """Return the group of ready models in the Toolbox."""
    return translate("FERD", "Workflows")


def model_labels() -> dict[str, str]:
    """Return the dialog's words for the parameters, by name."""
    return {
        "INPUT": translate("FERD", "Hyperspectral raster"),
        "MODEL": translate("FERD", "FEN model"),
        "DETECTOR": translate("FERD", "Detector"),
        "PRESET": translate("FERD", "Preset, in place of a detector"),
        "THRESHOLD": translate("FERD", "Threshold"),
        "detect:SCORES": translate("FERD", "Anomaly score"),
        "threshold:POLYGONS": translate("FERD", "Anomaly polygons"),
    }


def model_texts() -> dict[str, str]:
    """Return the help, by the keys of QGIS's models and the names of the parameters."""
    return {
        "ALG_DESC": translate(
            "FERD",
            "Enhances a hyperspectral raster with the Feature Enhancement Network, scores every pixel with a "
            "detector of the RX family, and draws the pixels above a threshold as polygons with their largest score "
            "and mean spectrum.",
        ),
        "SHORT_DESCRIPTION": translate(
            "FERD", "Enhances a hyperspectral raster, detects anomalies and draws them as polygons."
        ),
        "INPUT": translate("FERD", "A raster file with many spectral bands."),
        "MODEL": translate("FERD", "The FEN model: auto, a name, or a folder."),
        "DETECTOR": translate(
            "FERD",
            "grx: one background for the whole scene. slrx: blocks, their neighbours and the scene. lrx, crd, qlrx: "
            "the ring around each pixel. aed: small bright or dark objects. utd, rxd-utd: ENVI's, weak. fusion takes "
            "the raw bands too: see RX Anomaly Detection.",
        ),
        "PRESET": translate(
            "FERD",
            "A setting that is fixed for all scenes: fast (global RX) or balanced (global RX without the farthest "
            "pixels). Not set: the detector above. best takes the raw bands too: see RX Anomaly Detection.",
        ),
        "THRESHOLD": translate("FERD", "What scores must exceed: percentile:P, count:N, value:V, pareto:R or chi2:P."),
        "detect:SCORES": translate("FERD", "The anomaly score, one Float32 band."),
        "threshold:POLYGONS": translate("FERD", "The objects above the threshold, .gpkg or .geojson."),
        "HELP_CREATOR": translate("FERD", "FERD for QGIS contributors"),
    }
