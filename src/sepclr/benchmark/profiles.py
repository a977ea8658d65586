"""The recipes that ship: one for each data set and size of machine, and what other methods change of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from sepclr.benchmark.recipes import (
    DataName,
    Independence,
    MethodName,
    Profile,
    Recipe,
    changed,
    way_of,
)
from sepclr.methods.options import METHODS

PAPER = Recipe(data="digits-on-cifar")
"""Digits on CIFAR-10 with the settings that the authors released: two ResNet-18s, 250 epochs of batch 512.

Command: sepclr benchmark digits-on-cifar --root DIR --profile paper
Hardware: one GPU; days on a CPU.
Result: none yet.
Source: SepCLR (arXiv 2402.11928), Table 1 and the authors' release. The jitter's coin is tossed per image, theirs per batch.
"""

CPU = replace(PAPER, encoder="cnn3", width=32, stem_stride=2, max_epochs=4, batch_size=128, learning_rate=3e-3, schedule="cosine")
"""Digits on CIFAR-10 in minutes on a CPU: two networks of three plain convolutions, four epochs.

Command: sepclr benchmark digits-on-cifar --root DIR
Hardware: one core a row, at most 8 CPU-minutes, without AVX-512 or bfloat16 too.
Result: results/digits-on-cifar-cpu.jsonl.
"""

DEMO = Recipe(
    data="marked-digits",
    encoder="cnn4",
    width=16,
    stem_stride=2,
    salient_dim=16,
    weight_salient=3.0,
    weight_information_less=3.0,
    crop=28,
    crop_scale=0.6,
    crop_ratio=1.1,
    flip=0.0,
    jitter=(0.4, 0.0, 0.0, 0.0),
    jitter_probability=1.0,
    max_epochs=15,
    batch_size=128,
    learning_rate=2e-3,
    schedule="cosine",
)
"""Marked digits, the demo.

Command: sepclr demo
Hardware: two cores; two runs, at most 6 CPU-minutes, without AVX-512 or bfloat16 too.
Result: results/marked-digits.jsonl.
"""

MRI = Recipe(
    data="mri",
    encoder="resnet18",
    stem_stride=2,
    salient_dim=32,
    weight_salient=3.0,
    weight_information_less=3.0,
    shift=4.0,
    rotation=5.0,
    blur=1.0,
    gamma=0.2,
    noise=0.05,
    cutout=0.5,
    max_epochs=200,
    batch_size=64,
    learning_rate=1e-3,
    schedule="cosine",
)
"""Volumes of the brain with ResNet-18s, for a GPU.

Command: sepclr benchmark mri --profile paper --table participants.tsv …
Hardware: one GPU.
Result: none yet.
"""

MRI_CPU = replace(
    MRI,
    encoder="resnet10",
    width=16,
    salient_dim=16,
    weight_independence=40.0,
    shift=1.0,
    blur=0.5,
    gamma=0.1,
    cutout=0.0,
    max_epochs=70,
    batch_size=72,
    learning_rate=2e-3,
)
"""Volumes of about 40 x 48 x 40 voxels with narrow ResNet-10s.

Command: sepclr benchmark mri --spacing 4 --table participants.tsv …
Hardware: one core a row.
Result: results/ixi-implants.jsonl.
"""

PROFILES: dict[tuple[DataName, Profile], Recipe] = {
    ("digits-on-cifar", "cpu"): CPU,
    ("digits-on-cifar", "paper"): PAPER,
    ("marked-digits", "cpu"): DEMO,
    ("mri", "cpu"): MRI_CPU,
    ("mri", "paper"): MRI,
}
"""SepCLR's recipe for each data set and size of machine, with the released objective and k-JEM; ``adapted`` makes the others of it."""


def adapted(recipe: Recipe, method: MethodName, independence: Independence = "decorrelation") -> Recipe:
    """Turn the recipe of a profile into that of one way to independence, or of another method on the same data.

    Decorrelation has no weight to choose, and both codes are as long as the common one. The variational methods get the small convolutional
    networks, 64 + 64 dimensions (of brains as many as the others), step size 1e-3 and whole images, as released. In small profiles the
    batch is that of the other methods, 128 in place of 512: four times the steps in the time that there is. The schedule is that of the
    other methods, too. Principal components have no networks, views or training; of brains there are 60.
    """
    none: dict[str, Any] = {field.name: None for field in fields(Recipe) if field.name.startswith("weight_")}
    if method == "sepclr" and independence == "decorrelation":
        return replace(recipe, objective="decorrelated", independence=independence, salient_dim=recipe.common_dim, **none)
    if method == "sepclr":
        return replace(recipe, independence=independence)
    declaration = METHODS[method]
    if not declaration.trained:
        dims = (60, 60) if recipe.data == "mri" else (recipe.common_dim, recipe.salient_dim)
        bare = Recipe(recipe.data, recipe.study, recipe.fold, method, seed=recipe.seed, independence="none", views="none", max_epochs=1)
        return replace(bare, common_dim=dims[0], salient_dim=dims[1])
    epochs = recipe.max_epochs if recipe in (PAPER, MRI) else declaration.epochs.get(recipe.data, recipe.max_epochs)
    recipe = replace(recipe, method=method, independence="none", max_epochs=epochs, **none)
    if declaration.encoder is None:
        return recipe
    sizes: dict[str, Any] = {"common_dim": 64, "salient_dim": 64} if recipe.data != "mri" else {}
    plain: dict[str, Any] = {
        "encoder": declaration.encoder,
        "width": declaration.width,
        "learning_rate": declaration.learning_rate or recipe.learning_rate,
        "views": "random" if declaration.views else "none",
    }
    return replace(recipe, **plain, **sizes)


def asked(usual: Recipe, given: Mapping[str, Any]) -> Recipe:
    """Turn the recipe of a profile into the one that options ask for; what is None was not given."""
    way = way_of(given.get("objective"), given.get("independence"))
    return changed(adapted(usual, given.get("method") or "sepclr", way), given)


def compared(usual: Recipe, given: Mapping[str, Any]) -> list[Recipe]:
    """List the recipe that options ask for and, beside it, what it replaces: k-JEM for decorrelation, nothing for other ways."""
    recipe = asked(usual, given)
    instead: dict[str, Any] = {"independence": "none"}
    if recipe.independence == "decorrelation":
        instead = {"objective": "released", "independence": "k-jem"}
    return [recipe, *([] if recipe.independence == instead["independence"] else [asked(usual, {**given, **instead})])]
