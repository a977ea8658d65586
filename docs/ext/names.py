"""Names of the library in the pages, such as `uniformity` or `SepCLR.fit(X, y)`, become links to the API."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref

import sepclr
import sepclr.losses

from .pages import documented

SHORT = {name: f"sepclr.{name}" for name in sepclr.__all__ if name != "load"} | {
    name: f"sepclr.losses.{name}" for name in sepclr.losses.__all__ if callable(getattr(sepclr.losses, name))
}
"""Names that mean the same object wherever they occur without a module."""

NAME = re.compile(r"(?P<name>[A-Za-z_][\w.]*)(\(.*\))?")


def target(text: str) -> str | None:
    """Return the full name of the object that a piece of code names, None if it is not one of the API."""
    if not (match := NAME.fullmatch(text)):
        return None
    full = match["name"] if match["name"] in documented() else SHORT.get(match["name"])
    if full is None:  # a method: the class is known
        owner, _, name = match["name"].rpartition(".")
        kind = documented().get(SHORT.get(owner, owner))
        full = f"{SHORT.get(owner, owner)}.{name}" if isinstance(kind, type) and name in vars(kind) else None
    return full


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
