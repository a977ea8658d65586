"""YAML and JSON files, read as plain values: mappings with text as keys, lists, text, numbers, flags and None."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sepclr.errors import reading


class _Loader(yaml.SafeLoader):
    """A loader without aliases: a few lines of them stand for a value that fills all memory as soon as it is written out."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose a node that is no alias."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("it has aliases")
        return super().compose_node(parent, index)


def read_yaml(path: Path, remedy: str) -> Any:
    """Read a YAML file.

    Args:
        path: the file.
        remedy: how the message of an error ends.

    Raises:
        InputError: a file that cannot be read, or values of another kind, such as dates or Python objects.
    """
    with reading(path, remedy):
        return _plain(yaml.load(path.read_text(encoding="utf-8"), _Loader))


def read_json(path: Path, remedy: str) -> Mapping[str, Any]:
    """Read a JSON object; arguments and errors are those of ``read_yaml``."""
    with reading(path, remedy):
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("not an object")
        return content


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        if odd := [key for key in value if not isinstance(key, str)]:
            raise ValueError(f"the key {odd[0]!r} is not text")
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if value is not None and not isinstance(value, str | int | float):
        raise ValueError(f"a value is of type {type(value).__name__}")
    return value
