"""The texts of Evaluate Scores."""

from __future__ import annotations

from qgis.PyQt.QtCore import QCoreApplication

from .page import AlgorithmHelp

translate = QCoreApplication.translate


def evaluate_help() -> AlgorithmHelp:
    """Return the texts of Evaluate Scores."""
    return AlgorithmHelp(
        title=translate("FERD", "Evaluate Scores"),
        group=translate("FERD", "Anomaly detection"),
        group_id="anomalydetection",
        summary=translate("FERD", "Measures how well a score raster tells known anomalies from background."),
        description=[
            translate(
                "FERD",
                "Compares a score raster with a truth, pixel by pixel: the area under the ROC curve, AUC = "
                "P(s<sub>a</sub> &gt; s<sub>b</sub>) + ½ P(s<sub>a</sub> = s<sub>b</sub>), the probability that the "
                "score of an anomaly is higher than that of a background pixel, ties counted half; the average "
                "precision Σ (R<sub>i</sub> − R<sub>i−1</sub>) P<sub>i</sub> over recall R and precision P; and the "
                "share of anomalies that are found at false-alarm rates of 0.0001, 0.001 and 0.01.",
            ),
            translate("FERD", "Pixels without a score or without a truth are left out. The numbers stand in the log."),
        ],
        references=[
            "Fawcett, T.: An introduction to ROC analysis. Pattern Recognition Letters 27 (2006), 861-874. "
            '<a href="https://doi.org/10.1016/j.patrec.2005.10.010">doi:10.1016/j.patrec.2005.10.010</a>',
        ],
        pages=[(translate("FERD", "Accuracy on real scenes"), "accuracy.md")],
        tags=["hyperspectral", "anomaly", "ROC", "AUC", "accuracy", "evaluation", "FERD"],
        parameters={
            "INPUT": translate("FERD", "A raster of one band: the higher the value, the more anomalous the pixel."),
            "TRUTH": translate(
                "FERD", "A raster of the same size: above 0 is an anomaly, 0 is background, nodata is left out."
            ),
            "TARGETS": translate(
                "FERD",
                "In place of a raster: polygons around the anomalies, in any projection. Pixels whose centre lies in "
                "one are anomalies, all others background.",
            ),
            "REPORT": translate(
                "FERD",
                "A page (.html, all in one file) with the ROC curve, the separation of the scores, a map of what is "
                "found and missed, and all figures with their formulas.",
            ),
        },
    )
