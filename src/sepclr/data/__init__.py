"""Samples of both groups: cohorts, batches and samples that are read on access, such as a cache of volumes."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sepclr.data.batches import Batches
    from sepclr.data.cohort import Cohort
    from sepclr.data.lazy import Lazy
    from sepclr.data.pairs import matched
    from sepclr.data.sparse_rows import SparseRows
    from sepclr.data.stream import Stream
    from sepclr.data.volume_cache import VolumeCache

__all__ = ["Batches", "Cohort", "Lazy", "SparseRows", "Stream", "VolumeCache", "matched"]


def __getattr__(name: str) -> Any:
    """Import a public name on first access, because tables and single volumes are read without torch."""
    if name not in __all__:
        raise AttributeError(f"module 'sepclr.data' has no attribute {name!r}")
    from importlib import import_module

    home = {
        "Batches": "batches",
        "Cohort": "cohort",
        "Lazy": "lazy",
        "SparseRows": "sparse_rows",
        "Stream": "stream",
        "VolumeCache": "volume_cache",
        "matched": "pairs",
    }[name]
    return getattr(import_module(f"sepclr.data.{home}"), name)
