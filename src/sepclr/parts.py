"""Parts of a recipe that neither methods nor data sets declare. This module imports nothing heavy.

Each part validates its values, so every recipe that can be constructed can be run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sepclr.errors import InputError
from sepclr.ranges import check_at_least, check_choice, check_image_views, check_positive, check_row_views, check_volume_views

Task = Literal["contrast", "modalities", "debiasing", "domains"]
"""What is known about what samples share: a background that has only that, another modality, classes and a bias, or a second domain."""

EncoderKind = Literal["mlp", "conv", "cnn3", "cnn4", "resnet8", "resnet10", "resnet18", "densenet121"]


@dataclass(frozen=True)
class Data:
    """A data set. Data sets with options have their own class.

    Attributes:
        name: name of the data set.
    """

    name: str


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """The encoders of a method, all of one kind.

    Attributes:
        kind: both encoders: ``mlp`` for rows, ``conv``, ``cnn3``, ``cnn4``, ``resnet8``, ``resnet10``, ``resnet18`` or ``densenet121``.
        width: channels of an encoder's first stage.
        stem_stride: stride of an encoder's stem.
        checkpointing: recompute an encoder's activations in the backward pass instead of storing them; slower, but uses less memory.
        norm: normalisation layers: ``batch``, over the samples of a process, or ``group``, within each sample.
    """

    kind: EncoderKind = "resnet18"
    width: int = 64
    stem_stride: int = 1
    checkpointing: bool = False
    norm: Literal["batch", "group"] = "batch"

    def __post_init__(self) -> None:
        check_at_least(1, width=self.width, stem_stride=self.stem_stride)


@dataclass(frozen=True, kw_only=True)
class ImageAugmentation:
    """Random views of images.

    Attributes:
        crop: side of a view in pixels, or ``auto``: three quarters of an image's shorter side.
        crop_scale: smallest area of a crop, as a fraction of the image.
        crop_ratio: largest ratio of a crop's width to its height; the smallest is its inverse.
        flip: probability of a horizontal flip.
        jitter: strengths of brightness, contrast, saturation and hue.
        jitter_probability: probability that an image is jittered.
        jitter_whole_batch: decide once per batch whether to jitter, as released, instead of once per image.
        grey: probability that a colour image is converted to grey.
    """

    crop: int | Literal["auto"] = 24
    crop_scale: float = 0.2
    crop_ratio: float = 4 / 3
    flip: float = 0.5
    jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.1)
    jitter_probability: float = 0.8
    jitter_whole_batch: bool = False
    grey: float = 0.2

    def __post_init__(self) -> None:
        scale = (self.crop_scale, 1.0)
        crop = 1 if self.crop == "auto" else self.crop
        check_image_views(crop, scale, self.crop_ratio, self.flip, self.jitter, self.jitter_probability, self.grey)

    def side(self, space: Sequence[int]) -> int:
        """Return the side of a view of images with the given sides, in pixels."""
        return max(1, 3 * min(space) // 4) if self.crop == "auto" else self.crop


@dataclass(frozen=True, kw_only=True)
class VolumeAugmentation:
    """Random views of volumes.

    Attributes:
        flip: probability of a left-right flip.
        shift: largest shift along each axis, in voxels.
        rotation: largest rotation around each axis, in degrees.
        blur: largest standard deviation of a Gaussian blur, in voxels.
        gamma: values v become v^γ, with γ between 1/(1 + gamma) and 1 + gamma.
        noise: largest standard deviation of Gaussian noise.
        cutout: probability of blanking a box whose sides are a third of the volume's.
    """

    flip: float = 0.5
    shift: float = 0.0
    rotation: float = 0.0
    blur: float = 0.0
    gamma: float = 0.0
    noise: float = 0.0
    cutout: float = 0.0

    def __post_init__(self) -> None:
        check_volume_views(self.flip, self.shift, self.rotation, self.blur, self.gamma, self.noise, self.cutout)


@dataclass(frozen=True, kw_only=True)
class RowAugmentation:
    """Random views of rows.

    Attributes:
        corruption: probability that a feature takes the value of another sample.
        noise: standard deviation of Gaussian noise, in standard deviations of the features.
    """

    corruption: float = 0.3
    noise: float = 0.1

    def __post_init__(self) -> None:
        check_row_views(self.corruption, self.noise)


Augmentation = ImageAugmentation | VolumeAugmentation | RowAugmentation
"""Random views of samples of each kind."""


@dataclass(frozen=True)
class Settings:
    """How a method is trained.

    Attributes:
        max_epochs: number of epochs; an epoch passes once over the larger group and repeats the smaller.
        batch_size: samples per step, over both groups and all processes.
        learning_rate: step size of Adam.
        schedule: ``constant``, or ``cosine``, a linear warm-up over the first tenth of the steps, then half a cosine to 0.
        precision: Lightning's ``precision`` flag, or ``auto``: bfloat16 autocast where the hardware supports it, otherwise float32.
        accelerator: ``cpu``, ``cuda``, or ``auto``, which uses a GPU if available.
        devices: Lightning's ``devices`` flag, processes on this machine.
        nodes: number of machines; run the same command on each under ``torchrun``.
        strategy: Lightning's ``strategy`` flag.
        workers: number of processes that prefetch samples that are read on access, such as volumes; with 0 the training process reads them.
        loggers: comma-separated logs of the loss terms beside metrics.jsonl: tensorboard, wandb, mlflow; or none.

    Raises:
        InputError: a value outside its range.
    """

    max_epochs: int
    batch_size: int
    learning_rate: float
    schedule: Literal["constant", "cosine"] = "cosine"
    precision: str = "auto"
    accelerator: str = "auto"
    devices: str | int = "auto"
    strategy: str = "auto"
    nodes: int = 1
    workers: int = 0
    loggers: str = "none"

    def __post_init__(self) -> None:
        check_at_least(1, max_epochs=self.max_epochs, batch_size=self.batch_size, nodes=self.nodes)
        check_at_least(0, workers=self.workers)
        check_positive(learning_rate=self.learning_rate)
        check_choice(("constant", "cosine"), schedule=self.schedule)
        for name in self.logger_names:
            check_choice(LOGGERS, loggers=name)

    @property
    def logger_names(self) -> tuple[str, ...]:
        """Names of the loggers, each once."""
        return () if self.loggers == "none" else tuple(dict.fromkeys(name.strip() for name in self.loggers.split(",")))


LOGGERS = ("tensorboard", "wandb", "mlflow")
"""Names of Lightning's loggers that training can write to."""

