"""Domain adaptation with a salient code s for what tells the domains apart.

    min  CE(h(c_source), y)  +  λ_C [A(c¹, c²) + U(c¹) + U(c²)]  +  λ_S [A(s¹, s²) + U(s¹) + U(s²)]
         classification         common                             salient

         +  λ_D CE(g(s), domain)  +  λ ½ Σ_v J(c^v, s^v)  +  μ ½ Σ_v MMD²(c^v_source, c^v_target)
            domain                   independence            similarity

Background is the source domain, whose samples have labels y, target is the target domain. A is alignment of two views, U uniformity without
self pairs, J = −Ĥ(c, s) k-JEM, after SepCLR (Louiset et al., ICLR 2024, arXiv 2402.11928), which has no labels and no second domain: the
combination is ours. All codes are standardised and lie on the unit sphere; h and g are linear. Independence and similarity grow in the
course of training, as in ``sepclr.methods.domains``.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from sepclr.losses import alignment, full_precision, joint_entropy, mmd, uniformity
from sepclr.losses.average import over_views
from sepclr.methods.domains import SCALE, DomainClassifier, by_view, classifier_parts, of_domain, ramp
from sepclr.methods.options.adapted import AdaptedOptions, AdaptedWeights
from sepclr.nets import Networks
from sepclr.ranges import check_choice, check_positive
from sepclr.types import Batch, Codes, Outputs, Scalar


class Adapted(DomainClassifier):
    """Classifier with c for what both domains share, and s for what tells them apart.

    Args:
        common: encoder from samples (n, ...) to codes (n, d_c).
        standardise: layer that standardises codes (n, d_c).
        classifier: linear layer from standardised codes on the unit sphere (n, d_c) to logits (n, classes).
        salient: encoder from samples to codes (n, d_s).
        standardise_salient: layer that standardises codes (n, d_s).
        domain: linear layer from standardised s on the unit sphere to the logit of the target domain (n, 1).
        independence: independence term, ``k-jem`` or ``none``.
        weights: weight of each term.
        tau: kernel bandwidth τ.

    Raises:
        InputError: an unknown choice, or a bandwidth that is not positive.
    """

    def __init__(
        self,
        common: nn.Module,
        standardise: nn.Module,
        classifier: nn.Module,
        salient: nn.Module,
        standardise_salient: nn.Module,
        domain: nn.Module,
        *,
        independence: str = "k-jem",
        weights: AdaptedWeights | None = None,
        tau: float = 0.5,
    ) -> None:
        super().__init__(common, standardise, classifier)
        check_choice(("k-jem", "none"), independence=independence)
        check_positive(tau=tau)
        self.salient, self.standardise_salient, self.domain = salient, standardise_salient, domain
        self.independence, self.weights, self.tau = independence, weights or AdaptedWeights(), tau

    def advance(self, share: float) -> None:
        """Set the factor of the terms ``independence`` and ``similarity``."""
        self.ramp = ramp(share)

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute c, shape (n, d_c), and s, shape (n, d_s), the encoders' outputs."""
        return Codes(self.common(x), self.salient(x))

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Compute c and s on the unit sphere, and logits of classes and domain, of both views, and copy the labels."""
        codes = self.encode(torch.cat([one.x, two.x]))
        c, s = self.on_sphere(codes.c), normalize(full_precision(self.standardise_salient(full_precision(codes.s))), dim=1)
        views = by_view(c=c, s=s, logits=self.logits(c), domain=full_precision(self.domain(SCALE * s))[:, 0])
        return views | {"label": one.extra[self.labels]}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted terms."""
        c, s = ([out[f"{name}{view}"] for view in (1, 2)] for name in "cs")
        jointly = (
            over_views(joint_entropy(c[view], s[view], self.tau) for view in (0, 1)) if self.independence == "k-jem" else 0 * s[0].sum()
        )
        return super().terms(out, is_target) | {
            "common": alignment(c[0], c[1], self.tau) + uniformity(c[0], self.tau) + uniformity(c[1], self.tau),
            "salient": alignment(s[0], s[1], self.tau) + uniformity(s[0], self.tau) + uniformity(s[1], self.tau),
            "domain": of_domain(out, "domain", is_target),
            "independence": self.ramp * jointly,
            "similarity": self.ramp * over_views(mmd(view, is_target, self.tau) for view in c),
        }


def make(options: AdaptedOptions, networks: Networks) -> Adapted:
    """Create the method from its options."""
    dim = options.salient_dim
    parts = *classifier_parts(options.common_dim, networks), networks.encoder(dim), networks.standardise(dim), nn.Linear(dim, 1)
    return Adapted(*parts, independence=options.independence, weights=options.weights, tau=options.tau)
