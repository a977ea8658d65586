"""Predict a class y from a code c that does not depend on a known bias b, and simpler methods to compare with.

An encoder gives c, standardised and then normalised to the unit sphere; its logits are 10 h(c) with h linear. There is no s. On batches of
one view of each sample,

    debiased           mean CE(10 h(c), y) + λ J(c, b)                       all pairs (y, b) drawn equally often
    balanced-batches   mean CE(10 h(c), y)                                   the same batches
    erm                mean CE(10 h(c), y)                                   batches of all samples alike, as in all that follow
    reweighting        mean w(y, b) CE(10 h(c), y),  w ∝ 1 / N(y, b)
    logit-adjustment   mean CE(10 h(c) + log(p(y | b) + 1e-9), y)
    group-dro          Σ_g q_g CE_g,  q_g ∝ q_g exp(0.01 CE_g) at each step  all pairs g = (y, b) drawn equally often

J is k-JEM, −Ĥ(c, b), or k-MI, of SepCLR (Louiset et al., ICLR 2024, arXiv 2402.11928), with the one-hot code of b in the place of s: with
τ = 0.5 the kernel of two samples of different bias is e⁻². SepCLR has no experiment of this kind; the objective is ours. Balanced batches
and weights are compared by Idrissi et al. (CLeaR 2022, arXiv 2110.14503). Group DRO (Sagawa et al., ICLR 2020, arXiv 1911.08731) follows
their program, github.com/kohpangwei/group_DRO, with ``--reweight_groups``, without its adjustment by group size; pairs that do not occur
have q = 0. Logit adjustment is the BiasBal of Hong & Yang (NeurIPS 2021), after Menon et al. (ICLR 2021, arXiv 2007.07314); p(y | b) is the
share among training samples. All have the same networks and Adam, without the weight decay and the networks of the papers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize, one_hot

from sepclr.losses import full_precision, joint_entropy, kernel_mutual_information
from sepclr.methods.options.debiased import (
    BalancedOptions,
    ClassificationWeights,
    DebiasedOptions,
    DebiasedWeights,
    GroupDROOptions,
    LogitAdjustmentOptions,
    PlainOptions,
    ReweightingOptions,
)
from sepclr.nets import Networks
from sepclr.ranges import check_choice, check_positive
from sepclr.types import Batch, Codes, Outputs, Scalar, Steering

AnyOptions = DebiasedOptions | BalancedOptions | PlainOptions | ReweightingOptions | GroupDROOptions | LogitAdjustmentOptions

SCALE = 10.0
"""Factor of the logits: those of codes of length 1 would be too small for a confident prediction."""
PAIRS = ("label", "bias")
"""What is drawn equally often."""
SMALLEST = 1e-9
"""Added to frequencies before the logarithm, as by Hong & Yang."""


class Classifier(nn.Module):
    """A classifier of a code on the unit sphere, with the mean cross-entropy.

    Args:
        common: encoder from samples (n, ...) to (n, d_c).
        standardise: layer without parameters that scales the encoder's outputs.
        classifier: linear layer from codes (n, d_c) to logits (n, classes).
        evened: names of classes whose combinations are drawn equally often; if empty, samples are.
        weights: weight of each term.
    """

    further_views = 0

    def __init__(
        self,
        common: nn.Module,
        standardise: nn.Module,
        classifier: nn.Linear,
        *,
        evened: Sequence[str] = (),
        weights: ClassificationWeights | None = None,
    ) -> None:
        super().__init__()
        self.common, self.standardise, self.classifier = common, standardise, classifier
        self.evened = evened
        self.weights: ClassificationWeights | DebiasedWeights = weights or ClassificationWeights()

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute c on the unit sphere, shape (n, d_c); s is 0, shape (n, 1)."""
        c = normalize(self.standardise(full_precision(self.common(x))))
        return Codes(c, c.new_zeros(c.shape[0], 1))

    def classify(self, codes: Codes) -> Float[Tensor, "n classes"]:
        """Compute the logits of the classes, shape (n, classes)."""
        with torch.autocast(codes.c.device.type, enabled=False):
            return SCALE * self.classifier(codes.c)  # type: ignore[no-any-return]

    def outputs(self, *views: Batch) -> Outputs:
        """Compute c, shape (n, d_c), and the logits, shape (n, classes), of one view, beside the classes ``label`` and ``bias``."""
        codes = self.encode(views[0].x)
        return {"c": codes.c, "logits": self.classify(codes), **{name: views[0].extra[name] for name in PAIRS if name in views[0].extra}}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the term ``classification``."""
        return {"classification": cross_entropy(out["logits"], out["label"])}


class Debiased(Classifier):
    """Balanced batches, and a term that makes c independent of the bias.

    Args:
        common: as for ``Classifier``, like ``standardise`` and ``classifier``.
        standardise: see there.
        classifier: see there.
        biases: number of classes of the bias.
        independence: ``k-jem`` or ``k-mi``.
        weights: weight of each term.
        tau: kernel bandwidth τ.

    Raises:
        InputError: an unknown independence term, or a bandwidth that is not positive.
    """

    def __init__(
        self,
        common: nn.Module,
        standardise: nn.Module,
        classifier: nn.Linear,
        *,
        biases: int,
        independence: str = "k-jem",
        weights: DebiasedWeights | None = None,
        tau: float = 0.5,
    ) -> None:
        super().__init__(common, standardise, classifier, evened=PAIRS)
        check_choice(("k-jem", "k-mi"), independence=independence)
        check_positive(tau=tau)
        self.biases, self.independence, self.tau = biases, independence, tau
        self.weights = weights or DebiasedWeights()

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted terms ``classification`` and ``independence``."""
        return {"classification": cross_entropy(out["logits"], out["label"]), "independence": self._dependence(out["c"], out["bias"])}

    def _dependence(self, c: Tensor, bias: Tensor) -> Scalar:
        measure = joint_entropy if self.independence == "k-jem" else kernel_mutual_information
        return measure(c, one_hot(bias, self.biases).to(c.dtype), self.tau)


