"""Names of the library in the pages, such as `uniformity` or `SepCLR.fit(X, y)`, become links to the API."""

from __future__ import annotations

from typing import Any

from docs.ext.pages import target
from docutils import nodes
from sphinx.addnodes import pending_xref


def link(app: Any, doctree: nodes.document) -> None:
    """Replace literals that name an object by references to it, except in the API itself."""
    page = app.env.docname
    if page.startswith("generated/api"):
        return
    for literal in list(doctree.findall(nodes.literal)):
        inside = literal.parent
        while inside is not None and not isinstance(inside, nodes.reference | pending_xref | nodes.title):
            inside = inside.parent
        if inside is None and (full := target(literal.astext())):
            reference = pending_xref(
                "", refdomain="py", reftype="obj", reftarget=full, refdoc=page, refexplicit=True, refwarn=True, **{"py:module": None}
            )
            literal.replace_self(reference)
            reference += literal


def setup(app: Any) -> None:
    """Link names after a page was read."""
    app.connect("doctree-read", link)
