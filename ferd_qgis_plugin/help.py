"""The texts of the dialogs: what each algorithm and each parameter is for."""

from __future__ import annotations

from dataclasses import dataclass, field

from qgis.PyQt.QtCore import QCoreApplication

translate = QCoreApplication.translate

HELP_URL = "https://github.com/ferd-qgis/ferd-qgis/blob/main/docs/qgis.md"


@dataclass(frozen=True)
class AlgorithmHelp:
    """All texts of one algorithm; `parameters` has one entry for each parameter name, in the order of the dialog."""

    title: str
    group: str
    group_id: str
    summary: str
    description: list[str]
    references: list[str]
    tags: list[str] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)

    def html(self, labels: dict[str, str]) -> str:
        """Return the text beside the dialog; `labels` are the dialog's words for the parameters, by name."""
        blocks = [f"<p>{text}</p>" for text in self.description]
        blocks.append(f"<h3>{translate('FERD', 'Parameters')}</h3>")
        blocks += [f"<p><b>{labels[name]}</b>: {text}</p>" for name, text in self.parameters.items()]
        blocks.append(f"<h3>{translate('FERD', 'References')}</h3>")
        blocks += [f"<p>{text}</p>" for text in self.references]
        blocks.append(f'<p><a href="{HELP_URL}">{translate("FERD", "Documentation")}</a></p>')
        return "\n".join(blocks)


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
                "FEN is a convolutional network with a receptive field of 3 pixels on each side. It runs in NumPy "
                "inside QGIS: nothing has to be installed.",
            ),
        ],
        references=[_paper()],
        tags=["hyperspectral", "anomaly", "feature enhancement", "FERD", "FEN", "imaging spectroscopy", "EnMAP"],
        parameters={**_input_help(), **_model_help(), **_advanced_help(), "OUTPUT": _enhanced_output()},
    )


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
                "<b>slrx</b>, segmented local RX: the product of three distances, each scaled to 0-1: to the pixel's "
                "own block, to the up to eight blocks around it, and to the whole scene. For scenes whose background "
                "changes from place to place.",
            ),
            translate(
                "FERD",
                "Nodata pixels, NaN, masked pixels and bad bands take part in no statistic; they are nodata in the "
                "score. The score has no unit: rank and compare it within one scene only.",
            ),
        ],
        references=[
            _paper(),
            "Reed, I. S., Yu, X.: Adaptive multiple-band CFAR detection of an optical pattern with unknown spectral "
            "distribution. IEEE Transactions on Acoustics, Speech, and Signal Processing 38 (1990), 1760-1770. "
            '<a href="https://doi.org/10.1109/29.60107">doi:10.1109/29.60107</a>',
        ],
        tags=["hyperspectral", "anomaly", "target detection", "RX", "Reed-Xiaoli", "Mahalanobis", "FERD", "EnMAP"],
        parameters={
            **_input_help(),
            "DETECTOR": translate(
                "FERD",
                "The detector: grx (one background for the whole scene), slrx (blocks, their neighbours and the "
                "scene), lrx (the ring around each pixel; slower) or crd (what the ring cannot represent; slower).",
            ),
            "ENHANCE": translate(
                "FERD",
                "Enhance the bands with FEN before detection. Off: the detector sees the raw bands, which is much "
                "faster and usually less sharp.",
            ),
            **_model_help(),
            **_advanced_help(),
            "BLOCK": translate(
                "FERD",
                "Side of the blocks of slrx in pixels. Empty: the number of rows divided by 25, at least what the "
                "statistics need. Only for slrx.",
            ),
            "OUTPUT": translate(
                "FERD",
                "The score raster (one Float32 band) on the input's grid and projection. GeoTIFF (.tif) or ENVI "
                "(.bsq, .img).",
            ),
        },
    )


def _input_help() -> dict[str, str]:
    return {
        "INPUT": translate(
            "FERD",
            "A raster file with many spectral bands. Wavelengths, bad bands and nodata are read from its metadata. "
            "Web services (WMS, WCS, XYZ) cannot be used.",
        )
    }


def _model_help() -> dict[str, str]:
    return {
        "MODEL": translate(
            "FERD",
            "The FEN model: auto (the largest model that the usable bands suffice for), the name of a model, or a "
            "folder that holds model.json and weights.safetensors.",
        ),
        "BANDS": translate(
            "FERD",
            "Bands to choose from, as numbers and ranges counted from 1, such as 1-50,60. Empty: all. Bad bands are "
            "dropped in either case.",
        ),
    }


def _advanced_help() -> dict[str, str]:
    return {
        "BAND_SELECTION": translate(
            "FERD",
            "How the model's number of bands is picked from the usable ones: first, spread (evenly spaced), "
            "wavelength (nearest to the model's wavelengths), or auto (wavelength where both are known, else what the "
            "model names).",
        ),
        "SCALING": translate(
            "FERD",
            "Range that is scaled for FEN: minmax (minimum and maximum of all valid values) or percentile (0.01 and "
            "99.99 percentiles, for scenes with a few extreme values).",
        ),
        "MASK": translate(
            "FERD",
            "A raster of the same size; pixels that are 0 or nodata in it are left out of the statistics and are "
            "nodata in the result.",
        ),
        "MEMORY": translate(
            "FERD",
            "How much memory the run may take for its arrays, in MiB. Less memory means smaller blocks and more "
            "scratch disk; the result is the same.",
        ),
    }


def _enhanced_output() -> str:
    return translate(
        "FERD",
        "The enhanced raster (Float32, as many bands as the model) on the input's grid and projection. GeoTIFF (.tif) "
        "or ENVI (.bsq, .img).",
    )


def _paper() -> str:
    return (
        "Jin, X., Dang, F., Zhu, X.: Feature Enhancement with Reverse Distillation for Hyperspectral Anomaly "
        "Detection. IEEE Geoscience and Remote Sensing Letters (2024). <a "
        'href="https://doi.org/10.1109/LGRS.2024.3456178">doi:10.1109/LGRS.2024.3456178</a>'
    )
