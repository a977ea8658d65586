"""Classifiers for a second domain, from labels of the first, with one code c.

Background is the source domain, whose samples have labels y, target is the target domain, whose samples have none. All methods minimise

    CE(h(c_source), y)  +  a term that makes c alike in both domains
    classification

where c is the standardised output of an encoder on the unit sphere and 10·h(c) are the logits, h linear. The terms are

    SourceOnly           none
    TargetOnly           none; CE of the target domain and its labels instead, an upper bound
    DomainConfusion      μ MMD²(c_source, c_target)                                                 similarity
    DomainAdversarial    CE(g(c), domain), whose gradient reaches the encoder reversed              domain
    DomainInformation    λ Î(c; domain)                                                             information

Each is averaged over two views. Terms that compare domains, or the reversed gradient, grow with the share p of training that is done, by
2/(1 + exp(−10p)) − 1, the schedule of Ganin et al. Batch normalisation sees both domains, with every method.

DomainConfusion follows Tzeng et al. 2014 (arXiv 1412.3474), with Gaussian kernels of several widths and without an adaptation layer;
DomainAdversarial follows Ganin et al. 2016 (arXiv 1505.07818), with Adam instead of SGD and a domain head of one hidden layer.
DomainInformation is ours: the kernel estimate of mutual information of SepCLR (arXiv 2402.11928) between c and the domain, without
self pairs, which outweigh all others for narrow kernels: about 0 if the codes of both domains are alike, log 2 if they are apart.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, normalize, one_hot

from sepclr.losses import full_precision, joint_entropy, mmd
from sepclr.losses.average import over_views
from sepclr.methods.options.domains import (
    AdversarialOptions,
    AdversarialWeights,
    ConfusionOptions,
    ConfusionWeights,
    InformationOptions,
    InformationWeights,
    OneDomainWeights,
    SourceOnlyOptions,
    TargetOnlyOptions,
)
from sepclr.nets import Networks
from sepclr.ranges import check_positive
from sepclr.types import Batch, Codes, Outputs, Scalar

SCALE = 10.0
"""Factor of the logits, which are bounded because codes lie on the unit sphere."""
APART = 0.01
"""Kernel bandwidth τ of domains as one-hot vectors: exp(−100), so that pairs of both domains do not count."""
HIDDEN = 128
"""Units of the hidden layer of a domain head."""


class DomainClassifier(nn.Module):
    """What all methods for two domains share: c, a linear classifier, and the progress of training.

    Args:
        common: encoder from samples (n, ...) to codes (n, d_c).
        standardise: layer that standardises codes (n, d_c).
        classifier: linear layer from standardised codes on the unit sphere (n, d_c) to logits (n, classes).
    """

    labels = "label"
    """Name of the labels in ``Batch.extra``."""

    def __init__(self, common: nn.Module, standardise: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.common, self.standardise, self.classifier = common, standardise, classifier
        self.ramp = 1.0

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute c, the encoder's output, shape (n, d_c); s is 0, shape (n, 1)."""
        c = self.common(x)
        return Codes(c, c.new_zeros(c.shape[0], 1))

    def classify(self, codes: Codes) -> Float[Tensor, "n classes"]:
        """Compute the logits of the classes."""
        return self.logits(self.on_sphere(codes.c))

    def on_sphere(self, c: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """Standardise c and put it on the unit sphere, as the losses see it."""
        return normalize(full_precision(self.standardise(full_precision(c))), dim=1)

    def logits(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n classes"]:
        """Compute the logits of the classes from c on the unit sphere."""
        return full_precision(self.classifier(SCALE * z))

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Compute c on the unit sphere, c1 and c2 of shape (n, d_c), and logits of both views, and copy the labels, shape (n,)."""
        z = self.on_sphere(self.encode(torch.cat([one.x, two.x])).c)
        return by_view(c=z, logits=self.logits(z)) | {"label": one.extra[self.labels]}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the term ``classification``."""
        seen = is_target if self.labels == "target_label" else ~is_target  # labels of the other domain are not looked at
        labels = out["label"].masked_fill(~seen, -1)
        return {"classification": over_views(classification(out[f"logits{view}"], labels) for view in (1, 2))}


class SourceOnly(DomainClassifier):
    """Classifier of the source domain. The target domain affects only batch normalisation."""

    def __init__(self, *networks: nn.Module, weights: OneDomainWeights | None = None) -> None:
        super().__init__(*networks)
        self.weights = weights or OneDomainWeights()


class TargetOnly(DomainClassifier):
    """Classifier of the target domain from its labels: an upper bound for the others."""

    labels = "target_label"

    def __init__(self, *networks: nn.Module, weights: OneDomainWeights | None = None) -> None:
        super().__init__(*networks)
        self.weights = weights or OneDomainWeights()


class DomainConfusion(DomainClassifier):
    """Classifier with codes of the same distribution in both domains, by MMD (Tzeng et al. 2014, arXiv 1412.3474).

    Args:
        networks: encoder, layer that standardises, and classifier, as ``DomainClassifier``.
        weights: weight of each term.
        tau: kernel bandwidth τ; kernels of τ times each of ``sepclr.losses.kernel_measures.WIDTHS`` are averaged.

    Raises:
        InputError: a bandwidth that is not positive.
    """

    def __init__(self, *networks: nn.Module, weights: ConfusionWeights | None = None, tau: float = 0.5) -> None:
        super().__init__(*networks)
        check_positive(tau=tau)
        self.weights, self.tau = weights or ConfusionWeights(), tau

    def advance(self, share: float) -> None:
        """Set the factor of the term ``similarity``."""
        self.ramp = ramp(share)

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the terms ``classification`` and ``similarity``."""
        similarity = over_views(mmd(out[f"c{view}"], is_target, self.tau) for view in (1, 2))
        return super().terms(out, is_target) | {"similarity": self.ramp * similarity}


class DomainAdversarial(DomainClassifier):
    """Classifier with codes that do not tell the domains apart, by an adversary (Ganin et al. 2016, arXiv 1505.07818).

    Args:
        networks: encoder, layer that standardises, and classifier, as ``DomainClassifier``, and a network from c on the unit sphere
            (n, d_c) to the logit of the target domain (n, 1).
        weights: weight of each term.
        reversal: factor of the reversed gradient, at the end of training.

    Raises:
        InputError: a factor that is not positive.
    """

    def __init__(self, *networks: nn.Module, weights: AdversarialWeights | None = None, reversal: float = 1.0) -> None:
        *others, domain = networks
        super().__init__(*others)
        check_positive(reversal=reversal)
        self.domain, self.weights, self.reversal = domain, weights or AdversarialWeights(), reversal

    def advance(self, share: float) -> None:
        """Set the factor of the reversed gradient."""
        self.ramp = ramp(share)

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Compute, besides the outputs of all methods, the logits of the target domain, domain1 and domain2 of shape (n,)."""
        out = super().outputs(one, two)
        z = reversed_gradient(torch.cat([out["c1"], out["c2"]]), self.reversal * self.ramp)
        return {**out, **by_view(domain=full_precision(self.domain(z))[:, 0])}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the terms ``classification`` and ``domain``."""
        return super().terms(out, is_target) | {"domain": of_domain(out, "domain", is_target)}


class DomainInformation(DomainClassifier):
    """Classifier with codes that have no information about the domain, by a kernel estimate.

    Args:
        networks: encoder, layer that standardises, and classifier, as ``DomainClassifier``.
        weights: weight of each term.
        tau: kernel bandwidth τ.

    Raises:
        InputError: a bandwidth that is not positive.
    """

    def __init__(self, *networks: nn.Module, weights: InformationWeights | None = None, tau: float = 0.1) -> None:
        super().__init__(*networks)
        check_positive(tau=tau)
        self.weights, self.tau = weights or InformationWeights(), tau

    def advance(self, share: float) -> None:
        """Set the factor of the term ``information``."""
        self.ramp = ramp(share)

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the terms ``classification`` and ``information``."""
        known = over_views(domain_information(out[f"c{view}"], is_target, self.tau) for view in (1, 2))
        return super().terms(out, is_target) | {"information": self.ramp * known}


def domain_information(c: Float[Tensor, "n d"], is_target: Bool[Tensor, " n"], tau: float) -> Scalar:
    """Estimate I(c; domain) = −Ĥ(c, domain) + Ĥ(c) + Ĥ(domain) with kernels, without self pairs; 0 for a single domain."""
    if len(torch.unique(is_target)) < 2:
        return 0 * c.sum()
    domain, none = one_hot(is_target.long(), 2).to(c), torch.zeros_like(c[:, :1])
    both = joint_entropy(c, domain, (tau, APART), with_self=False)
    return both - joint_entropy(c, none, tau, with_self=False) - joint_entropy(none, domain, (tau, APART), with_self=False)


def classification(logits: Float[Tensor, "n classes"], labels: Int[Tensor, " n"]) -> Scalar:
    """Compute the mean cross-entropy of samples with a label; 0 if there are none."""
    total = cross_entropy(logits, labels, ignore_index=-1, reduction="sum")
    return total / (labels >= 0).sum().clamp(min=1)


def of_domain(out: Outputs, name: str, is_target: Bool[Tensor, " n"]) -> Scalar:
    """Compute the cross-entropy of the domain from its logits in two views."""
    return over_views(binary_cross_entropy_with_logits(out[f"{name}{view}"], is_target.to(out[f"{name}{view}"])) for view in (1, 2))


def reversed_gradient(z: Float[Tensor, "n d"], factor: float) -> Float[Tensor, "n d"]:
    """Return z, whose gradient is multiplied by −factor (Ganin et al. 2016)."""
    return (1 + factor) * z.detach() - factor * z


def ramp(share: float) -> float:
    """Return 2/(1 + exp(−10p)) − 1 for the share p of training that is done (Ganin et al. 2016)."""
    return 2 / (1 + math.exp(-10 * share)) - 1


def by_view(**both: Tensor) -> dict[str, Tensor]:
    """Split tensors of two views, one after the other, into one for each."""
    return {f"{name}{view}": part for name, value in both.items() for view, part in enumerate(value.chunk(2), 1)}


def classifier_parts(dim: int, networks: Networks, labels: str = "label") -> tuple[nn.Module, nn.Module, nn.Module]:
    """Create the networks of a ``DomainClassifier``."""
    return networks.encoder(dim), networks.standardise(dim), nn.Linear(dim, networks.classes[labels])


def domain_head(dim: int) -> nn.Module:
    """Create a network from codes (n, dim) to the logit of the target domain (n, 1)."""
    return nn.Sequential(nn.Linear(dim, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))


KINDS: dict[type, type[DomainClassifier]] = {
    SourceOnlyOptions: SourceOnly,
    TargetOnlyOptions: TargetOnly,
    ConfusionOptions: DomainConfusion,
    AdversarialOptions: DomainAdversarial,
    InformationOptions: DomainInformation,
}


def make(options: Any, networks: Networks) -> DomainClassifier:
    """Create the method from its options."""
    kind = KINDS[type(options)]
    parts = classifier_parts(options.common_dim, networks, kind.labels)
    if isinstance(options, AdversarialOptions):
        return DomainAdversarial(*parts, domain_head(options.common_dim), weights=options.weights, reversal=options.reversal)
    more = {"tau": options.tau} if isinstance(options, ConfusionOptions | InformationOptions) else {}
    return cast(Any, kind)(*parts, weights=options.weights, **more)  # type: ignore[no-any-return]
