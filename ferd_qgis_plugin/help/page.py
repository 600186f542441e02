"""The text beside a dialog, put together from its parts."""

from __future__ import annotations

from dataclasses import dataclass, field

from qgis.PyQt.QtCore import QCoreApplication

translate = QCoreApplication.translate

_DOCS = "https://github.com/ferd-qgis/ferd-qgis/blob/main/docs/"
HELP_URL = _DOCS + "qgis.md"


@dataclass(frozen=True)
class AlgorithmHelp:
    """All texts of one algorithm; `parameters` has one entry for each parameter name, in the order of the dialog."""

    title: str
    group: str
    group_id: str
    summary: str
    description: list[str]
    references: list[str]
    tags: list[str] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    # Pages of the documentation beside that of the plugin: title and file.
    pages: list[tuple[str, str]] = field(default_factory=list)

    def html(self, labels: dict[str, str]) -> str:
        """Return the text beside the dialog; `labels` are the dialog's words for the parameters, by name."""
        blocks = [f"<p>{text}</p>" for text in self.description]
        blocks.append(f"<h3>{translate('FERD', 'Parameters')}</h3>")
        blocks += [f"<p><b>{labels[name]}</b>: {text}</p>" for name, text in self.parameters.items()]
        blocks.append(f"<h3>{translate('FERD', 'References')}</h3>")
        blocks += [f"<p>{text}</p>" for text in self.references]
        blocks.append(f"<h3>{translate('FERD', 'Documentation')}</h3>")
        pages = [(translate("FERD", "FERD in QGIS"), "qgis.md"), *self.pages]
        blocks += [f'<p><a href="{_DOCS}{file}">{title}</a></p>' for title, file in pages]
        return "\n".join(blocks)
