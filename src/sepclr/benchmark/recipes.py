"""Recipes: one experiment each, as plain values. Nothing heavy is imported here, so that the command line answers at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sepclr.benchmark.study import Study
from sepclr.errors import InputError
from sepclr.methods.options import METHODS, Declaration, Options
from sepclr.methods.options.fields import flat

DataName = Literal["marked-digits", "digits-on-cifar", "mri"]
Profile = Literal["cpu", "paper"]
Backend = Literal["loky", "dask"]
if TYPE_CHECKING:
    MethodName: TypeAlias = str
    Independence: TypeAlias = str
    Objective: TypeAlias = str
    Fidelity: TypeAlias = str
else:  # the words that the declarations of the methods have
    MethodName = Literal[tuple(METHODS)]
    Independence, Objective = (Literal[tuple(METHODS["sepclr"].selectors[name])] for name in ("independence", "objective"))
    Fidelity = Literal[tuple(METHODS["sepvae"].selectors["fidelity"])]

NEED_ROOT = ("digits-on-cifar",)
"""Data sets that lie in a folder of the user's."""

MACHINE_FIELDS = ("accelerator", "devices", "nodes", "strategy", "workers")
"""Fields that say where a recipe runs, and nothing about its numbers."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the numbers of one run.

    Attributes:
        data: name of the data set.
        study: the table of subjects, for ``mri``.
        fold: cross-validation fold of the study that is tested, from 0.
        method: what is trained.
        fidelity: the ``paper``'s intent, or what its authors ``released`` where that differs (cvae, sepvae).
        objective: SepCLR's terms: ``decorrelated`` (ours), as ``released``, or as ``published``.
        further_views: views of a sample beside the first (SepCLR).
        seed: random seed of weights, batches, views and bootstrap.
        independence: how SepCLR keeps c and s apart: ``decorrelation`` where the objective is ``decorrelated``, else a term (k-jem).
        critic_over: samples that the critic of a total correlation looks at, ``all`` or ``target``.
        critic_steps: steps of a critic before each step of the encoders; the method's own if not given.
        critic_learning_rate: step size of a critic; the method's own if not given.
        critic_log_variance: largest size of a log-variance of SepCLR's conditional densities.
        encoder: kind of both encoders: ``conv``, ``cnn3``, ``cnn4``, ``resnet8``, ``resnet10``, ``resnet18`` or ``densenet121``.
        width: channels of an encoder's first stage.
        stem_stride: stride of an encoder's stem.
        checkpointing: compute an encoder's activations again for the gradient instead of keeping them: slower, with less memory.
        norm: ``batch``, over the samples of a process, or ``group``, within each sample.
        common_dim: length of c.
        salient_dim: length of s.
        tau: kernel bandwidth τ, or ``median`` for the median heuristic in each space.
        tau_salient: kernel bandwidth of the salient space, where it is another.
        weight_reconstruction: of the squared error; as published for the method if not given, like all weights.
        weight_common: λ_C of SepCLR, β_c of the variational methods.
        weight_salient: λ_S of SepCLR, β_s of the variational methods.
        weight_information_less: β of SepCLR, β_s α of SepVAE, λ_s of MM-cVAE.
        weight_independence: λ of SepCLR, γ of cVAE and ConVAE, κ of SepVAE.
        weight_shared: λ_c of MM-cVAE.
        weight_classification: γ of SepVAE.
        views: ``random``, or ``none`` for methods that reconstruct.
        crop: side of a view of an image, in pixels.
        crop_scale: smallest area of a crop, as a fraction of the image.
        crop_ratio: largest ratio of a crop's width to its height; the smallest is its inverse.
        flip: probability that left and right are exchanged.
        jitter: strengths of brightness, contrast, saturation and hue.
        jitter_probability: probability that an image is jittered.
        jitter_whole_batch: one coin per batch for the jitter, as released, instead of one per image.
        grey: probability that a colour image is turned grey.
        shift: largest shift of a volume along each axis, in voxels.
        rotation: largest turn of a volume around each axis, in degrees.
        blur: largest standard deviation of a volume's blur, in voxels.
        gamma: a volume's values v become v^γ, γ between 1/(1 + gamma) and 1 + gamma.
        noise: largest standard deviation of noise on a volume.
        cutout: probability that a box of a third of a volume's sides is blanked.
        max_epochs: epochs; each passes once over the larger group and repeats the smaller.
        batch_size: samples a step, of both groups together.
        learning_rate: Adam's step size.
        schedule: ``constant``, or ``cosine`` with a linear warm-up.
        precision: Lightning's flag, or ``auto``.
        accelerator: Lightning's flag.
        devices: Lightning's flag, processes on this machine.
        nodes: machines, each of which runs the same command under torchrun.
        strategy: Lightning's flag.
        workers: processes that read volumes ahead.
    """

    data: DataName
    study: Study | None = None
    fold: int = 0
    method: MethodName = "sepclr"
    fidelity: Fidelity = "paper"
    objective: Objective = "released"
    further_views: int = 1
    seed: int = 0
    independence: Independence = "k-jem"
    critic_over: Literal["all", "target"] = "all"
    critic_steps: int | None = None
    critic_learning_rate: float | None = None
    critic_log_variance: float = 1.0
    encoder: Literal["conv", "cnn3", "cnn4", "resnet8", "resnet10", "resnet18", "densenet121"] = "resnet18"
    width: int = 64
    stem_stride: int = 1
    checkpointing: bool = False
    norm: Literal["batch", "group"] = "batch"
    common_dim: int = 32
    salient_dim: int = 32
    tau: float | Literal["median"] = 0.5
    tau_salient: float | Literal["median"] | None = None
    weight_reconstruction: float | None = None
    weight_common: float | None = None
    weight_salient: float | None = None
    weight_information_less: float | None = None
    weight_independence: float | None = None
    weight_shared: float | None = None
    weight_classification: float | None = None
    views: Literal["random", "none"] = "random"
    crop: int = 24
    crop_scale: float = 0.2
    crop_ratio: float = 4 / 3
    flip: float = 0.5
    jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.1)
    jitter_probability: float = 0.8
    jitter_whole_batch: bool = False
    grey: float = 0.2
    shift: float = 0.0
    rotation: float = 0.0
    blur: float = 0.0
    gamma: float = 0.0
    noise: float = 0.0
    cutout: float = 0.0
    max_epochs: int = 250
    batch_size: int = 512
    learning_rate: float = 3e-4
    schedule: Literal["constant", "cosine"] = "constant"
    precision: str = "auto"
    accelerator: str = "auto"
    devices: str = "auto"
    nodes: int = 1
    strategy: str = "auto"
    workers: int = 0

    @property
    def label(self) -> str:
        """Display name: SepCLR's way to independence, the method for others."""
        return self.independence if self.method == "sepclr" else self.method


