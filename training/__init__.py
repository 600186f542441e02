"""Training and evaluation of the Feature Enhancement Network: `python -m training --help`.

Source: Jin, Dang, Zhu, "Feature Enhancement with Reverse Distillation for Hyperspectral Anomaly Detection", IEEE GRSL
2024, doi 10.1109/LGRS.2024.3456178. Arrays are (rows, cols, bands) as in the engine, tensors (n, bands, rows, cols).
"""
