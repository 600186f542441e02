"""Detection and enhancement on many machines by dask.distributed, which is imported only when it is asked for."""

from __future__ import annotations
