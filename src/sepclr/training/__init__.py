"""Train any method on any cohort, and encode with it."""

from sepclr.training.encode import encode, project
from sepclr.training.fit import Settings, fit

__all__ = ["Settings", "encode", "fit", "project"]
