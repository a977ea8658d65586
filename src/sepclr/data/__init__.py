"""Samples with known membership: cohorts, batches of both groups, and one file per data set."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sepclr.data.batches import Batches
    from sepclr.data.cohort import Cohort
    from sepclr.data.stored import Stored

__all__ = ["Batches", "Cohort", "Stored"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: tables and single volumes are read without torch."""
    if name not in __all__:
        raise AttributeError(f"module 'sepclr.data' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"sepclr.data.{name.lower()}"), name)
