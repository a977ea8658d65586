"""Recipes: one experiment each, as plain values. Nothing heavy is imported here, so that the command line answers at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from sepclr.benchmark.study import Study

DataName = Literal["marked-digits", "digits-on-cifar", "mri"]
Independence = Literal[
    "none",
    "k-jem",
    "k-mi",
    "vclub-sym",
    "vclub-c2s",
    "vclub-s2c",
    "vl1out-sym",
    "vl1out-c2s",
    "vl1out-s2c",
    "vub-sym",
    "vub-c2s",
    "vub-s2c",
    "tc",
    "mmd",
    "hsic",
]
Profile = Literal["cpu", "paper"]
Backend = Literal["loky", "dask"]
MethodName = Literal["sepclr", "cvae", "convae", "mm-cvae", "sepvae", "simclr", "simclr-target", "pca", "contrastive-pca"]
VARIATIONAL = ("cvae", "convae", "mm-cvae", "sepvae")
"""Methods with a decoder."""

LINEAR = ("pca", "contrastive-pca")
"""Baselines without networks or training."""

NEED_ROOT = ("digits-on-cifar",)
"""Data sets that lie in a folder of the user's."""

WHERE = ("accelerator", "devices", "nodes", "strategy", "workers")
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
        form: SepCLR's terms as ``released``, or as the ``paper`` prints them.
        further_views: views of a sample beside the first (SepCLR).
        seed: random seed of weights, batches, views and bootstrap.
        independence: SepCLR's independence term.
        adversary_over: samples that the critic of a total correlation looks at, ``all`` or ``target``.
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
        weight_information_less: β of SepCLR, α of SepVAE, λ_s of MM-cVAE.
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
    fidelity: Literal["paper", "released"] = "paper"
    form: Literal["released", "paper"] = "released"
    further_views: int = 1
    seed: int = 0
    independence: Independence = "k-jem"
    adversary_over: Literal["all", "target"] = "all"
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
        """Display name: the independence term of SepCLR, the method for others."""
        return self.independence if self.method == "sepclr" else self.method


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
"""SepCLR's recipe for each data set and size of machine."""

EPOCHS: dict[DataName, dict[MethodName, int]] = {
    "digits-on-cifar": {"cvae": 4, "convae": 4, "mm-cvae": 4, "sepvae": 4, "simclr": 6, "simclr-target": 6},
    "marked-digits": {"cvae": 25, "convae": 25, "mm-cvae": 25, "sepvae": 25, "simclr": 30, "simclr-target": 30},
    "mri": {"cvae": 100, "convae": 100, "mm-cvae": 100, "sepvae": 100, "simclr": 200, "simclr-target": 200},
}
"""Epochs of the other methods' CPU recipes: about the time of SepCLR's on the same core."""


def adapted(recipe: Recipe, method: MethodName) -> Recipe:
    """Turn SepCLR's recipe into that of another method on the same data.

    The variational methods get the small convolutional networks, 64 + 64 dimensions (of brains as many as the others), step size 1e-3 and
    whole images, as released. In small profiles the batch is that of the other methods, 128 in place of 512: four times the steps in the
    time that there is. The schedule is that of the other methods, too. Principal components have no networks, views or training; of brains
    there are 60.
    """
    if method == "sepclr":
        return recipe
    if method in LINEAR:
        dims = (60, 60) if recipe.data == "mri" else (recipe.common_dim, recipe.salient_dim)
        bare = Recipe(recipe.data, recipe.study, recipe.fold, method, seed=recipe.seed, independence="none", views="none", max_epochs=1)
        return replace(bare, common_dim=dims[0], salient_dim=dims[1])
    none = {field.name: None for field in fields(Recipe) if field.name.startswith("weight_")}
    epochs = recipe.max_epochs if recipe in (PAPER, MRI) else EPOCHS[recipe.data][method]
    recipe = replace(recipe, method=method, independence="none", max_epochs=epochs, **none)  # type: ignore[arg-type]
    if method not in VARIATIONAL:
        return recipe
    sizes: dict[str, Any] = {"common_dim": 64, "salient_dim": 64} if recipe.data != "mri" else {}
    plain: dict[str, Any] = {"encoder": "conv", "width": 32, "learning_rate": 1e-3, "views": "none"}
    return replace(recipe, **plain, **sizes)


def shared(recipe: Recipe) -> dict[str, Any]:
    """List the fields of a recipe as others may see them: of a study whose content is known the table's name, not its folder."""
    values = asdict(recipe)
    if recipe.study:
        del values["study"]["folds_file"]  # it lies beside the runs; deal says what is in it
    if recipe.study and recipe.study.content:
        names = {field: Path(path).name for field in ("table", "mask") if (path := values["study"][field])}
        values["study"] = values["study"] | names
    return values


def changed(recipe: Recipe, options: dict[str, Any]) -> Recipe:
    """Replace the fields of a recipe that were given, that is, are not None."""
    return replace(recipe, **{name: value for name, value in options.items() if name in vars(recipe) and value is not None})
