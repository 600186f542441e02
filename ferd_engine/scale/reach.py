"""How many rows around a strip a detector looks at."""

from __future__ import annotations

from ..detectors import Detector
from ..detectors.aed import Aed
from ..detectors.crd import Crd
from ..detectors.grx import Grx
from ..detectors.local_mean import OUTER_PX
from ..detectors.lrx import Lrx
from ..detectors.qlrx import Qlrx
from ..detectors.rings import outer_for_rank
from ..detectors.utd import Utd

_LEAST_OUTER_PX = 20


def halo_of(detector: Detector, n_bands: int) -> int:
    """Return the rows that a detector looks at above and below a pixel, or more.

    Windows at a strip's edge are shifted inside its halo; at the image's edge there is none, and they are shifted as
    they are on one machine. Raises `ValueError` for a detector of which it is not known.
    """
    if isinstance(detector, Grx):
        return 0 if detector.mean == "global" else (detector.outer or OUTER_PX) // 2
    if isinstance(detector, Utd):
        return 0
    if isinstance(detector, Aed):
        return detector.halo
    if isinstance(detector, (Lrx, Crd, Qlrx)):
        if detector.outer is not None:
            return detector.outer // 2
        return max(outer_for_rank(detector.inner, n_bands), detector.inner + _LEAST_OUTER_PX) // 2 + 1
    raise ValueError(f"It is not known how far {type(detector).__name__} looks.")
