"""The texts of Threshold Anomalies."""

from __future__ import annotations

from qgis.PyQt.QtCore import QCoreApplication

from .page import AlgorithmHelp
from .shared import decision_help, decision_output_help

translate = QCoreApplication.translate


def threshold_help() -> AlgorithmHelp:
    """Return the texts of Threshold Anomalies."""
    return AlgorithmHelp(
        title=translate("FERD", "Threshold Anomalies"),
        group=translate("FERD", "Anomaly detection"),
        group_id="anomalydetection",
        summary=translate("FERD", "Makes a mask and polygons of the highest scores of an anomaly score raster."),
        description=[
            translate(
                "FERD",
                "Marks the pixels whose score is above a threshold, and draws the connected ones as polygons with "
                "their number of pixels, area, largest and mean score and peak. It takes seconds, so thresholds can be "
                "tried without running the detection again.",
            ),
            translate(
                "FERD",
                "pareto:R is t + a (1 − (R / u)<sup>k</sup>) / k, where t is the 95th percentile, u the share of "
                "scores above it, and a and k are scale and shape of the generalised Pareto distribution that fits "
                "what the scores exceed t by.",
            ),
            translate(
                "FERD",
                "Any raster of one band will do. chi2:P needs a score raster of RX Anomaly Detection, in whose "
                "metadata the distribution of normal background stands.",
            ),
        ],
        references=[
            "Hosking, J. R. M., Wallis, J. R.: Parameter and quantile estimation for the generalized Pareto "
            "distribution. Technometrics 29 (1987), 339-349. "
            '<a href="https://doi.org/10.1080/00401706.1987.10488243">doi:10.1080/00401706.1987.10488243</a> '
            "(pareto:R)",
        ],
        pages=[(translate("FERD", "Detectors, covariances, thresholds"), "detectors.md")],
        tags=["hyperspectral", "anomaly", "threshold", "polygonize", "mask", "FERD"],
        parameters={
            "INPUT": translate("FERD", "A raster of one band: the higher the value, the more anomalous the pixel."),
            **decision_help(),
            "SPECTRA": translate(
                "FERD",
                "The raster that the scores were made of: each polygon gets the mean spectrum of its pixels in the "
                "attribute mean_spectrum. Empty: the attribute stays empty.",
            ),
            **decision_output_help(),
        },
    )
