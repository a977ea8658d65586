"""Equations as MathML, which browsers draw themselves: no script, no network, and readable for screen readers."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from latex2mathml.converter import convert


def inline(translator: Any, node: nodes.Element) -> None:
    """Write an equation within a line."""
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def block(translator: Any, node: nodes.Element) -> None:
    """Write an equation of its own line, which scrolls where the window is too narrow."""
    equation = convert(node.astext(), display="block")
    translator.body.append(f'<div class="equation" role="region" aria-label="equation" tabindex="0">{equation}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> None:
    """Add the renderer ``mathml`` for ``html_math_renderer``."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
