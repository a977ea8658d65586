"""Figures as text, to embed in self-contained pages."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any


def as_png(save: Callable[[io.BytesIO], Any]) -> str:
    """Return, as a data URI, the PNG that a function writes."""
    content = io.BytesIO()
    save(content)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def as_svg(draw_figure: Callable[[], Any]) -> str:
    """Return the figure that a function draws as SVG; equal figures give equal text."""
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "sepclr"}):
        draw_figure().savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()
