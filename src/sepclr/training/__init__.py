"""Train any method on any cohort, and encode with it."""

from sepclr.parts import Settings
from sepclr.training.encode import classify, decode, encode, project
from sepclr.training.fit import check, fit, precision_of, resolve_accelerator
from sepclr.training.gather import is_first
from sepclr.training.module import evened
from sepclr.training.records import History
from sepclr.training.saliency import saliency

__all__ = [
    "History",
    "Settings",
    "check",
    "classify",
    "decode",
    "encode",
    "evened",
    "fit",
    "is_first",
    "precision_of",
    "project",
    "resolve_accelerator",
    "saliency",
]
