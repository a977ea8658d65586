"""Flat names for the fields of nested dataclasses, used by the command line and the estimators.

Fields of ``weights`` and ``critic`` get a prefix (``weight_common``, ``critic_steps``). The name of a method, the name of a data set and
the kind of an encoder are called ``method``, ``data`` and ``encoder``. All other fields keep their own names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache
from numbers import Integral, Real
from typing import Any, Literal, get_args, get_origin, get_type_hints

from sepclr.errors import InputError
from sepclr.ranges import check_choice

PREFIXES = {"weights": "weight_", "critic": "critic_"}
NAMED: dict[tuple[str, ...], str] = {("data", "name"): "data", ("method", "name"): "method", ("encoder", "kind"): "encoder"}


@dataclass(frozen=True)
class Option:
    """A field of a dataclass.

    Attributes:
        name: flat name.
        path: names of the enclosing parts, then its own name.
        hint: type.
        about: one-line description.
        value: current value.
    """

    name: str
    path: tuple[str, ...]
    hint: Any
    about: str
    value: Any

    def takes(self, value: Any) -> bool:
        """Return whether a value fits the type of the field."""
        return _fits(value, self.hint)


_hints = cache(get_type_hints)


def hints_of(kind: type) -> dict[str, Any]:
    """Return the types of the fields of a dataclass."""
    return _hints(kind)


def options_of(part: Any) -> list[Option]:
    """Return the fields of a dataclass, including those of its parts."""
    return list(_walk(part, (), ""))


def _walk(part: Any, path: tuple[str, ...], prefix: str) -> Iterator[Option]:
    hints, about = hints_of(type(part)), described(type(part))
    for field in fields(part):
        value, here = getattr(part, field.name), (*path, field.name)
        if is_dataclass(value):
            yield from _walk(value, here, PREFIXES.get(field.name, ""))
        elif not (value is None and any(is_dataclass(each) for each in get_args(hints[field.name]))):  # an optional part that is None
            yield Option(prefix + field.name, here, hints[field.name], about[field.name], value)


def flattened(nested: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten nested mappings, such as a recipe from a file, to values by flat name; ``views`` becomes ``none`` or ``random``.

    >>> flattened({"method": {"name": "convae", "weights": {"common": 0.5}}, "views": None, "seed": 3})
    {'method': 'convae', 'weight_common': 0.5, 'views': 'none', 'seed': 3}
    """
    found: dict[str, Any] = {}
    for part, inside in nested.items():
        if part == "views" and not isinstance(inside, str):
            found[part] = "none" if inside is None else "random"
        if isinstance(inside, Mapping):
            for name, value in flattened(inside).items():
                found[NAMED.get((part, name), PREFIXES.get(part, "") + name)] = value
        elif part not in found and not (inside is None and part in ("encoder", "training", "study", *PREFIXES)):
            found[part] = tuple(inside) if isinstance(inside, list) else inside
    return found


def flat(part: Any) -> dict[str, Any]:
    """Return the values of a dataclass and its parts by flat name."""
    return {option.name: option.value for option in options_of(part)}


def replaced(part: Any, values: Mapping[tuple[str, ...], Any]) -> Any:
    """Return a copy of a part with the fields at the given paths replaced, all at once."""
    here: dict[str, Any] = {}
    deeper: dict[str, dict[tuple[str, ...], Any]] = {}
    for (name, *rest), value in values.items():
        if rest:
            deeper.setdefault(name, {})[tuple(rest)] = value
        else:
            here[name] = value
    return replace(part, **here, **{name: replaced(getattr(part, name), inside) for name, inside in deeper.items()})


def check_type(name: str, value: Any, hint: Any, remedy: str = "") -> None:
    """Check a value against the type of its field: a choice, a number, a flag or text.

    Raises:
        InputError: a value of another type, or not one of the choices.
    """
    if choices := literals(hint):
        check_choice(choices, **{name: value})
    elif not _fits(value, hint):
        raise InputError(f"{name}: {value!r} is not {_worded(hint)}{remedy and f'; {remedy}'}")


def _fits(value: Any, hint: Any) -> bool:
    if choices := literals(hint):
        return value in choices
    if get_origin(hint) is tuple:
        each = get_args(hint)
        kinds = each[:1] * len(value) if isinstance(value, tuple) and each[1:] == (...,) else each
        return isinstance(value, tuple) and len(value) == len(kinds) and all(map(_fits, value, kinds))
    if alternatives := get_args(hint):
        return any(_fits(value, each) for each in alternatives)
    if hint in (int, float):
        return isinstance(value, Real if hint is float else Integral) and not isinstance(value, bool)
    return isinstance(value, hint)


def _worded(hint: Any) -> str:
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "nothing"}
    if choices := literals(hint):
        return " or ".join(map(repr, choices))
    if get_origin(hint) is tuple:
        return f"{len(get_args(hint))} values"
    return " or ".join(_worded(each) for each in get_args(hint)) or words[hint]


def literals(hint: Any) -> tuple[Any, ...]:
    """Return the choices of a field, or an empty tuple if its type is not a ``Literal``."""
    return get_args(hint) if get_origin(hint) is Literal else ()


def described(kind: type) -> dict[str, str]:
    """Return the description of each field of a dataclass, read from its docstring and those of its base classes."""
    found: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        lines = (each.__doc__ or "").splitlines()
        begin = next((place + 1 for place, line in enumerate(lines) if line.strip() == "Attributes:"), len(lines))
        name = ""
        for line in lines[begin:]:
            head, colon, rest = line.strip().partition(": ")
            if colon and head.isidentifier() and len(line) - len(line.lstrip()) <= 8:
                name = head
                found[name] = rest
            elif line.strip() and name:
                found[name] += f" {line.strip()}"
            else:
                name = ""
    return found
