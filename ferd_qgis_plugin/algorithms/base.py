"""What detection and enhancement share: checks before the run, and the run itself through the engine."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSource,
    QgsProcessingFeedback,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QCoreApplication

from ..choices import AUTO_MODEL
from ..engine import engine
from ..feedback import push_report
from ..layer_edits import has_lost_nodata
from ..regions import region_mask, to_raster
from ..runtime.interpreter import Interpreter
from ..runtime.runs import choose_python, run_engine
from ..source import UnusableLayerError, gdal_path, gdal_source
from . import parameters as p
from .algorithm import FerdAlgorithm

translate = QCoreApplication.translate


class EngineAlgorithm(FerdAlgorithm):
    """A thin Processing algorithm over one function of the engine.

    A subclass says which engine function runs with which options.
    """

    ENGINE_FUNCTION: str
    OPTIONS_CLASS: str
    # The engine's options that name a further output, by the parameter of that output.
    EXTRA_OUTPUTS: dict[str, str] = {}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self._source = ""
        self._input_path = ""
        self._options: Any = None
        self._crs: Any = None
        self._python: Interpreter | None = None

    def prepareAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        with self.sentences():
            layer = self.read_parameters(parameters, context)
        if has_lost_nodata(layer):
            feedback.pushWarning(
                translate(
                    "FERD",
                    "The no-data settings in the properties of layer '{layer}' are ranges or several values, which are "
                    "not used; that of its file is.",
                ).format(layer=layer.name())
            )
        return True

    def processAlgorithm(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        outputs = p.output_paths(self, parameters, context, (p.OUTPUT, *self.EXTRA_OUTPUTS))
        for output in outputs.values():
            if os.path.realpath(output) == os.path.realpath(self._input_path):
                raise QgsProcessingException(
                    translate("FERD", "The output {path} is the input itself: choose another name.").format(path=output)
                )
        try:
            with self.sentences():
                options = replace(
                    self._options,
                    **self.run_changes(parameters, context, feedback),
                    **{option: outputs.get(name) for name, option in self.EXTRA_OUTPUTS.items()},
                )
                report = run_engine(
                    self.ENGINE_FUNCTION, self._source, outputs[p.OUTPUT], options, self._python, feedback
                )
        except engine("errors").Cancelled:
            feedback.pushInfo(translate("FERD", "Cancelled; nothing was written."))
            return {}
        push_report(report, feedback, self.in_own_words)
        self.style_outputs(outputs, report.lines(), context)
        return outputs

    def style_outputs(self, outputs: dict[str, str], facts: list[str], context: QgsProcessingContext) -> None:
        """Choose how the results will look on the map; `facts` of the run go into their layers' metadata."""
        raise NotImplementedError

    def engine_options(self, parameters: dict[str, Any], context: QgsProcessingContext) -> dict[str, Any]:
        """Return the engine's options by name, as far as both algorithms have them."""
        model = self.parameterAsString(parameters, p.MODEL, context).strip()
        mask = p.raster_layer(self, parameters, p.MASK, context)
        return {
            "model": None if model in ("", AUTO_MODEL) else model,
            "bands": self.parameterAsString(parameters, p.BANDS, context).strip() or None,
            "band_selection": self.parameterAsEnumString(parameters, p.BAND_SELECTION, context),
            "scaling": self.parameterAsEnumString(parameters, p.SCALING, context),
            "mask": None if mask is None else gdal_source(mask),
            "memory": f"{self.parameterAsInt(parameters, p.MEMORY, context)}MiB",
            "backend": self.parameterAsEnumString(parameters, p.BACKEND, context),
            "device": self.parameterAsEnumString(parameters, p.DEVICE, context),
            # Processing asks before it overwrites a file.
            "overwrite": True,
        }

    def check_options(self, options: Any, n_bands: int) -> None:
        """Raise a `FerdError` where the options cannot work on a raster with `n_bands` bands."""
        if options.mask is not None or options.bands is not None:
            with closing(engine("raster").open_masked(self._source, None, options.mask)) as source:
                if options.bands is not None:
                    n_bands = len(engine("bands").candidates(source.bands, options.bands))
        if self.needs_model(options):
            engine("fen.store").choose_model(options.model, n_bands)

    def needs_model(self, options: Any) -> bool:
        """Say whether a run with these options enhances."""
        return True

    def run_changes(
        self, parameters: dict[str, Any], context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Any]:
        """Return the options that are settled when the run begins: the mask that MASK and REGION make together."""
        region = self.parameterAsSource(parameters, p.REGION, context)
        if region is None:
            return {}
        return {"mask": self.polygons_as_raster(region, self._options.mask, context, feedback)}

    def polygons_as_raster(
        self,
        polygons: QgsProcessingFeatureSource,
        mask: str | None,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> str:
        """Return a raster on the input's grid that is 1 in the polygons, and where the mask, if any, allows it."""
        transform = to_raster(polygons, self._crs, context.transformContext())
        return region_mask(polygons, transform, self._source, mask, feedback)

    def read_parameters(self, parameters: dict[str, Any], context: QgsProcessingContext) -> QgsRasterLayer:
        """Take over input and options; raise `UnusableLayerError` or a `FerdError` where they cannot work."""
        layer = p.raster_layer(self, parameters, p.INPUT, context)
        if layer is None:
            raise UnusableLayerError(self.invalidRasterError(parameters, p.INPUT))
        self._input_path = gdal_path(layer)
        self._source = gdal_source(layer)
        self._crs = layer.crs()
        if parameters.get(p.REGION) and self.parameterAsSource(parameters, p.REGION, context) is None:
            raise UnusableLayerError(self.invalidSourceError(parameters, p.REGION))
        options = self.engine_options(parameters, context)
        self._options = getattr(engine("options"), self.OPTIONS_CLASS)(**options)
        self.check_options(self._options, layer.bandCount())
        self._python = choose_python(self._options, enhances=self.needs_model(self._options))
        return layer
