"""Texts that several algorithms share."""

from __future__ import annotations

from qgis.PyQt.QtCore import QCoreApplication

translate = QCoreApplication.translate


def input_help() -> dict[str, str]:
    """Return the texts of the input, by parameter."""
    return {
        "INPUT": translate(
            "FERD",
            "A raster file with many spectral bands. Wavelengths, bad bands and nodata are read from its metadata. "
            "Web services (WMS, WCS, XYZ) cannot be used.",
        )
    }


def model_help() -> dict[str, str]:
    """Return the texts of model and bands, by parameter."""
    return {
        "MODEL": translate(
            "FERD",
            "The FEN model: auto (the largest model that the usable bands suffice for), the name of a model, or a "
            "folder that holds model.json and weights.safetensors.",
        ),
        "BANDS": translate(
            "FERD",
            "Bands to choose from: numbers and ranges counted from 1, such as 1-50,60, or wavelengths with their unit, "
            "such as 400-1300nm, 1.5-1.75um; both may be mixed. Empty: all. Bad bands are dropped in either case.",
        ),
    }


def advanced_help() -> dict[str, str]:
    """Return the texts of the advanced parameters, by parameter."""
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
        "REGION": translate(
            "FERD",
            "A layer of polygons, in any projection: only pixels whose centre lies in one of them take part, all "
            "others are nodata in the result. With a mask too, both hold. Selected features alone can be used.",
        ),
        "MEMORY": translate(
            "FERD",
            "How much memory the run may take for its arrays, in MiB. Less memory means smaller blocks and more "
            "scratch disk; the result is the same.",
        ),
        "BACKEND": translate(
            "FERD",
            "What runs FEN: numpy, inside QGIS; torch, the PyTorch worker, another Python that is set up in Settings, "
            "Options, FERD; or auto, the worker where there is one, else numpy. Results agree to 1e-4 of the largest "
            "value.",
        ),
        "DEVICE": translate(
            "FERD",
            "Where PyTorch computes: auto (a graphics card that CUDA knows, where there is one), cpu or cuda. Only for "
            "the PyTorch worker.",
        ),
    }


def decision_help() -> dict[str, str]:
    """Return the texts of threshold and objects, by parameter."""
    return {
        "THRESHOLD": translate(
            "FERD",
            "What scores must exceed: percentile:P (P per cent of the scores lie below), count:N (the N highest "
            "pixels), value:V (the score V), pareto:R (a false-alarm rate, by a fit to the upper tail) or chi2:P (the "
            "quantile P of normal background; grx and lrx without shrinkage). Empty: percentile:99.5 where a mask or "
            "polygons are asked for.",
        ),
        "CONNECTEDNESS": translate(
            "FERD",
            "Pixels that touch at a side (4), or at a side or a corner (8), belong to one object. Only for the "
            "polygons.",
        ),
        "MIN_PIXELS": translate("FERD", "Objects of fewer pixels are left out of the polygons."),
    }


def decision_output_help() -> dict[str, str]:
    """Return the texts of mask and polygons, by parameter."""
    return {
        "MASK_OUT": translate(
            "FERD",
            "A raster with 1 above the threshold, 0 not above it and 255 as nodata. GeoTIFF (.tif) or ENVI (.bsq, "
            ".img).",
        ),
        "POLYGONS": translate(
            "FERD",
            "The objects above the threshold as GeoPackage (.gpkg) or GeoJSON (.geojson), with the attributes id (fid "
            "in a GeoPackage), pixels, area (in squared map units), max_score, mean_score, peak_row and peak_col "
            "(counted from 0), peak_x, peak_y and mean_spectrum.",
        ),
    }


def enhanced_output() -> str:
    """Return the text of the enhanced raster."""
    return translate(
        "FERD",
        "The enhanced raster (Float32, as many bands as the model) on the input's grid and projection. GeoTIFF (.tif) "
        "or ENVI (.bsq, .img).",
    )


def paper() -> str:
    """Return the reference of FEN."""
    return (
        "Jin, X., Dang, F., Zhu, X.: Feature Enhancement with Reverse Distillation for Hyperspectral Anomaly "
        "Detection. IEEE Geoscience and Remote Sensing Letters (2024). <a "
        'href="https://doi.org/10.1109/LGRS.2024.3456178">doi:10.1109/LGRS.2024.3456178</a>'
    )
