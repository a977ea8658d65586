"""Samples with known membership: cohorts, batches of both groups, and one file per data set."""

from sepclr.data.batches import Batches
from sepclr.data.cohort import Cohort
from sepclr.data.stored import Stored

__all__ = ["Batches", "Cohort", "Stored"]
