"""The Feature Enhancement Network: architecture, backends, model bundles and where models live."""

from __future__ import annotations
