"""Equations as MathML, which browsers draw themselves: no script, no network, and readable for screen readers."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from latex2mathml import converter


def convert(equation: str, display: str) -> str:
    """Return an equation of LaTeX as MathML, with a space after functions without parentheses, which the converter leaves out."""
    return re.sub(
        r"(<mi>(?:log|max|min)</mi>)(?!<mo[^>]*>&#x00028;)", r'\1<mspace width="0.17em"/>', converter.convert(equation, display=display)
    )


def inline(translator: Any, node: nodes.Element) -> None:
    """Write an equation within a line."""
    translator.body.append(convert(node.astext(), "inline"))
    raise nodes.SkipNode


def block(translator: Any, node: nodes.Element) -> None:
    """Write an equation of its own line, which scrolls where the window is too narrow."""
    equation = convert(node.astext(), "block")
    translator.body.append(f'<div class="equation">{equation}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """Add the renderer ``mathml`` for ``html_math_renderer``."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