FIRST = "first"
"""Folder of the records of a first stage, in that of the run."""

MACHINE_FIELDS = ("accelerator", "devices", "nodes", "strategy", "workers", "loggers")
"""Settings that say where a method is trained and logged, not what is computed."""


@dataclass(frozen=True, kw_only=True)
class DecoderOptions:
    """A decoder that is trained on the codes of a finished run.

    Attributes:
        width: channels of the denoiser's first stage, a multiple of 8.
        steps: number of Euler steps of an integration.
        max_epochs: number of epochs; as many as make about 3,000 steps if not given.
        batch_size: samples a step, of both groups together; that of the run if not given.
        learning_rate: step size of Adam.
        precision: Lightning's flag, or ``auto``: float32 on a CPU, bfloat16 autocast on a GPU.
        accelerator: ``cpu``, ``cuda``, or ``auto``, a GPU where there is one.
        seed: random seed of weights, batches and noise.

    Raises:
        InputError: a value outside its range.
    """

    width: int = 32
    steps: int = 16
    max_epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float = 2e-3
    precision: str = "auto"
    accelerator: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least(1, width=self.width, steps=self.steps)
        check_at_least(0, seed=self.seed)
        check_positive(learning_rate=self.learning_rate)
        for name in ("max_epochs", "batch_size"):
            if (value := getattr(self, name)) is not None:
                check_at_least(1, **{name: value})
        if self.width % 8:
            raise InputError(f"width: {self.width} is not a multiple of 8")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Recipe defaults of a data set for one size of machine.

    Attributes:
        encoder: encoder of methods that do not declare their own.
        views: random views for methods that learn from them.
        training: settings of methods that are trained.
        options: method options that differ from their defaults, by flat name, for each of SepCLR's independence terms or each method.
        small: whether methods use the number of epochs that they declare for small machines.
    """

    encoder: Encoder
    views: Augmentation
    training: Settings
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    small: bool = True
