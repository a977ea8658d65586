"""Contrastive analysis: what two data sets share, and what only one of them has."""

from typing import TYPE_CHECKING, Any

from sepclr.methods.options import METHODS

if TYPE_CHECKING:
    from sepclr.data import Cohort as Cohort
    from sepclr.errors import InputError as InputError
    from sepclr.estimators import ContrastivePCA as ContrastivePCA
    from sepclr.estimators import FlowDecoder as FlowDecoder
    from sepclr.estimators import GeneralisedContrastivePCA as GeneralisedContrastivePCA
    from sepclr.estimators import ProbabilisticContrastivePCA as ProbabilisticContrastivePCA
    from sepclr.estimators import load as load
    from sepclr.runs.hub import from_pretrained as from_pretrained
    from sepclr.runs.hub import push_to_hub as push_to_hub
    from sepclr.types import Batch as Batch
    from sepclr.types import Codes as Codes
    from sepclr.types import Method as Method

_HOMES = {
    **{method.where.rpartition(".")[2]: "estimators" for method in METHODS.values() if method.trained},
    "ContrastivePCA": "estimators",
    "FlowDecoder": "estimators",
    "GeneralisedContrastivePCA": "estimators",
    "ProbabilisticContrastivePCA": "estimators",
    "load": "estimators",
    "Cohort": "data",
    "Batch": "types",
    "Codes": "types",
    "InputError": "errors",
    "from_pretrained": "runs.hub",
    "push_to_hub": "runs.hub",
    "Method": "types",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    """Import a public name on first access: importing torch takes seconds, and `sepclr --help` does not need it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'sepclr' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"sepclr.{_HOMES[name]}"), name)
