"""Ablation of the decorrelated objective, and its transfer to data that no choice was made on.

``ablation`` trains variants that change one thing at a time on four fifths of a training set and probes them on the rest; it uses no test
set. ``transfer`` trains the default and the released objective on data that no choice was made on, and probes them on their test sets.
``python speed/objective.py ablation`` writes results/objective-ablation.jsonl; ``transfer --root DIR``, with CIFAR-10 and MNIST in DIR,
writes results/objective-transfer.jsonl. Finished runs are skipped.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from objective_data import CLUSTERS, Clusters, clusters, small_digits_on_photographs, textures_on_photographs
from objective_table import Table, ablation_cells, transfer_cells
from sklearn.decomposition import PCA
from torch import nn

from sepclr import ContrastivePCA, nets
from sepclr.data import Cohort
from sepclr.datasets import marked_digits
from sepclr.datasets.source import Source
from sepclr.methods import Decorrelated, DecorrelatedWeights
from sepclr.methods.options import METHODS
from sepclr.parts import Data, Encoder, ImageAugmentation, Settings
from sepclr.probes import Probed, delta_tot, probe
from sepclr.runs.make import make_method
from sepclr.runs.recipe import Recipe, usual
from sepclr.runs.run import prepare
from sepclr.runs.trained import probed
from sepclr.training import fit
from sepclr.types import Method
from sepclr.views import RowViews

Recipes = Callable[..., Recipe]
"""Makes a recipe from options of SepCLR."""

Variant = Callable[[Recipes, Sequence[int]], Method]


def of_estimator(seed: int, **options: Any) -> Recipe:
    """Return the recipe of ``sepclr.SepCLR`` on rows, with any objective."""
    return Recipe(
        data=Data("rows"),
        method=METHODS["sepclr"].asked(options),
        encoder=Encoder(kind="mlp"),
        views=ImageAugmentation(),  # unused: rows take the views of the estimator
        training=Settings(max_epochs=100, batch_size=256, learning_rate=1e-3),
        seed=seed,
    )


@dataclass(frozen=True)
class Task:
    """Recipes with their data; probes are scored on the test set of protocol ``strict``."""

    recipes: Recipes
    source: Source

    @property
    def recipe(self) -> Recipe:
        """Default recipe, whose seed, views and training all variants share."""
        return self.recipes()

    @property
    def views(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """Views of the recipe; for rows, those of the estimator."""
        return RowViews() if self.source.train.x.ndim == 2 else prepare(self.recipe, self.source)[1]


def decorrelated(
    beta: float = DecorrelatedWeights.information_less,
    *,
    decay: float = 0.95,
    ridge: float = 0.01,
    standardised: bool = True,
    **options: Any,
) -> Variant:
    """Return the decorrelated objective with the given settings changed."""
    options["weights"] = DecorrelatedWeights(information_less=beta)

    def make(recipes: Recipes, shape: Sequence[int]) -> Method:
        recipe = recipes()
        default = make_method(recipe, shape)
        assert isinstance(default, Decorrelated)
        scales = (default.standardise_c, default.standardise_s) if standardised else (nn.Identity(), nn.Identity())
        with torch.random.fork_rng():
            torch.manual_seed(recipe.seed)  # draws the random cosines
            dims = recipe.method.common_dim, recipe.method.salient_dim
            made = Decorrelated(default.common, default.salient, default.common_head, default.salient_head, scales, dims, **options)
        for moments in (made.c_with_s, made.s_with_c, made.c_with_group):
            moments.decay, moments.ridge = decay, ridge
        return made

    return make


def released(independence: str, *, standardised: bool = False, equal_weights: bool = False) -> Variant:
    """Return the released objective, optionally with standardised codes or equal weights as in the decorrelated one."""

    def make(recipes: Recipes, shape: Sequence[int]) -> Method:
        weights = {"weight_salient": 1.0, "weight_information_less": 1.0} if equal_weights else {}
        recipe = recipes(objective="released", independence=independence, **weights)
        made: Any = make_method(recipe, shape)
        if standardised:
            made.common = nn.Sequential(made.common, nets.standardise(recipe.method.common_dim))
            made.salient = nn.Sequential(made.salient, nets.standardise(recipe.method.salient_dim))
        return made  # type: ignore[no-any-return]

    return make


ABLATION: dict[str, Variant] = {
    "released, k-JEM": released("k-jem"),
    "released, k-JEM, codes standardised": released("k-jem", standardised=True),
    "released, k-JEM, λ_S = β = 1": released("k-jem", equal_weights=True),
    "decorrelated, β = 1": decorrelated(1),
    "without D_c, D_s and D_g": decorrelated(1, correlations=()),
    "without D_c": decorrelated(1, correlations=("s_with_c", "c_with_group")),
    "without D_s": decorrelated(1, correlations=("c_with_s", "c_with_group")),
    "without D_g": decorrelated(1, correlations=("c_with_s", "s_with_c")),
    "D without cosines": decorrelated(1, features=0),
    "D with 256 cosines": decorrelated(1, features=256),
    "any negatives": decorrelated(1, neighbours=None),
    "any negatives, without D_c, D_s and D_g": decorrelated(1, neighbours=None, correlations=()),
    "k = 4": decorrelated(1, neighbours=4),
    "k = 16": decorrelated(1, neighbours=16),
    "radius 1": decorrelated(1, radius=1.0),
    "radius 4": decorrelated(1, radius=4.0),
    "decay 0.8": decorrelated(1, decay=0.8),
    "decay 0.99": decorrelated(1, decay=0.99),
    "ridge 0.001": decorrelated(1, ridge=0.001),
    "ridge 0.1": decorrelated(1, ridge=0.1),
    "codes not standardised": decorrelated(1, standardised=False),
    "β = 4, the default": decorrelated(4),
    "β = 10": decorrelated(10),
    "β = 30": decorrelated(30),
}
"""Variants that change one thing in the objective with β = 1. The first three are the objective that it replaces; β was chosen last."""

TRANSFER: dict[str, Variant] = {"released": released("k-jem"), "decorrelated": decorrelated()}


def of_rows(setting: Clusters, seed: int) -> Task:
    """Return a task on rows, drawn separately for every seed."""
    train, test = clusters(setting, seed)
    return Task(partial(of_estimator, seed), Source("Rows", "", train, {"strict": test}, ("common",), ("salient",)))


def of_marked_digits(seed: int) -> Task:
    """Return the task of the demo."""
    train, test = marked_digits.load()
    return Task(partial(usual, "marked-digits", seed=seed), Source("Marked digits", "", train, {"strict": test}, ("digit",), ("mark",)))


def validated(task: Task) -> Task:
    """Replace the test samples with a held-out fifth of the training samples."""
    chosen = np.random.default_rng(0).random(len(task.source.train)) < 0.8
    parts = task.source.train.where(chosen), task.source.train.where(~chosen)
    return replace(task, source=replace(task.source, train=parts[0], tests={"strict": parts[1]}))


def scores(task: Task, train: Probed, test: Probed) -> dict[str, float]:
    """Return probe scores of codes: the four cells and the group, in percent, and δ_tot."""
    rows = probe(train, test, encoder="trained", seed=task.recipe.seed)
    cells = {
        f"{row['attribute']} from {row['space']}": 100 * row["score"]
        for row in rows
        if row["metric"] == "balanced_accuracy" and row["space"] in ("c", "s")
    }
    (common,), (salient,) = task.source.common_attributes, task.source.salient_attributes
    delta = delta_tot(rows, common=[common], salient=[salient])["absolute"]
    return {name.replace(common, "common").replace(salient, "salient"): value for name, value in cells.items()} | {"δ_tot": delta}


def trained(task: Task, variant: Variant) -> dict[str, float]:
    """Train a variant on one thread and return its probe scores and CPU time."""
    source = task.source
    method = variant(task.recipes, source.train.x.shape[1:])
    begin = time.process_time()
    fit(method, task.views, source.train, replace(task.recipe.settings, devices="1"), seed=task.recipe.seed)
    seconds = time.process_time() - begin
    return scores(task, probed(method, source.train), probed(method, source.tests["strict"])) | {"CPU s": seconds}


def components(task: Task) -> dict[str, float]:
    """Return probe scores of two contrastive components as s and principal components of background as c."""
    source = task.source

    def rows(cohort: Cohort) -> NDArray[np.float64]:
        return cohort.x.double().numpy()

    begin = time.process_time()
    y = source.train.is_target.numpy()
    model = ContrastivePCA(n_components=2).fit(rows(source.train), y)
    common = PCA(32).fit(rows(source.train)[~y])

    def codes(cohort: Cohort) -> Probed:
        return Probed(
            {"c": common.transform(rows(cohort)), "s": model.transform(rows(cohort))}, cohort.is_target.numpy(), cohort.attributes
        )

    return scores(task, codes(source.train), codes(source.tests["strict"])) | {"CPU s": time.process_time() - begin}


def ablation(out: Path, seeds: Sequence[int], only: Sequence[str]) -> None:
    """Train every variant on rows and on marked digits."""
    table = Table(out, ablation_cells)
    tasks: dict[str, Callable[[int], Task]] = {
        "rows": lambda seed: of_rows(CLUSTERS["50 features"], seed),
        "marked digits": of_marked_digits,
    }
    for seed in seeds:
        for data, make in tasks.items():
            if only and data not in only:
                continue
            task = validated(make(seed))
            for name, variant in ABLATION.items():
                table.run(name, data, seed, lambda task=task, variant=variant: trained(task, variant))  # type: ignore[misc]


def transfer(out: Path, seeds: Sequence[int], only: Sequence[str], root: Path | None) -> None:
    """Train both objectives on rows of many kinds and, if ``root`` is given, on patterns over photographs."""
    table = Table(out, transfer_cells)
    tasks: dict[str, Callable[[int], Task]] = {
        name: lambda seed, setting=setting: of_rows(setting, seed)
        for name, setting in CLUSTERS.items()  # type: ignore[misc]
    }
    if root is not None:
        for name, source in (("small digits anywhere", small_digits_on_photographs), ("textures", textures_on_photographs)):
            made = source(root)
            tasks[name] = lambda seed, made=made: Task(partial(usual, "digits-on-cifar", seed=seed), made)  # type: ignore[misc]
    for data, make in tasks.items():
        if only and data not in only:
            continue
        for seed in seeds:
            task = make(seed)
            for objective, variant in TRANSFER.items():
                table.run(f"{data} | {objective}", data, seed, lambda task=task, variant=variant: trained(task, variant))  # type: ignore[misc]
            if task.source.train.x.ndim == 2:
                table.run(f"{data} | contrastive PCA", data, seed, lambda task=task: components(task))  # type: ignore[misc]


def main() -> None:
    """Measure and write the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("ablation", "transfer"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--only", default="", help="comma-separated names of data sets (default: all)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    out = options.out or Path(f"results/objective-{options.what}.jsonl")
    seeds = [int(seed) for seed in options.seeds.split(",")]
    only = [name for name in options.only.split(",") if name]
    if options.what == "ablation":
        ablation(out, seeds, only)
    else:
        transfer(out, seeds, only, options.root)


if __name__ == "__main__":
    main()
