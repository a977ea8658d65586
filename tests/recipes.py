"""Recipes of the profiles with k-JEM, as the paper's authors released it."""

from __future__ import annotations

from sepclr.datasets import DATA_SETS
from sepclr.runs.recipe import usual

DATA_OF = {"contrast": "marked-digits"} | {each.task: name for name, each in DATA_SETS.items() if each.task != "contrast"}
"""A data set of each task."""

CPU, PAPER = (usual("digits-on-cifar", profile, independence="k-jem") for profile in ("cpu", "paper"))
DEMO = usual("marked-digits", independence="k-jem")
MRI_CPU, MRI = (usual("mri", profile, independence="k-jem") for profile in ("cpu", "paper"))
