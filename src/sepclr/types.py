"""Types shared across the package: batches, codes, the interface of a method, and rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple, NotRequired, Protocol, TypedDict, runtime_checkable

from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from sepclr.errors import InputError as InputError  # also a public name here

Scalar = Float[Tensor, ""]
Outputs = Mapping[str, Tensor]
"""Per-sample tensors of a method, each of shape (n, ...); they are gathered over processes before the terms are computed."""

TARGET_GROUP = "target_group"
"""Name in ``Batch.extra`` of the target group of each sample, where there are several."""


class Batch(NamedTuple):
    """Samples of both groups.

    Attributes:
        x: samples, shape (n, features) or (n, channels, *space); uint8 in 0..255 or floating point.
        is_target: True for target samples, False for background, shape (n,).
        extra: what else a method trains on, by name: classes, int64, shape (n,), or another modality of the samples, shape (n, ...).
    """

    x: Shaped[Tensor, "n ..."]
    is_target: Bool[Tensor, " n"]
    extra: Mapping[str, Tensor] = MappingProxyType({})


class Codes(NamedTuple):
    """Common code c, shape (n, d_c), and salient code s, shape (n, d_s), of the same samples."""

    c: Float[Tensor, "n d_c"]
    s: Float[Tensor, "n d_s"]


@runtime_checkable
class DataclassInstance(Protocol):
    """Any instance of a dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


@runtime_checkable
class Method(Protocol):
    """Interface of a method for training and evaluation; implementations are ``torch.nn.Module``."""

    @property
    def weights(self) -> DataclassInstance:
        """One multiplier per term, under the same names."""
        ...

    def outputs(self, one: Batch, two: Batch, /) -> Outputs:
        """Compute what the terms need from two views of the same samples, on this process only."""
        ...

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted terms on the whole batch, without side effects."""
        ...

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute the codes of samples."""
        ...


@runtime_checkable
class HasFurtherViews(Protocol):
    """A method that takes more than two views of each sample: ``outputs(one, two, three, …)``."""

    @property
    def further_views(self) -> int:
        """Number of views of a sample beyond the first."""
        ...


@runtime_checkable
class HasModality(Protocol):
    """A method with a part that encodes another modality."""

    @property
    def other(self) -> Method:
        """The part, a method of its own; c is its code."""
        ...

    @property
    def other_sees(self) -> str:
        """Name of the modality, a key of ``Batch.extra``."""
        ...

    @property
    def other_first(self) -> bool:
        """Whether the part is trained first, alone, and then frozen."""
        ...


@runtime_checkable
class HasCounts(Protocol):
    """A method that needs to know how often classes occur among all training samples."""

    def count(self, extra: Mapping[str, Tensor], is_target: Bool[Tensor, " n"]) -> None:
        """Store, in buffers, facts about the classes and groups of all training samples; called once, before training."""
        ...


@runtime_checkable
class HasProgress(Protocol):
    """A method with weights that change in the course of training."""

    def advance(self, share: float) -> None:
        """Note the share of the steps that are done, 0..1; called before each step."""
        ...


@runtime_checkable
class HasDraws(Protocol):
    """A method whose batches are not drawn from background and target."""

    @property
    def evened(self) -> Sequence[str]:
        """Names of classes in ``Batch.extra`` whose combinations are drawn equally often; if empty, samples are."""
        ...


@runtime_checkable
class HasClassifier(Protocol):
    """A method that predicts classes."""

    def classify(self, codes: Codes) -> Float[Tensor, "n classes"]:
        """Return the logits of the classes of samples."""
        ...


@runtime_checkable
class HasCritic(Protocol):
    """A method with an adversary, the critic; training alternates between its parameters and the others."""

    @property
    def critic_steps(self) -> int:
        """Number of critic steps before each step of the other parameters."""
        ...

    @property
    def critic_learning_rate(self) -> float:
        """Step size of the critic, constant throughout training."""
        ...

    def critic_parameters(self) -> Sequence[nn.Parameter]:
        """Return the critic's parameters, or an empty sequence if the method has no critic."""
        ...

    def critic_loss(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> Scalar:
        """Compute the critic's loss on the whole batch, without side effects; ``out`` is detached."""
        ...


class Steering(NamedTuple):
    """How a step changes the gradients of some outputs before they reach the encoders.

    Attributes:
        gradients: for each output, a function that maps its gradient on the whole batch, shape (n, ...), to another. Loss scaling and
            averaging over processes multiply gradients, so a function must preserve factors: f(2g) = 2f(g).
        logged: scalars to log.
    """

    gradients: Mapping[str, Callable[[Tensor], Tensor]]
    logged: Mapping[str, Scalar]


@runtime_checkable
class HasSteering(Protocol):
    """A method that changes the gradient of its codes, in addition to its terms."""

    def steering(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> Steering:
        """Return how a step changes the gradients of outputs, which are detached and come from the whole batch.

        It may update running statistics in buffers, because it is called once per step, with the same values on every process.
        """
        ...


@runtime_checkable
class HasHeads(Protocol):
    """A method whose losses see a projection of the codes; evaluation then probes both."""

    def project(self, codes: Codes) -> Codes:
        """Map codes to projections."""
        ...


@runtime_checkable
class HasDecoder(Protocol):
    """A method that decodes codes to samples."""

    def reconstruct(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Reconstruct targets from their codes."""
        ...

    def without_salient(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Reconstruct targets as if they were background."""
        ...

    def swap(self, x: Float[Tensor, "n ..."], donor: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Replace the salient patterns of targets by those of others, the donors."""
        ...

    def add_salient(self, x: Float[Tensor, "n ..."], donor: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Put the salient patterns of targets, the donors, onto background."""
        ...


class Row(TypedDict):
    """One score of an evaluation: how well one attribute is decoded from one space."""

    attribute: str
    space: str
    """``c``, ``s``, their projections ``c_head``, ``s_head``, the code ``w`` of another modality, ``w_to_c`` (c, by a probe of w), or a
    method's own ``prediction``."""
    encoder: str
    """``trained`` or ``untrained``: the same networks before the first step."""
    protocol: str
    """``strict`` or ``published``."""
    metric: str
    """``balanced_accuracy``, ``accuracy`` (both 0..1, higher is better) or ``mae`` (units of the attribute, lower is better)."""
    score: float
    low: float
    """Lower end of the 95 % bootstrap interval over test samples, or over subjects where they have several."""
    high: float
    """Upper end of that interval."""
    chance: float
    """Score of the best constant prediction."""
    n_train: int
    n_test: int
    target: NotRequired[str]
    """Target group against which background was compared, where there are several."""
