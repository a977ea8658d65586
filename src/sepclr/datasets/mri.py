"""Brain volumes of subjects in two groups, with a table of the groups and attributes of the subjects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sepclr.data.study import Own
from sepclr.datasets.base import DataSet
from sepclr.errors import InputError
from sepclr.imaging.study import BrainStudy
from sepclr.parts import Encoder, Profile, Settings, VolumeAugmentation


def _load(data: Own, root: Path | None, download: bool) -> Any:
    from sepclr.datasets.source import Source
    from sepclr.imaging.subjects import cohorts

    study = data.study
    if not isinstance(study, BrainStudy):
        raise InputError("study: mri needs subjects; give --bids or --table, and the roles of columns")
    train, test = cohorts(study, data.fold, root)
    corrected = study.harmonise != "none"
    return Source(
        f"{DATA_SET.title}: {' or '.join(study.target)} against {' or '.join(study.background)}",
        DATA_SET.lead,
        train=train,
        tests={"strict": test},
        common_attributes=[*study.common, *([study.site] if study.site and not corrected else [])],
        salient_attributes=study.salient,
        everyone=True,
        target_groups=study.target_names,
        site=study.site if corrected else None,
        harmonise=study.harmonise,
        unwanted=[study.site] if study.site and corrected else [],
    )


def _options(salient_dim: int, **released: float) -> dict[str, dict[str, Any]]:
    """Return method options: equal code lengths across methods with two codes, except decorrelation; 60 components without networks."""
    variational = {name: {"common_dim": 32, "salient_dim": salient_dim} for name in ("cvae", "convae", "mm-cvae", "sepvae")}
    linear = {name: {"common_dim": 60, "salient_dim": 60} for name in ("pca", "contrastive-pca")}
    weights = {"weight_salient": 3.0, "weight_information_less": 3.0}
    return {"decorrelation": {}, "sepclr": {"salient_dim": salient_dim} | weights | released, **variational, **linear}


PAPER = Profile(
    encoder=Encoder(kind="resnet18", stem_stride=2),
    views=VolumeAugmentation(shift=4.0, rotation=5.0, blur=1.0, gamma=0.2, noise=0.05, cutout=0.5),
    training=Settings(max_epochs=200, batch_size=64, learning_rate=1e-3),
    options=_options(32),
    small=False,
)
"""Volumes of the brain with ResNet-18s, for a GPU.

Command: sepclr benchmark mri --profile paper --table participants.tsv …
Hardware: one GPU.
Result: none yet.
"""

CPU = Profile(
    encoder=Encoder(kind="resnet10", width=16, stem_stride=2),
    views=VolumeAugmentation(shift=1.0, rotation=5.0, blur=0.5, gamma=0.1, noise=0.05),
    training=Settings(max_epochs=70, batch_size=72, learning_rate=2e-3),
    options=_options(16, weight_independence=40.0),
)
"""Volumes of about 40 x 48 x 40 voxels with narrow ResNet-10s.

Command: sepclr benchmark mri --spacing 4 --table participants.tsv …
Hardware: one core per row.
Result: results/ixi-implants.jsonl.
"""

DATA_SET = DataSet(
    options=Own("mri"),
    study=BrainStudy,
    needs="brains",
    title="Brains",
    lead="Background and target are groups of subjects, with a brain volume for each subject. What both groups share belongs in c, "
    "what only the target has in s.",
    about="brain volumes, from a table or a BIDS tree, with groups and attributes of the subjects",
    load=_load,
    profiles={"cpu": CPU, "paper": PAPER},
)
