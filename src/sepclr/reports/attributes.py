"""Attributes of the samples that a page shows: values as text and as colours, and whether two samples agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

GROUPS = ("background", "target")


@dataclass(frozen=True)
class Shown:
    """One attribute of n samples.

    Attributes:
        name: name of the attribute.
        role: ``c`` if expected in c, ``s`` if expected in s, empty otherwise.
        names: names of the classes; empty for a quantity.
        values: index into ``names``, or the quantity, shape (n,), float64; NaN where missing.
        text: value as text, one per sample; empty where missing.
        low: smallest value of a quantity (0 for classes).
        high: largest value of a quantity (0 for classes).
    """

    name: str
    role: str
    names: tuple[str, ...]
    values: NDArray[np.float64]
    text: tuple[str, ...]
    low: float = 0.0
    high: float = 0.0

    @property
    def is_quantity(self) -> bool:
        """Whether the attribute is a quantity rather than a class."""
        return not self.names

    def agree(self, one: NDArray[np.intp], two: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Check where samples ``one`` and ``two`` (broadcast indices) have the same class, or quantities within a tenth of the range."""
        difference = np.abs(self.values[one] - self.values[two])  # NaN where missing, and NaN <= x is False
        return np.asarray(difference <= (0.1 * (self.high - self.low) if self.is_quantity else 0.0))

    def known(self, index: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Check which of the samples ``index`` have a value."""
        return np.isfinite(self.values[index])


def shown_attributes(
    attributes: Mapping[str, NDArray[Any]],
    is_target: NDArray[np.bool_],
    common: Sequence[str],
    salient: Sequence[str],
    class_names: Mapping[str, Sequence[str]],
) -> list[Shown]:
    """Prepare attributes for display, in order: common, salient, others, group if there are two; background has no salient ones."""
    order = [name for name in (*common, *salient) if name in attributes]
    order += [name for name in attributes if name not in order]
    result = []
    for name in order:
        role = "c" if name in common else "s" if name in salient else ""
        values = np.asarray(attributes[name])
        missing = ~is_target if role == "s" else np.zeros_like(is_target)
        if np.issubdtype(values.dtype, np.floating):
            result.append(_quantity(name, role, values, missing))
        else:
            if np.issubdtype(values.dtype, np.signedinteger):
                missing = missing | (~is_target & (values == -1))
            elif values.dtype.kind in "US":
                missing = missing | (values == "")
            result.append(_classes(name, role, values, missing, class_names.get(name, ())))
    if "group" not in attributes and len(np.unique(is_target)) > 1:
        result.append(Shown("group", "", GROUPS, is_target.astype(float), tuple(GROUPS[int(t)] for t in is_target)))
    return result


def caption(attributes: Sequence[Shown], index: int) -> str:
    """Describe a sample in words, e.g. ``target, digit 7, mark ring``."""
    parts = [f"{a.name} {a.text[index]}" for a in attributes if a.name != "group" and a.text[index]]
    group = [a.text[index] for a in attributes if a.name == "group"]
    return ", ".join(group + parts)


def _quantity(name: str, role: str, values: NDArray[Any], missing: NDArray[np.bool_]) -> Shown:
    known = np.where(missing | ~np.isfinite(values), np.nan, values.astype(float))
    finite = known[np.isfinite(known)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    return Shown(name, role, (), known, tuple(f"{v:.3g}" if np.isfinite(v) else "" for v in known), low, high)


def _classes(name: str, role: str, values: NDArray[Any], missing: NDArray[np.bool_], given: Sequence[str]) -> Shown:
    classes, index = np.unique(values[~missing], return_inverse=True)
    names = tuple(_class_name(value, given) for value in classes)
    known = np.full(len(values), np.nan)
    known[~missing] = index
    text = tuple(names[int(k)] if np.isfinite(k) else "" for k in known)
    return Shown(name, role, names or ("–",), known, text)


def _class_name(value: Any, given: Sequence[str]) -> str:
    if isinstance(value, np.bool_):
        return "yes" if value else "no"
    if isinstance(value, np.integer) and 0 <= value < len(given):
        return str(given[int(value)])
    return str(value)
