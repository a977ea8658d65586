"""What a strong modality adds to a weak one.

Each sample has two modalities: a weak one, whose code w holds what both share, and a strong one, with the codes c and s. First,

    min  A(w¹, w²) + ½ Σ_v U(w^v)

on two views of the weak modality. Then w is frozen, and

    min  λ_C ½ Σ_v [A(w^v, c^v) + U(c^v)]  +  λ_S [A(s¹, s²) + ½ Σ_v U(s^v)]  +  λ ½ Σ_v J(s^v, z^v)
         common                               salient                           independence

A is alignment, U uniformity without self pairs, J = −Ĥ(s, z) k-JEM, and z is w or c. All codes lie on the unit sphere. This follows the
scripts of one of SepCLR's authors for weak and strong modalities (github.com/PierreAuriau/sep_mod, ``train_strong.py``), a continuation
of SepCLR (Louiset et al., ICLR 2024, arXiv 2402.11928). Departures, chosen on validation data: there z is w, λ is 100 and both kernels of
J have τ = 0.5; here z is c, without gradient to c, λ is 10 and the kernel of z has τ = 0.1. There the losses see projections; here they
see the codes themselves. ``moves="both"`` lets J move c too.

A weak encoder that is trained on its own views learns whatever its images show most of. Where that is not what both share, such as with two
photographs of one thing, ``stages="together"`` replaces the first stage and the common term by NT-Xent between w and c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from sepclr.losses import alignment, full_precision, joint_entropy, nt_xent, uniformity
from sepclr.losses.average import over_views
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
    """Encoder of the weak modality.

    Args:
        common: encoder from samples (n, ...) to codes (n, d), which are normalised here.
        tau: kernel bandwidth τ.
    """

    evened: Sequence[str] = ()

    def __init__(self, common: nn.Module, *, tau: float = 0.5) -> None:
        super().__init__()
        self.common, self.tau = common, tau
        self.weights = OneWeight()

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute w on the unit sphere, shape (n, d), as c; s is 0, shape (n, 1)."""
        w = normalize(full_precision(self.common(x)))
        return Codes(w, w.new_zeros(w.shape[0], 1))

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Compute the codes of both views, w1 and w2 of shape (n, d)."""
        w1, w2 = self.encode(torch.cat([one.x, two.x])).c.chunk(2)
        return {"w1": w1, "w2": w2}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the term ``common``."""
        w1, w2 = out["w1"], out["w2"]
        return {"common": alignment(w1, w2, self.tau) + over_views(uniformity(w, self.tau) for w in (w1, w2))}


