"""Another Python for what must not run inside QGIS: PyTorch."""
