"""HTML pages from the templates in this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sepclr.atomic import write_whole


def write_html(path: Path, template: str, **context: Any) -> None:
    """Write a page as one HTML file; replace an existing file only once the new one is complete.

    Args:
        path: file to write; its folder must exist.
        template: name of the template.
        context: variables of the template.

    Raises:
        OSError: the file cannot be written.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = environment.get_template(template).render(context)
    write_whole(path, text)
