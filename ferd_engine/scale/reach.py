"""Which detectors can score a strip without the rest of the image, and how many rows around it they look at."""

from __future__ import annotations

from ..detectors import Detector
from ..detectors.covariance import parse_covariance, passes
from ..detectors.crd import Crd
from ..detectors.grx import Grx
from ..detectors.local_mean import OUTER_PX
from ..detectors.lrx import Lrx
from ..detectors.qlrx import Qlrx
from ..detectors.rings import outer_for_rank
from ..detectors.slrx import Slrx
from ..detectors.utd import Utd
from ..errors import UsageError
from ..options import DetectOptions

_LEAST_OUTER_PX = 20


def leaves_out_gross(detector: Detector) -> bool:
    """Say whether the detector leaves gross pixels out of the whole image's covariance, `gross.without_gross`."""
    if isinstance(detector, (Grx, Utd)):
        return parse_covariance(detector.covariance).kind in ("empirical", "pca")
    return isinstance(detector, (Lrx, Qlrx))


def halo_of(detector: Detector, n_bands: int, options: DetectOptions | None = None) -> int:
    """Return the rows that a detector looks at above and below a pixel, or more.

    Windows at a strip's edge are shifted inside its halo; at the image's edge there is none, and they are shifted as
    they are on one machine. Raises `UsageError` for what needs the whole image at once.
    """
    if options is not None and options.background is not None and not isinstance(detector, (Grx, Utd)):
        raise UsageError(
            f"The detector {options.detector!r} takes no background with --scheduler: use grx, utd or rxd-utd, drop "
            "the background, or leave --scheduler out."
        )
    if isinstance(detector, Slrx):
        return 0
    if isinstance(detector, (Grx, Utd)):
        if passes(parse_covariance(detector.covariance)):
            raise UsageError(
                f"The covariance {detector.covariance} of {_name(detector, options)} reads the image again before it "
                "scores, which is not distributed: use empirical, oas or pca:K, or leave --scheduler out."
            )
        if isinstance(detector, Utd):
            return 0
        return 0 if detector.mean == "global" else (detector.outer or OUTER_PX) // 2
    if isinstance(detector, (Lrx, Crd, Qlrx)):
        if detector.outer is not None:
            return detector.outer // 2
        return max(outer_for_rank(detector.inner, n_bands), detector.inner + _LEAST_OUTER_PX) // 2 + 1
    raise UsageError(
        f"The detector {_name(detector, options)!r} is not distributed: use grx, utd, rxd-utd, slrx, lrx, qlrx or crd, "
        "or leave --scheduler out."
    )


def _name(detector: Detector, options: DetectOptions | None) -> str:
    return type(detector).__name__.lower() if options is None else options.detector
