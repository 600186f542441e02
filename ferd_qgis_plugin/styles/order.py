"""The results of one run in the order in which a map is read: polygons above the mask above the scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from qgis.core import QgsProcessingLayerPostProcessorInterface

if TYPE_CHECKING:
    from qgis.core import QgsLayerTreeNode, QgsMapLayer, QgsProcessingContext, QgsProcessingFeedback


@dataclass(frozen=True)
class About:
    """What a result's layer says of itself in its properties: what it is, and how it was made."""

    abstract: str
    history: tuple[str, ...]


class ResultStyle(QgsProcessingLayerPostProcessorInterface):
    """Styles and describes one result; those of lower `RANK` lie above those of a higher one."""

    RANK: int

    def __init__(self, about: About) -> None:
        super().__init__()
        self._about = about

    def style(self, layer: QgsMapLayer) -> None:
        """Choose how the layer looks."""
        raise NotImplementedError

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        self.style(layer)
        describe(layer, self._about)
        put_in_order(layer, context)


def describe(layer: QgsMapLayer, about: About) -> None:
    """Fill the layer's metadata, which QGIS shows in its properties and saves with the project."""
    metadata = layer.metadata()
    metadata.setType("dataset")
    metadata.setTitle(layer.name())
    metadata.setAbstract(about.abstract)
    metadata.setHistory(list(about.history))
    metadata.setCrs(layer.crs())
    layer.setMetadata(metadata)


def put_in_order(layer: QgsMapLayer, context: QgsProcessingContext) -> None:
    """Put the results of a run that lie in the same group as `layer` in order, as far as they are loaded.

    QGIS 3.22 loads results by the names of their files and calls this after each; later ones load all of them before.
    What lies between them, and all else in the project, stays where it is.
    """
    ranks = _ranks(context)
    project = context.project()
    node = None if project is None else project.layerTreeRoot().findLayer(layer.id())
    if node is None:
        return
    group = node.parent()
    nodes = group.children()
    places = [place for place, child in enumerate(nodes) if _path(child) in ranks]
    wanted = sorted(places, key=lambda place: ranks[_path(nodes[place])])
    if wanted == places:
        return
    # A layer leaves the project with its last node, so all copies are put in before the old nodes are removed.
    copies = [nodes[origin].clone() for origin in wanted]
    unfolded = [nodes[origin].isExpanded() for origin in wanted]
    for place, copy in zip(reversed(places), reversed(copies)):
        group.insertChildNode(place, copy)
    for place in places:
        group.removeChildNode(nodes[place])
    # The view folds a node that is put in, and unfolds it only where its state changes.
    for copy, is_unfolded in zip(copies, unfolded):
        copy.setExpanded(not is_unfolded)
        copy.setExpanded(is_unfolded)


def _ranks(context: QgsProcessingContext) -> dict[Path, int]:
    """Return the rank of each of FERD's results, by its file."""
    found = {}
    for path, details in context.layersToLoadOnCompletion().items():
        style = details.postProcessor()
        if isinstance(style, ResultStyle):
            found[Path(path)] = style.RANK
    return found


def _path(node: QgsLayerTreeNode) -> Path | None:
    layer = getattr(node, "layer", lambda: None)()
    # In a vector layer's source, the name of the layer follows the file: file.gpkg|layername=objects.
    return None if layer is None else Path(layer.source().split("|")[0])
