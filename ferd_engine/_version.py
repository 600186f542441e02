"""The one place that states the version; pyproject.toml reads it, metadata.txt must agree."""

__version__ = "0.1.0"