class Reweighted(Classifier):
    """Cross-entropy with weights inverse to how often the pair of class and bias occurs; their mean over training samples is 1.

    Args:
        common: as for ``Classifier``, like ``standardise`` and ``classifier``.
        standardise: see there.
        classifier: see there.
        biases: number of classes of the bias.
        weights: weight of the term.
    """

    of_pair: Tensor

    def __init__(
        self,
        common: nn.Module,
        standardise: nn.Module,
        classifier: nn.Linear,
        *,
        biases: int,
        weights: ClassificationWeights | None = None,
    ) -> None:
        super().__init__(common, standardise, classifier, weights=weights)
        self.register_buffer("of_pair", torch.ones(classifier.out_features, biases))

    def count(self, extra: Mapping[str, Tensor], is_target: Bool[Tensor, " n"]) -> None:
        """Store the weight of each pair of class and bias, 0 for pairs that do not occur."""
        times = pairs(extra["label"], extra["bias"], self.of_pair)
        self.of_pair = torch.where(times > 0, times.sum() / (times > 0).sum() / times.clamp(min=1), 0)

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the term ``classification``."""
        each = cross_entropy(out["logits"], out["label"], reduction="none")
        return {"classification": (self.of_pair[out["label"], out["bias"]] * each).mean()}


class LogitAdjusted(Classifier):
    """Cross-entropy of logits to which the log-frequency of each class given the bias is added; predictions are without it.

    Args:
        common: as for ``Classifier``, like ``standardise`` and ``classifier``.
        standardise: see there.
        classifier: see there.
        biases: number of classes of the bias.
        weights: weight of the term.
    """

    log_prior: Tensor

    def __init__(
        self,
        common: nn.Module,
        standardise: nn.Module,
        classifier: nn.Linear,
        *,
        biases: int,
        weights: ClassificationWeights | None = None,
    ) -> None:
        super().__init__(common, standardise, classifier, weights=weights)
        self.register_buffer("log_prior", torch.zeros(biases, classifier.out_features))

    def count(self, extra: Mapping[str, Tensor], is_target: Bool[Tensor, " n"]) -> None:
        """Store log(p(y | b) + 1e-9), shape (biases, classes)."""
        times = pairs(extra["label"], extra["bias"], self.log_prior.T).T
        self.log_prior = torch.log(times / times.sum(1, keepdim=True).clamp(min=1) + SMALLEST)

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the term ``classification``."""
        return {"classification": cross_entropy(out["logits"] + self.log_prior[out["bias"]], out["label"])}


