"""Images from a user's folders, one for each group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sepclr.data.image_study import ImageStudy
from sepclr.data.study import Own
from sepclr.datasets.base import DataSet
from sepclr.errors import InputError
from sepclr.parts import Encoder, ImageAugmentation, Profile, Settings


def _load(data: Own, root: Path | None, download: bool) -> Any:
    from sepclr.data.image_files import cohorts
    from sepclr.datasets.source import Source

    study = data.study
    if not isinstance(study, ImageStudy):
        raise InputError("study: images need folders; give --background and --target")
    train, test, members = cohorts(study, data.fold, root)
    return Source(
        f"{DATA_SET.title}: {' and '.join(Path(each).name for each in study.target)} against {Path(study.background).name}",
        DATA_SET.lead,
        train=train,
        tests={"strict": test},
        common_attributes=members.common,
        salient_attributes=members.salient,
        everyone=True,
        target_groups=study.target_names,
    )


PAPER = Profile(
    encoder=Encoder(kind="resnet18"),
    views=ImageAugmentation(crop="auto"),
    training=Settings(max_epochs=250, batch_size=512, learning_rate=3e-4, schedule="constant"),
    small=False,
)
"""Settings of SepCLR for digits on CIFAR-10; for images of more than 64 pixels, add --stem-stride 2.

Command: sepclr fit images --profile paper --background DIR --target DIR
Hardware: one GPU.
Result: none yet.
"""

CPU = Profile(
    encoder=Encoder(kind="cnn3", width=32, stem_stride=2),
    views=ImageAugmentation(crop="auto"),
    training=Settings(max_epochs=20, batch_size=128, learning_rate=3e-3),
)
"""Two networks of three plain convolutions.

Command: sepclr fit images --background DIR --target DIR
Hardware: one core.
Result: none yet.
"""

DATA_SET = DataSet(
    options=Own("images"),
    study=ImageStudy,
    title="Images",
    lead="Background and target are folders of images. What both groups share belongs in c, what only the target has in s.",
    about="images in folders, one for each group",
    load=_load,
    profiles={"cpu": CPU, "paper": PAPER},
)
