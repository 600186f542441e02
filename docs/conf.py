"""How Sphinx builds the site: bash scripts/docs.sh."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The checkout that the pages belong to, whatever is installed.
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

from ferd_engine import __version__  # noqa: E402

project = "FERD for QGIS"
author = "the FERD for QGIS contributors"
project_copyright = author
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "generated_reference"]
exclude_patterns = ["_build", "reference/_generated"]
nitpicky = False
highlight_language = "text"

# Sections can be linked as on GitHub, and a link to one that is not there is an error.
myst_heading_anchors = 4
# The notebook runs at every build; an error in a cell ends it.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_type_aliases = {"ArrayLike": "ArrayLike", "Float32Array": "Float32Array"}
default_role = "code"
napoleon_google_docstring = False

html_theme = "furo"
html_title = f"FERD {release}"
html_logo = None
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_theme_options = {
    "source_repository": "https://github.com/ferd-qgis/ferd-qgis/",
    "source_branch": "main",
    "source_directory": "docs/",
}
