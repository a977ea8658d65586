"""Contrastive analysis: what two data sets share, and what only one of them has."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sepclr.data import Cohort
    from sepclr.errors import InputError
    from sepclr.estimators import ContrastivePCA, GeneralisedContrastivePCA, ProbabilisticContrastivePCA, SepCLR
    from sepclr.types import Batch, Codes, Method

__all__ = [
    "Batch",
    "Codes",
    "Cohort",
    "ContrastivePCA",
    "GeneralisedContrastivePCA",
    "InputError",
    "Method",
    "ProbabilisticContrastivePCA",
    "SepCLR",
]

_HOMES = {
    "ContrastivePCA": "estimators",
    "GeneralisedContrastivePCA": "estimators",
    "ProbabilisticContrastivePCA": "estimators",
    "SepCLR": "estimators",
    "Cohort": "data",
    "Batch": "types",
    "Codes": "types",
    "InputError": "errors",
    "Method": "types",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: torch takes seconds to load, and `sepclr --help` does not need it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sepclr' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"sepclr.{_HOMES[name]}"), name)
