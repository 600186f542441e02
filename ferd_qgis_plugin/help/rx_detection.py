"""The texts of RX Anomaly Detection."""

from __future__ import annotations

from qgis.PyQt.QtCore import QCoreApplication

from .page import AlgorithmHelp
from .shared import advanced_help, decision_help, decision_output_help, input_help, model_help, paper

translate = QCoreApplication.translate


def rx_help() -> AlgorithmHelp:
    """Return the texts of RX Anomaly Detection."""
    return AlgorithmHelp(
        title=translate("FERD", "RX Anomaly Detection"),
        group=translate("FERD", "Anomaly detection"),
        group_id="anomalydetection",
        summary=translate("FERD", "Scores how little each pixel's spectrum belongs to its background."),
        description=[
            translate(
                "FERD",
                "Gives every pixel of a hyperspectral raster an anomaly score: the higher, the less its spectrum "
                "belongs to the background. By default the raster is first enhanced with the Feature Enhancement "
                "Network (FEN).",
            ),
            translate(
                "FERD",
                "<b>grx</b>, global RX: (x − μ)<sup>T</sup> Σ<sup>−1</sup> (x − μ), the squared Mahalanobis distance "
                "of a pixel x to the mean μ and covariance Σ of all valid pixels. One background for the whole scene; "
                "the right first choice.",
            ),
            translate(
                "FERD",
                "<b>slrx</b>, fixed-patch local RX: d<sub>1</sub> d<sub>2</sub> d<sub>3</sub>, the product of three "
                "distances d = √((x − μ)<sup>T</sup> (Σ + 10<sup>−6</sup> I)<sup>−1</sup> (x − μ)), each scaled to "
                "0-1: to the pixel's own block, to the up to eight blocks around it, and to the whole scene. For "
                "scenes whose background changes from place to place.",
            ),
            translate(
                "FERD",
                "<b>lrx</b>, dual-window local RX: the distance of grx to the mean and covariance of the ring between "
                "an inner and an outer window around the pixel. <b>crd</b>, collaborative representation: "
                "|x − Xw|, the length of what the pixels X of that ring cannot represent with weights w = "
                "(X<sup>T</sup>X + 10<sup>−6</sup> Γ<sup>2</sup>)<sup>−1</sup> X<sup>T</sup>x, which Γ keeps small "
                "for pixels unlike x. For small objects on changing backgrounds; slower.",
            ),
            translate(
                "FERD",
                "<b>qlrx</b>, quasi-local RX: the sum of (e<sup>T</sup>(x − μ))<sup>2</sup> / v over the principal "
                "directions e of the whole scene, mean μ and variance v along them of the ring; much faster than lrx. "
                "<b>utd</b>, (1 − μ)<sup>T</sup> Σ<sup>−1</sup> (x − μ), and <b>rxd-utd</b>, grx less utd, are ENVI's "
                "relatives of RX with a spectrum of ones, weak, for comparison.",
            ),
            translate(
                "FERD",
                "<b>aed</b>, attribute and edge-preserving filters: the sum over the leading principal components f, "
                "in standard deviations, of (f − opening) + (closing − f) by area, averaged within the edges of the "
                "components. For small bright or dark objects on the raw bands (Enhance off), in little time; blind "
                "to what is larger than its size limit or stands out in other components.",
            ),
            translate(
                "FERD",
                "<b>fusion</b>: the sum of the logarithms of several detectors' scores, on the raw and on the enhanced "
                "bands. The most reliable where no single detector is known to suit the scene; the slowest. It is what "
                "the preset best takes.",
            ),
            translate(
                "FERD",
                "Cost, in floating-point operations per pixel of B bands: grx and rxd-utd 2 B<sup>2</sup>, utd "
                "B<sup>2</sup>, qlrx 3 B<sup>2</sup> + 30 B; slrx with blocks of m pixels 27 m B + 245 m<sup>2</sup> "
                "while 8 m ≤ B, else 5 B<sup>2</sup> + B<sup>3</sup> / m; lrx B<sup>3</sup> / 3 and some 10 to 20 "
                "B<sup>2</sup>; crd 16 outer<sup>2</sup> B + n<sup>3</sup> / 3 for n pixels in the ring; aed "
                "B<sup>2</sup> and some microseconds; fusion that of its components. FEN takes 500,000 to 700,000.",
            ),
            translate(
                "FERD",
                "A threshold turns scores into decisions: a mask raster, and polygons of connected pixels with their "
                "number of pixels, area, largest and mean score, peak and mean spectrum.",
            ),
            translate(
                "FERD",
                "Nodata pixels, NaN, masked pixels and bad bands take part in no statistic; they are nodata in the "
                "score. The score has no unit: rank and compare it within one scene only.",
            ),
        ],
        references=[
            paper(),
            "Reed, I. S., Yu, X.: Adaptive multiple-band CFAR detection of an optical pattern with unknown spectral "
            "distribution. IEEE Transactions on Acoustics, Speech, and Signal Processing 38 (1990), 1760-1770. "
            '<a href="https://doi.org/10.1109/29.60107">doi:10.1109/29.60107</a>',
            "Li, W., Du, Q.: Collaborative representation for hyperspectral anomaly detection. IEEE Transactions on "
            "Geoscience and Remote Sensing 53 (2015), 1463-1474. "
            '<a href="https://doi.org/10.1109/TGRS.2014.2343955">doi:10.1109/TGRS.2014.2343955</a> (crd)',
            "Caefer, C. E., Silverman, J., Orthal, O., Antonelli, D., Sharoni, Y., Rotman, S. R.: Improved covariance "
            "matrices for point target detection in hyperspectral data. Optical Engineering 47 (2008), 076402. "
            '<a href="https://doi.org/10.1117/1.2965814">doi:10.1117/1.2965814</a> (qlrx)',
            "Kang, X., Zhang, X., Li, S., Li, K., Li, J., Benediktsson, J. A.: Hyperspectral anomaly detection with "
            "attribute and edge-preserving filters. IEEE Transactions on Geoscience and Remote Sensing 55 (2017), "
            '5600-5611. <a href="https://doi.org/10.1109/TGRS.2017.2710145">doi:10.1109/TGRS.2017.2710145</a> (aed)',
            "Chang, C.-I, Chiang, S.-S.: Anomaly detection and classification for hyperspectral imagery. IEEE "
            "Transactions on Geoscience and Remote Sensing 40 (2002), 1314-1325. "
            '<a href="https://doi.org/10.1109/TGRS.2002.800280">doi:10.1109/TGRS.2002.800280</a> (utd)',
            "Kittler, J., Hatef, M., Duin, R. P. W., Matas, J.: On combining classifiers. IEEE Transactions on Pattern "
            "Analysis and Machine Intelligence 20 (1998), 226-239. "
            '<a href="https://doi.org/10.1109/34.667881">doi:10.1109/34.667881</a> (fusion)',
            "Ledoit, O., Wolf, M.: A well-conditioned estimator for large-dimensional covariance matrices. Journal of "
            "Multivariate Analysis 88 (2004), 365-411. "
            '<a href="https://doi.org/10.1016/S0047-259X(03)00096-4">doi:10.1016/S0047-259X(03)00096-4</a> '
            "(ledoit-wolf)",
            "Chen, Y., Wiesel, A., Eldar, Y. C., Hero, A. O.: Shrinkage algorithms for MMSE covariance estimation. "
            "IEEE Transactions on Signal Processing 58 (2010), 5016-5029. "
            '<a href="https://doi.org/10.1109/TSP.2010.2053029">doi:10.1109/TSP.2010.2053029</a> (oas)',
        ],
        pages=[(translate("FERD", "Detectors, covariances, thresholds"), "detectors.md")],
        tags=["hyperspectral", "anomaly", "target detection", "RX", "Reed-Xiaoli", "Mahalanobis", "FERD", "EnMAP"],
        parameters={
            **input_help(),
            "DETECTOR": translate(
                "FERD",
                "The detector: grx (one background for the whole scene), slrx (blocks, their neighbours and the "
                "scene), lrx (the ring around each pixel; slower), crd (what the ring cannot represent; slower), "
                "qlrx (the ring's variances in the scene's directions; fast), aed (small bright or dark objects; fast) "
                "or fusion (the sum of the log scores of several detectors, on raw and enhanced bands). utd and "
                "rxd-utd: ENVI's, weak.",
            ),
            "PRESET": translate(
                "FERD",
                "A setting that is fixed for all scenes, in place of a detector and its options: fast (global RX), "
                "balanced (global RX without the farthest pixels) or best (global and local RX on both, and "
                "small objects; slow). Not set: the detector above.",
            ),
            "ENHANCE": translate(
                "FERD",
                "Enhance the bands with FEN before detection. Off: the detector sees the raw bands, which is much "
                "faster and usually less sharp.",
            ),
            **model_help(),
            **decision_help(),
            **advanced_help(),
            "BACKGROUND": translate(
                "FERD",
                "Not for slrx and crd: mean and covariance come from these pixels alone, and every valid pixel "
                "still gets a score. A raster on the input's grid, where it is not 0, or polygons in any projection.",
            ),
            "BLOCK": translate(
                "FERD",
                "Side of the blocks of slrx in pixels. Empty: the number of rows divided by 25, at least what the "
                "statistics need. Only for slrx.",
            ),
            "COVARIANCE": translate(
                "FERD",
                "How the covariance is estimated. grx: empirical (default), ledoit-wolf, oas, pca:K (K components) or "
                "trimmed:P (without the P per cent farthest pixels). lrx: ledoit-wolf (default), oas, empirical or "
                "pca:K. aed: pca:K alone, by default pca:3. Empty: the detector's default; the other detectors have "
                "none.",
            ),
            "COMPONENTS": translate(
                "FERD",
                "Only for fusion: what is summed, as CUBE:DETECTOR or CUBE:DETECTOR:COVARIANCE, separated by commas; "
                "each CUBE is raw or fen (enhanced).",
            ),
            "MEAN": translate(
                "FERD",
                "Only for grx: global (default), or local, the mean of the window around each pixel, for brightness "
                "that drifts over the image.",
            ),
            "INNER": translate(
                "FERD",
                "For lrx, crd and qlrx: side of the inner window, which must hold the objects sought and takes no "
                "part in the background; odd; empty: 11. For aed: objects have fewer pixels than its square; empty: 5.",
            ),
            "OUTER": translate(
                "FERD",
                "Side of the outer window of lrx, crd and qlrx, or of the window of grx with local mean. Odd; empty: "
                "chosen by the detector.",
            ),
            "OUTPUT": translate(
                "FERD",
                "The score raster (one Float32 band) on the input's grid and projection. GeoTIFF (.tif) or ENVI "
                "(.bsq, .img).",
            ),
            **decision_output_help(),
        },
    )
