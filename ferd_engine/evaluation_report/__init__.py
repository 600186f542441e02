"""One self-contained HTML page about how well scores tell anomalies from background."""

from .page import ReportFile, report_page
from .preview import Preview

__all__ = ["Preview", "ReportFile", "report_page"]
