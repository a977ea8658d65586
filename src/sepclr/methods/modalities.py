"""What a strong modality adds to a weak one, after the weak and strong scripts of SepCLR's authors.

Louiset, Duchesnay, Grigis, Gori: Separating common from salient patterns with contrastive representation learning, ICLR 2024
(arXiv 2402.11928), and their program, github.com/neurospin-projects/2024_rlouiset_sep_clr.

Each sample has two modalities: a weak one, whose code w holds what both share, and a strong one, with the codes c and s. First,

    min  A(w¹, w²) + ½ Σ_v U(w^v)

on two views of the weak modality. Then w is frozen, and

    min  λ_C ½ Σ_v [A(w^v, c^v) + U(c^v)]  +  λ_S [A(s¹, s²) + ½ Σ_v U(s^v)]  +  λ ½ Σ_v J(s^v, w^v)
         common                               salient                           independence

A is alignment, U uniformity without self pairs, J = −Ĥ(s, w) k-JEM. All projections lie on the unit sphere. ``apart_from`` keeps s apart
from c instead of w, or from both; c does not move for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from sepclr.losses import alignment, full_precision, joint_entropy, nt_xent, uniformity
from sepclr.methods.options.modalities import CrossModalOptions, CrossModalWeights, ModalitiesOptions, ModalitiesWeights
from sepclr.nets import Networks
from sepclr.ranges import check_choice, check_positive
from sepclr.types import Batch, Codes, Outputs, Scalar


@dataclass(frozen=True)
class OneWeight:
    """Weight of the only term.

    Attributes:
        common: weight of alignment and uniformity.
    """

    common: float = 1.0


class Weak(nn.Module):
    """Encoder of the weak modality, with its projection head.

    Args:
        common: encoder from samples (n, ...) to codes (n, d).
        common_head: projection head from (n, d), whose output is normalised here.
        tau: kernel bandwidth τ.
    """

    evened: Sequence[str] = ()

    def __init__(self, common: nn.Module, common_head: nn.Module, *, tau: float = 0.5) -> None:
        super().__init__()
        self.common, self.common_head, self.tau = common, common_head, tau
        self.weights = OneWeight()

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute w, shape (n, d), as c; s is 0, shape (n, 1)."""
        w = self.common(x)
        return Codes(w, w.new_zeros(len(w), 1))

    def project(self, codes: Codes) -> Codes:
        """Project w onto the unit sphere, as the losses see it."""
        return Codes(normalize(full_precision(self.common_head(codes.c))), codes.s)

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Compute the projections of both views, c1 and c2 of shape (n, d)."""
        c1, c2 = self.project(self.encode(torch.cat([one.x, two.x]))).c.chunk(2)
        return {"c1": c1, "c2": c2}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the term ``common``."""
        return {
            "common": alignment(out["c1"], out["c2"], self.tau) + (uniformity(out["c1"], self.tau) + uniformity(out["c2"], self.tau)) / 2
        }