def way_of(objective: Objective | None, independence: Independence | None) -> Independence:
    """Choose SepCLR's way to independence by the options that are given: each of the two decides the other."""
    return independence or ("decorrelation" if objective in (None, "decorrelated") else "k-jem")


METHOD_FIELDS = tuple(dict.fromkeys(name for method in METHODS.values() for name in method.defaults))
"""Fields that are options of a method; which of them, its declaration says."""


def declared(recipe: Recipe) -> Declaration:
    """Return what the method of a recipe declares of itself.

    Raises:
        InputError: an unknown method.
    """
    if recipe.method not in METHODS:
        raise InputError(f"method: {recipe.method!r} is unknown; choose {', '.join(METHODS)}")
    return METHODS[recipe.method]


def method_options(recipe: Recipe) -> Options:
    """Make the options of a recipe's method, complete.

    Raises:
        InputError: an option that the method does not have, or a value that it cannot have.
    """
    method = declared(recipe)
    asked: dict[str, Any] = {}
    for name in METHOD_FIELDS:
        value = getattr(recipe, name)
        if name in ("common_dim", "salient_dim", *method.selectors):
            asked |= {name: value} if name in method.defaults else {}
        elif name != "independence" and value != getattr(Recipe, name):
            asked[name] = value
    return method.asked(asked)


def resolved(recipe: Recipe) -> Recipe:
    """Write the method's own weights and critic settings into a recipe where it gives none; what the method does not have stays None.

    Raises:
        InputError: as ``method_options``.
    """
    values = flat(method_options(recipe))
    return replace(recipe, **{name: value for name, value in values.items() if getattr(recipe, name) is None})


def shared(recipe: Recipe) -> dict[str, Any]:
    """List the fields of a recipe as others may see them: of a study whose content is known the table's name, not its folder."""
    values = asdict(recipe)
    if recipe.study:
        del values["study"]["folds_file"]  # stored with the runs, identified by its digest
    if recipe.study and recipe.study.content:
        names = {field: Path(path).name for field in ("table", "mask") if (path := values["study"][field])}
        values["study"] = values["study"] | names
    return values


def changed(recipe: Recipe, options: Mapping[str, Any]) -> Recipe:
    """Replace the fields of a recipe that were given, that is, are not None."""
    return replace(recipe, **{name: value for name, value in options.items() if name in vars(recipe) and value is not None})
