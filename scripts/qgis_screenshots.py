"""Install the zip in a QGIS with a window (`qgis --code`), run the dialog, take pictures; see screenshots.sh."""

from __future__ import annotations

import math
import os
import sys
import time
import traceback
from pathlib import Path

import pyplugin_installer
from processing import createAlgorithmDialog
from qgis.core import (
    Qgis,
    QgsContrastEnhancement,
    QgsMultiBandColorRenderer,
    QgsProject,
    QgsRasterLayer,
    QgsRasterMinMaxOrigin,
)
from qgis.PyQt.QtCore import QEventLoop, QModelIndex, Qt, QTimer
from qgis.PyQt.QtWidgets import QApplication, QDialogButtonBox, QDockWidget, QTreeView
from qgis.utils import iface, plugins

IMAGES = Path(os.environ["FERD_IMAGES"])
SCENE = os.environ["FERD_SCENE"]
RX = "ferd:rxanomalydetection"
# Docks that only take room in a picture.
CLOSED_DOCKS = {"Browser", "Browser2", "Overview", "MessageLog"}


def main() -> None:
    try:
        facts = tour()
        (IMAGES / "facts.txt").write_text("\n".join(facts) + "\n", encoding="utf-8")
    except Exception:  # noqa: BLE001  whatever goes wrong, the window must close and the caller must learn of it
        (IMAGES / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")
    # An empty project, so that QGIS asks nothing on the way out.
    iface.newProject()
    iface.actionExit().trigger()


def tour() -> list[str]:
    """Install, look, run, look; return what was measured."""
    window = iface.mainWindow()
    window.setGeometry(0, 0, 1440, 880)
    window.showMaximized()
    pause(1.0)
    for dock in window.findChildren(QDockWidget):
        if dock.objectName() in CLOSED_DOCKS:
            dock.hide()
    started = time.monotonic()
    pyplugin_installer.instance().installFromZipFile(os.environ["FERD_ZIP"])
    installed = time.monotonic() - started
    if "ferd_qgis_plugin" not in plugins:
        raise RuntimeError("the plugin manager did not start the plugin")
    iface.messageBar().clearWidgets()

    started = time.monotonic()
    layer = load_scene()
    loaded = time.monotonic() - started
    toolbox = show_toolbox()
    picture("qgis-toolbox")

    started = time.monotonic()
    outputs = dict.fromkeys(("OUTPUT", "MASK_OUT", "POLYGONS"), "TEMPORARY_OUTPUT")
    dialog = createAlgorithmDialog(
        RX, {"INPUT": layer.id(), "THRESHOLD": "percentile:99.9", "MIN_PIXELS": 2, **outputs}
    )
    dialog.resize(1000, 640)
    dialog.show()
    QApplication.processEvents()
    opened = time.monotonic() - started
    place(dialog)
    picture("qgis-dialog")

    started = time.monotonic()
    layers = set(QgsProject.instance().mapLayers())
    run_button(dialog).click()
    wait(lambda: len(QgsProject.instance().mapLayers()) >= len(layers) + 3, "the results", 200)
    ran = time.monotonic() - started
    draw()
    drawn = time.monotonic() - started - ran
    picture("qgis-log", settle=2.0)
    dialog.close()

    toolbox.hide()
    show_results(layers)
    picture("qgis-scores", settle=3.0)
    zoom_to_objects(layer)
    picture("qgis-polygons", settle=3.0)
    picture_of_the_model()
    picture_of_options()
    steps = {
        "plugin installed": installed, "scene drawn": loaded, "dialog opened": opened, "results loaded": ran,
        "map drawn": drawn,
    }  # fmt: skip
    return [
        f"from zip to first map in {sum(steps.values()):.1f} s",
        ", ".join(f"{step} in {seconds:.2f} s" for step, seconds in steps.items()),
        f"QGIS {Qgis.QGIS_VERSION}, {sys.version.split()[0]}",
    ]


def show_results(layers: set[str]) -> None:
    """Fold the scene's legend, unfold those of the results, and leave the mask out: it covers what it marks."""
    for node in QgsProject.instance().layerTreeRoot().findLayers():
        # Twice, because the view only follows a change.
        node.setExpanded(False)
        node.setExpanded(node.layerId() not in layers)
        if node.name() == "Anomaly mask":
            node.setItemVisibilityChecked(False)
    resize(iface.mainWindow().findChild(QDockWidget, "Layers"), 330)
    iface.mapCanvas().refresh()


def zoom_to_objects(scene: QgsRasterLayer) -> None:
    """Show the polygons with their labels on the scene, around the one with the largest score."""
    for node in QgsProject.instance().layerTreeRoot().findLayers():
        if node.name() == "Anomaly score":
            node.setItemVisibilityChecked(False)
    polygons = QgsProject.instance().mapLayersByName("Anomaly polygons")[0]
    best = max(polygons.getFeatures(), key=lambda found: found["max_score"])
    extent = scene.extent()
    view = best.geometry().boundingBox()
    view.grow(0.2 * max(extent.width(), extent.height()))
    iface.mapCanvas().setExtent(view)
    iface.mapCanvas().refresh()


def picture_of_the_model() -> None:
    """Take a picture of the ready model in QGIS's model designer."""
    from processing.modeler.ModelerDialog import ModelerDialog

    from ferd_qgis_plugin.paths import MODELS

    designer = ModelerDialog.create() if hasattr(ModelerDialog, "create") else ModelerDialog()
    designer.loadModel(str(MODELS["scenetopolygons"]))
    designer.resize(1400, 640)
    designer.show()
    place(designer)
    designer.move(20, 120)
    picture("qgis-model")
    designer.close()


def picture_of_options() -> None:
    """Take a picture of the page FERD in QGIS's options, which holds the program up until it is closed."""

    def shoot() -> None:
        options = QApplication.activeModalWidget()
        if options is None:
            return
        options.resize(980, 640)
        options.move(230, 110)
        picture("qgis-options")
        options.close()

    QTimer.singleShot(2500, shoot)
    iface.showOptionsDialog(currentPage="FERD")


def load_scene() -> QgsRasterLayer:
    """Add the scene in natural colours where its wavelengths are known, and show all of it."""
    layer = QgsRasterLayer(SCENE, Path(SCENE).stem)
    if not layer.isValid():
        raise RuntimeError(f"{SCENE} is not a raster")
    bands = [nearest_band(wavelength) for wavelength in (650, 550, 460)]
    layer.setRenderer(QgsMultiBandColorRenderer(layer.dataProvider(), *bands))
    layer.setContrastEnhancement(
        QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum,
        QgsRasterMinMaxOrigin.Limits.CumulativeCut,
    )
    QgsProject.instance().addMapLayer(layer)
    iface.setActiveLayer(layer)
    iface.mapCanvas().setExtent(layer.extent())
    draw()
    return layer


def nearest_band(wavelength_nm: float) -> int:
    """Return the band (from 1) whose wavelength lies nearest; micrometres are told by their size."""
    from osgeo import gdal

    dataset = gdal.Open(SCENE)
    centres = []
    for number in range(1, dataset.RasterCount + 1):
        text = dataset.GetRasterBand(number).GetMetadataItem("wavelength") or "nan"
        centre = float(text)
        centres.append(centre * 1000 if centre < 100 else centre)
    distances = [1e9 if math.isnan(centre) else abs(centre - wavelength_nm) for centre in centres]
    return distances.index(min(distances)) + 1


def show_toolbox() -> QDockWidget:
    """Open the Processing Toolbox with FERD's groups unfolded and everything else folded."""
    dock = iface.mainWindow().findChild(QDockWidget, "ProcessingToolbox")
    dock.show()
    dock.raise_()
    tree = dock.findChild(QTreeView)
    tree.collapseAll()
    pause(0.5)
    model = tree.model()
    for row in range(model.rowCount()):
        index = model.index(row, 0, QModelIndex())
        if index.data() == "FERD":
            tree.expandRecursively(index)
            tree.scrollTo(index, QTreeView.ScrollHint.PositionAtTop)
    resize(dock, 380)
    return dock


def resize(dock: QDockWidget, width: int) -> None:
    iface.mainWindow().resizeDocks([dock], [width], Qt.Orientation.Horizontal)


def run_button(dialog):
    for box in dialog.findChildren(QDialogButtonBox):
        for button in box.buttons():
            if button.text().replace("&", "") == "Run":
                return button
    raise RuntimeError("the dialog has no Run button")


def place(dialog) -> None:
    """Move the dialog over the map and to the front."""
    dialog.move(330, 120)
    dialog.raise_()
    dialog.activateWindow()


def picture(name: str, settle: float = 1.0) -> None:
    """Save what the screen shows."""
    pause(settle)
    wait(lambda: not iface.mapCanvas().isDrawing(), "the map", 60)
    screen = QApplication.primaryScreen()
    if not screen.grabWindow(0).save(str(IMAGES / f"{name}.png")):
        raise RuntimeError(f"{name} could not be saved")


def draw() -> None:
    """Draw the map and wait until it is there."""
    canvas, ends = iface.mapCanvas(), []
    canvas.mapCanvasRefreshed.connect(lambda: ends.append(True))
    canvas.refresh()
    wait(lambda: ends and not canvas.isDrawing(), "the map", 60)


def wait(done, what: str, seconds: float) -> None:
    """Let QGIS work until something is done."""
    stop = time.monotonic() + seconds
    while not done():
        if time.monotonic() > stop:
            raise RuntimeError(f"{what} did not come within {seconds} s")
        pause(0.02)


def pause(seconds: float) -> None:
    """Let QGIS work for a while."""
    loop = QEventLoop()
    QTimer.singleShot(int(1000 * seconds), loop.quit)
    loop.exec()


# The window is not there yet when --code runs.
QTimer.singleShot(3000, main)
