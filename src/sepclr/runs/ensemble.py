"""The ensemble of runs that differ in their seed: their codes, aligned and averaged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from jaxtyping import Bool, Float
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

from sepclr.atomic import replacing
from sepclr.data import Cohort
from sepclr.probes import Alignment, align
from sepclr.runs.folder import RunFolder
from sepclr.runs.linear import NoWeights
from sepclr.runs.seeds_folder import SeedsFolder, holds_seeds
from sepclr.runs.targets import of_target
from sepclr.runs.trained import load_method
from sepclr.training import encode
from sepclr.types import Batch, Codes, Method, Outputs, Scalar

REFERENCE = 2000
"""Maximum number of training samples of background, and of each target group, from which codes are aligned."""


class Ensemble(nn.Module):
    """Trained methods whose codes are aligned and averaged; it cannot be trained.

    Args:
        methods: the methods, one for each seed.
        common: alignment of c.
        salient: alignment of s of each target group.
    """

    def __init__(self, methods: Sequence[Method], common: Alignment, salient: Sequence[Alignment]) -> None:
        super().__init__()
        self.weights = NoWeights()
        self.parts = nn.ModuleList(cast(Sequence[nn.Module], methods))
        self.common, self.salient = common, salient

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Return no outputs."""
        return {}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Return no terms."""
        return {}

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute averaged codes on the CPU, c of shape (n, d_c) and s of shape (n, d_s), that of several target groups side by side."""
        codes = [cast(Method, part).encode(x) for part in self.parts]
        c = self.common.average([each.c.float().cpu().numpy() for each in codes])
        of_groups = zip(*(each.s.float().cpu().chunk(len(self.salient), 1) for each in codes), strict=True)
        s = [alignment.average([part.numpy() for part in parts]) for alignment, parts in zip(self.salient, of_groups, strict=True)]
        return Codes(torch.from_numpy(c), torch.from_numpy(np.hstack(s)))

    def pair(self, group: int) -> Ensemble:
        """Return the ensemble of one target group."""
        return Ensemble([of_target(cast(Method, part), group) for part in self.parts], self.common, [self.salient[group]])


def make_ensemble(methods: Sequence[Method], train: Cohort) -> Ensemble:
    """Align the codes of trained methods on training samples.

    c is aligned on up to 2,000 samples of background and of each target group, and s on those of its target group, such that the mean s
    of background becomes 0, as s is meant to be there.

    Args:
        methods: the methods, one for each seed.
        train: training samples.
    """
    chosen = np.zeros(len(train), dtype=bool)
    draw = np.random.default_rng(0)
    for group in np.unique(train.target_groups):
        members = np.flatnonzero(train.target_groups == group)
        chosen[draw.permutation(members)[:REFERENCE]] = True
    reference = train.where(chosen)
    codes = [encode(method, reference.x) for method in methods]
    groups = reference.target_groups
    common = align([each.c.numpy() for each in codes])
    number = int(groups.max()) + 1
    of_groups = zip(*(each.s.chunk(number, 1) for each in codes), strict=True)
    salient = []
    for group, parts in enumerate(of_groups):
        s = [part.numpy() for part in parts]
        origins = [each[groups < 0].mean(0) for each in s] if (groups < 0).any() else None
        salient.append(align([each[groups == group] for each in s], origins))
    return Ensemble(methods, common, salient)


def save_alignment(folder: SeedsFolder, ensemble: Ensemble, seeds: Sequence[int]) -> None:
    """Store how the codes of runs are aligned."""
    spaces = {"c": ensemble.common} | {f"s{group}": each for group, each in enumerate(ensemble.salient)}
    tensors = {f"{name}.{what}": getattr(each, what) for name, each in spaces.items() for what in ("origins", "maps")}
    noted = {"seeds": list(seeds), "unit": {name: each.unit for name, each in spaces.items()}}
    with replacing(folder.alignment) as part:
        save_file(tensors, part, metadata={"ensemble": json.dumps(noted)})


def load_ensemble(folder: SeedsFolder) -> Ensemble:
    """Load the ensemble of the runs in a folder.

    Raises:
        InputError: if they have not finished.
    """
    noted = folder.noted()
    tensors = load_file(folder.alignment)
    methods = [load_method(folder.run(seed))[0] for seed in noted["seeds"]]
    common, *salient = (Alignment(tensors[f"{name}.origins"], tensors[f"{name}.maps"], unit) for name, unit in noted["unit"].items())
    return Ensemble(methods, common, salient)


def load_encoder(path: Path) -> Method:
    """Load the method of a run, or the ensemble of a folder of seeds.

    Raises:
        InputError: if it has not finished.
    """
    return load_ensemble(SeedsFolder(path)) if holds_seeds(path) else load_method(RunFolder(path))[0]
