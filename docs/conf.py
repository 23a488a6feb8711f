"""The documentation, built by `make docs`: Sphinx, sphinx-book-theme, myst-nb for the guides."""

import os
import re
import sys
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tools")]

import docs_pages  # noqa: E402  (of tools/)

import keras_fm  # noqa: E402

docs_pages.write(docs_pages.GENERATED)

project = "keras_fm"
author = "the keras_fm developers"
copyright = "the keras_fm developers, Apache-2.0"
version = release = keras_fm.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "by_hand", "**/.ipynb_checkpoints"]
nitpicky = False

# Pages of Markdown, and the guides, which are executed when the pages are built.
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"  # of `docs/_build`: an unchanged guide is not executed again
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_output_stderr = "remove"  # progress bars
nb_ipywidgets_js = {}  # nothing is loaded from elsewhere

# The API: the docstrings are in Google's style and mark code as Markdown does.
autosummary_generate = True
autodoc_typehints = "none"  # the signature has them
autodoc_member_order = "bysource"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

html_theme = "sphinx_book_theme"
html_title = "keras_fm"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["sort_tables.js"]
html_theme_options = {
    "show_toc_level": 2,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "home_page_in_toc": True,
    "navbar_persistent": [],  # the sidebar has the search
}
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sphinx = False
linkcheck_timeout = 10


def _mark_code(app, what, name, obj, options, lines):
    """Write `code` as reStructuredText does."""
    text = re.sub(r"(?<!`)`([^`]+)`(?!`)(s?)", _literal, "\n".join(lines))
    lines[:] = text.split("\n")


def _literal(match):
    # A letter may not follow the end of a literal.
    return f"``{match[1]}``" + (rf"\ {match[2]}" if match[2] else "")


def _link_pages(app, docname, source):
    """Turn links to files of the repository into links to their pages."""
    path = Path(app.srcdir) / f"{docname}.md"
    if path.is_file() and not docname.startswith("generated/"):
        source[0] = docs_pages.with_links(source[0], path, path.with_suffix(""))


def setup(app):
    """Connect both."""
    app.connect("autodoc-process-docstring", _mark_code)
    app.connect("source-read", _link_pages)