class Modalities(nn.Module):
    """A weak encoder that is trained first, and two encoders of the strong modality with three terms.

    Args:
        other: encoder of the weak modality.
        common: encoder from strong samples (n, ...) to codes (n, d_c).
        salient: encoder from strong samples (n, ...) to codes (n, d_s).
        common_head: projection head from (n, d_c), whose output is normalised here.
        salient_head: projection head from (n, d_s), whose output is normalised here.
        independence: ``k-jem`` or ``none``.
        apart_from: codes that s is kept apart from, ``w``, ``c`` or ``both``.
        weights: weight of each term.
        tau: kernel bandwidth τ.

    Raises:
        InputError: an unknown choice, or a bandwidth that is not positive.
    """

    other_sees, other_first = "weak", True
    evened: Sequence[str] = ()

    def __init__(
        self,
        other: Weak,
        common: nn.Module,
        salient: nn.Module,
        common_head: nn.Module,
        salient_head: nn.Module,
        *,
        independence: str = "k-jem",
        apart_from: str = "w",
        weights: ModalitiesWeights | None = None,
        tau: float = 0.5,
    ) -> None:
        super().__init__()
        check_choice(("k-jem", "none"), independence=independence)
        check_choice(("w", "c", "both"), apart_from=apart_from)
        check_positive(tau=tau)
        self.other, self.common, self.salient = other, common, salient
        self.common_head, self.salient_head = common_head, salient_head
        self.independence, self.tau = independence, tau
        self.apart_from = ("w", "c") if apart_from == "both" else (apart_from,)
        self.weights = weights or ModalitiesWeights()

    def train(self, mode: bool = True) -> Modalities:
        """Switch to training mode, except for the weak encoder, whose batch statistics stay those of its own training."""
        super().train(mode)
        self.other.eval()
        return self

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute c, shape (n, d_c), and s, shape (n, d_s), of strong samples: the encoders' outputs, before the heads."""
        return Codes(self.common(x), self.salient(x))

    def project(self, codes: Codes) -> Codes:
        """Project both codes onto the unit sphere, as the losses see them."""
        return Codes(normalize(full_precision(self.common_head(codes.c))), normalize(full_precision(self.salient_head(codes.s))))

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Compute the projections of both views: w1, w2, c1 and c2 of shape (n, d_c), s1 and s2 of shape (n, d_s)."""
        c, s = self.project(self.encode(torch.cat([one.x, two.x])))
        with torch.no_grad():
            w = self.other.project(self.other.encode(torch.cat([one.extra["weak"], two.extra["weak"]]))).c
        return {f"{name}{number}": view for name, z in (("w", w), ("c", c), ("s", s)) for number, view in enumerate(z.chunk(2), 1)}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted terms ``common``, ``salient`` and ``independence``."""
        w, c, s = ([out[f"{name}1"], out[f"{name}2"]] for name in "wcs")
        kept = {"w": w, "c": [each.detach() for each in c]}
        apart = [joint_entropy(kept[name][view], s[view], self.tau) for name in self.apart_from for view in (0, 1)]
        return {
            "common": _mean(alignment(w[view], c[view], self.tau) + uniformity(c[view], self.tau) for view in (0, 1)),
            "salient": alignment(s[0], s[1], self.tau) + (uniformity(s[0], self.tau) + uniformity(s[1], self.tau)) / 2,
            "independence": torch.stack(apart).sum() / 2 if self.independence == "k-jem" else 0 * s[0].sum(),
        }


class CrossModal(nn.Module):
    """SimCLR whose two views are two modalities (Tian, Krishnan, Isola, arXiv 1906.05849, with the loss of SimCLR): one code c.

    Args:
        other: encoder of the weak modality, trained together with that of the strong one.
        common: encoder from strong samples (n, ...) to codes (n, d_c).
        common_head: projection head from (n, d_c), whose output is normalised here.
        weights: weight of the term.
        tau: temperature.

    Raises:
        InputError: a temperature that is not positive.
    """

    other_sees, other_first = "weak", False
    evened: Sequence[str] = ()

    def __init__(
        self, other: Weak, common: nn.Module, common_head: nn.Module, *, weights: CrossModalWeights | None = None, tau: float = 0.5
    ) -> None:
        super().__init__()
        check_positive(tau=tau)
        self.other, self.common, self.common_head, self.tau = other, common, common_head, tau
        self.weights = weights or CrossModalWeights()

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute c of strong samples, shape (n, d_c), the encoder's output before the head; s is 0, shape (n, 1)."""
        c = self.common(x)
        return Codes(c, c.new_zeros(len(c), 1))

    def project(self, codes: Codes) -> Codes:
        """Project c onto the unit sphere, as the loss sees it; s stays 0."""
        return Codes(normalize(full_precision(self.common_head(codes.c))), codes.s)

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Compute the projections of a view of each modality, c of the strong and w of the weak one, of shape (n, d_c)."""
        return {"c": self.project(self.encode(one.x)).c, "w": self.other.project(self.other.encode(two.extra["weak"])).c}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the term ``common``."""
        return {"common": nt_xent(out["c"], out["w"], self.tau)}


def make(options: ModalitiesOptions | CrossModalOptions, networks: Networks) -> Modalities | CrossModal:
    """Create the method from its options."""
    c = options.common_dim
    other = Weak(networks.encoder(c, of="weak"), networks.head(c), tau=options.tau)
    if isinstance(options, CrossModalOptions):
        return CrossModal(other, networks.encoder(c), networks.head(c), weights=options.weights, tau=options.tau)
    s = options.salient_dim
    parts = networks.encoder(c), networks.encoder(s), networks.head(c), networks.head(s)
    kept = options.independence, options.apart_from
    return Modalities(other, *parts, independence=kept[0], apart_from=kept[1], weights=options.weights, tau=options.tau)


def _mean(values: Iterable[Scalar]) -> Scalar:
    """Average a term over views."""
    return torch.stack([*values]).mean()
