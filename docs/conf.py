"""Sphinx configuration of the site. ``make site`` builds it; ``pages.py`` generates the pages of methods, benchmarks and the API."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from docs.ext import gallery, mathml, names, pages  # noqa: E402

project, author, copyright = "sepclr", "The sepclr developers", "The sepclr developers"
version = release = installed("sepclr")
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
html_theme, html_title, html_static_path = "furo", "sepclr", ["_static"]
html_css_files, html_js_files = ["site.css"], ["scroll.js"]
html_copy_source = False
nitpicky = True
# Types in annotations may be private, or of other projects, whose inventories need a network.
nitpick_ignore_regex = [("py:class", ".*"), ("py:.*", r"(?!sepclr\.).*")]

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
html_math_renderer = "mathml"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {
    "members": True,
    "show-inheritance": True,
    "exclude-members": "set_fit_request,set_transform_request,set_inverse_transform_request",  # made by scikit-learn
}
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_custom_sections = [("Source", "notes_style")]

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "generated/gallery",
    "filename_pattern": gallery.RUN,
    "ignore_pattern": "^((?!plot_).)*$",
    "reset_argv": "docs.ext.gallery.arguments",
    "download_all_examples": False,
    "show_memory": False,
    "min_reported_time": 1e9,
    "capture_repr": (),
    "write_computation_times": False,
    "remove_config_comments": True,
}

linkcheck_timeout = 20
linkcheck_allowed_redirects = {r".*": r".*"}


def setup(app: Any) -> None:
    """Generate pages, and connect what renders equations and what links names of the library to the API."""
    pages.setup(app)
    mathml.setup(app)
    names.setup(app)
    app.connect("html-page-context", levels, priority=900)  # after the theme's


def levels(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give the captions of the navigation the level that a heading needs, which Sphinx leaves out."""
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')