class GroupDRO(Classifier):
    """Mean cross-entropy of each pair of class and bias, with weights that grow where it is large.

    Args:
        common: as for ``Classifier``, like ``standardise`` and ``classifier``.
        standardise: see there.
        classifier: see there.
        biases: number of classes of the bias.
        step_size: step size of the weights q.
        weights: weight of the term.

    Raises:
        InputError: a step size that is not positive.
    """

    q: Tensor

    def __init__(
        self,
        common: nn.Module,
        standardise: nn.Module,
        classifier: nn.Linear,
        *,
        biases: int,
        step_size: float = 0.01,
        weights: ClassificationWeights | None = None,
    ) -> None:
        super().__init__(common, standardise, classifier, evened=PAIRS, weights=weights)
        check_positive(step_size=step_size)
        self.step_size = step_size
        self.register_buffer("q", torch.full((classifier.out_features, biases), 1 / (classifier.out_features * biases)))

    def count(self, extra: Mapping[str, Tensor], is_target: Bool[Tensor, " n"]) -> None:
        """Set q to the same value for all pairs of class and bias that occur, and to 0 for the others."""
        occurs = (pairs(extra["label"], extra["bias"], self.q) > 0).to(self.q.dtype)
        self.q = occurs / occurs.sum()

    def steering(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> Steering:
        """Update q, once per step; no gradient is changed."""
        q = self.q * torch.exp(self.step_size * self._of_pairs(out))
        self.q = q / q.sum()  # a new tensor: the last step's loss may still need the old one
        return Steering({}, {"largest_weight": self.q.max()})

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the term ``classification``."""
        return {"classification": (self.q * self._of_pairs(out)).sum()}

    def _of_pairs(self, out: Outputs) -> Float[Tensor, "classes biases"]:
        """Compute the mean cross-entropy of each pair, 0 for pairs that the batch lacks."""
        each, at = cross_entropy(out["logits"], out["label"], reduction="none"), (out["label"], out["bias"])
        total, times = (each.new_zeros(self.q.shape).index_put(at, value, accumulate=True) for value in (each, torch.ones_like(each)))
        return total / times.clamp(min=1)


def pairs(label: Int[Tensor, " n"], bias: Int[Tensor, " n"], like: Float[Tensor, "classes biases"]) -> Float[Tensor, "classes biases"]:
    """Count how often each pair of class and bias occurs, in a new tensor of the shape, type and device of ``like``."""
    one = like.new_ones(len(label))
    return torch.zeros_like(like).index_put((label.to(like.device), bias.to(like.device)), one, accumulate=True)


def make(options: AnyOptions, networks: Networks) -> Classifier:
    """Create the method from its options."""
    dim, classes, biases = options.common_dim, networks.classes["label"], networks.classes.get("bias", 0)
    parts = networks.encoder(dim), networks.standardise(dim), nn.Linear(dim, classes)
    match options:
        case DebiasedOptions():
            return Debiased(*parts, biases=biases, independence=options.independence, weights=options.weights, tau=options.tau)
        case ReweightingOptions():
            return Reweighted(*parts, biases=biases, weights=options.weights)
        case LogitAdjustmentOptions():
            return LogitAdjusted(*parts, biases=biases, weights=options.weights)
        case GroupDROOptions():
            return GroupDRO(*parts, biases=biases, step_size=options.step_size, weights=options.weights)
        case _:
            return Classifier(*parts, evened=PAIRS if isinstance(options, BalancedOptions) else (), weights=options.weights)