class Modalities(nn.Module):
    """An encoder of the weak modality, and two of the strong one with three terms.

    Args:
        other: encoder of the weak modality.
        common: encoder from strong samples (n, ...) to codes (n, d_c), which are normalised here.
        salient: encoder from strong samples (n, ...) to codes (n, d_s), which are normalised here.
        independence: ``k-jem`` or ``none``.
        stages: ``weak-first`` or ``together``.
        apart_from: code that s is kept apart from, ``w`` or ``c``.
        moves: codes that k-JEM moves, ``s`` or ``both``.
        weights: weight of each term.
        tau: kernel bandwidths of s, and of w or c in k-JEM; the first is also that of alignment and uniformity.
        temperature: temperature of the contrast of w and c.

    Raises:
        InputError: an unknown choice, or a bandwidth or temperature that is not positive.
    """

    other_sees = "weak"
    evened: Sequence[str] = ()

    def __init__(
        self,
        other: Weak,
        common: nn.Module,
        salient: nn.Module,
        *,
        independence: str = "k-jem",
        stages: str = "weak-first",
        apart_from: str = "c",
        moves: str = "s",
        weights: ModalitiesWeights | None = None,
        tau: tuple[float, float] = (0.5, 0.1),
        temperature: float = 0.2,
    ) -> None:
        super().__init__()
        check_choice(("k-jem", "none"), independence=independence)
        check_choice(("weak-first", "together"), stages=stages)
        check_choice(("w", "c"), apart_from=apart_from)
        check_choice(("s", "both"), moves=moves)
        check_positive(tau=tau[0], tau_other=tau[1], temperature=temperature)
        self.other, self.common, self.salient = other, common, salient
        self.independence, self.apart_from, self.moves = independence, apart_from, moves
        self.tau, self.tau_other, self.temperature = *tau, temperature
        self.other_first = stages == "weak-first"
        self.weights = weights or ModalitiesWeights()

    def train(self, mode: bool = True) -> Modalities:
        """Switch to training mode, except for an encoder that was trained before: its batch statistics stay those of its own training."""
        super().train(mode)
        if self.other_first:
            self.other.eval()
        return self

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute c, shape (n, d_c), and s, shape (n, d_s), of strong samples, on the unit sphere."""
        return Codes(normalize(full_precision(self.common(x))), normalize(full_precision(self.salient(x))))

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Compute the codes of both views: w1, w2, c1 and c2 of shape (n, d_c), s1 and s2 of shape (n, d_s)."""
        c, s = self.encode(torch.cat([one.x, two.x]))
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.other_first):
            w = self.other.encode(torch.cat([one.extra["weak"], two.extra["weak"]])).c
        return {f"{name}{number}": view for name, z in (("w", w), ("c", c), ("s", s)) for number, view in enumerate(z.chunk(2), 1)}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the unweighted terms ``common``, ``salient`` and ``independence``."""
        w, c, s = ([out[f"{name}1"], out[f"{name}2"]] for name in "wcs")
        if self.other_first:
            common = [alignment(w[view], c[view], self.tau) + uniformity(c[view], self.tau) for view in (0, 1)]
        else:
            common = [nt_xent(w[view], c[view], self.temperature) for view in (0, 1)]
        kept = w if self.apart_from == "w" else c
        kept = kept if self.moves == "both" else [each.detach() for each in kept]
        joint = [joint_entropy(s[view], kept[view], (self.tau, self.tau_other)) for view in (0, 1)]
        return {
            "common": over_views(common),
            "salient": alignment(s[0], s[1], self.tau) + over_views(uniformity(each, self.tau) for each in s),
            "independence": over_views(joint) if self.independence == "k-jem" else 0 * s[0].sum(),
        }


class CrossModal(nn.Module):
    """SimCLR whose two views are two modalities (Tian, Krishnan, Isola, arXiv 1906.05849, with NT-Xent): one code c.

    Args:
        other: encoder of the weak modality, trained together with that of the strong one.
        common: encoder from strong samples (n, ...) to codes (n, d_c), which are normalised here.
        weights: weight of the term.
        temperature: temperature of the contrast.

    Raises:
        InputError: a temperature that is not positive.
    """

    other_sees, other_first = "weak", False
    evened: Sequence[str] = ()

    def __init__(self, other: Weak, common: nn.Module, *, weights: CrossModalWeights | None = None, temperature: float = 0.2) -> None:
        super().__init__()
        check_positive(temperature=temperature)
        self.other, self.common, self.temperature = other, common, temperature
        self.weights = weights or CrossModalWeights()

    def encode(self, x: Float[Tensor, "n ..."]) -> Codes:
        """Compute c of strong samples on the unit sphere, shape (n, d_c); s is 0, shape (n, 1)."""
        c = normalize(full_precision(self.common(x)))
        return Codes(c, c.new_zeros(c.shape[0], 1))

    def outputs(self, one: Batch, two: Batch) -> Outputs:
        """Compute the codes of both views of both modalities: w1, w2, c1 and c2, of shape (n, d_c)."""
        c = self.encode(torch.cat([one.x, two.x])).c.chunk(2)
        w = self.other.encode(torch.cat([one.extra["weak"], two.extra["weak"]])).c.chunk(2)
        return {"w1": w[0], "w2": w[1], "c1": c[0], "c2": c[1]}

    def terms(self, out: Outputs, is_target: Bool[Tensor, " n"]) -> dict[str, Scalar]:
        """Compute the term ``common``."""
        return {"common": over_views(nt_xent(out[f"w{view}"], out[f"c{view}"], self.temperature) for view in (1, 2))}


def make(options: ModalitiesOptions | CrossModalOptions, networks: Networks) -> Modalities | CrossModal:
    """Create the method from its options."""
    c = options.common_dim
    weak = networks.encoder(c, of="weak")
    if isinstance(options, CrossModalOptions):
        return CrossModal(Weak(weak), networks.encoder(c), weights=options.weights, temperature=options.temperature)
    return Modalities(
        Weak(weak, tau=options.tau),
        networks.encoder(c),
        networks.encoder(options.salient_dim),
        independence=options.independence,
        stages=options.stages,
        apart_from=options.apart_from,
        moves=options.moves,
        weights=options.weights,
        tau=(options.tau, options.tau_other),
        temperature=options.temperature,
    )
