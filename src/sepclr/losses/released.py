"""SepCLR's objective as its authors released it, from projections to total loss, in one function."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import normalize

from sepclr.losses.alignment import alignment
from sepclr.losses.information_less import information_less
from sepclr.losses.joint_entropy import joint_entropy
from sepclr.losses.kernel import full_precision, hide_background
from sepclr.losses.uniformity import salient_uniformity, uniformity
from sepclr.types import Scalar


def released_total(
    c1: Float[Tensor, "n d_c"],
    c2: Float[Tensor, "n d_c"],
    s1: Float[Tensor, "n d_s"],
    s2: Float[Tensor, "n d_s"],
    is_target: Bool[Tensor, " n"],
    *,
    tau: float = 0.5,
    lambda_salient: float = 1000.0,
    beta: float = 1000.0,
    lambda_independence: float = 10.0,
) -> dict[str, Scalar]:
    """Compute every term of the released loss and their total.

    total = A(c) + 2U(c) + λ_S (A(s_Y) + 2U(s̃)) + β · information-less + λ · k-JEM

    Args:
        c1: common projections of the first view, not normalised, shape (n, d_c).
        c2: the same of the second view.
        s1: salient projections of the first view, shape (n, d_s).
        s2: the same of the second view.
        is_target: True for target samples, shape (n,).
        tau: kernel bandwidth τ.
        lambda_salient: λ_S.
        beta: β, the weight of the information-less term.
        lambda_independence: λ, the weight of k-JEM.

    Returns:
        ``common_alignment``, ``common_uniformity``, ``salient_alignment``, ``salient_uniformity``, ``information_less``,
        ``joint_entropy`` (unweighted) and ``total``.

    Source: SepCLR (arXiv 2402.11928) with the weights that its authors released for digits on CIFAR-10.
    """
    c1, c2 = normalize(full_precision(c1)), normalize(full_precision(c2))
    terms = {
        "common_alignment": alignment(c1, c2, tau),
        "common_uniformity": (uniformity(c1, tau) + uniformity(c2, tau)) / 2,
        "salient_alignment": alignment(s1[is_target], s2[is_target], tau),
        "salient_uniformity": (salient_uniformity(s1, is_target, tau) + salient_uniformity(s2, is_target, tau)) / 2,
        "information_less": (information_less(s1, is_target, tau) + information_less(s2, is_target, tau)) / 2,
        "joint_entropy": (joint_entropy(c1, hide_background(s1, is_target), tau) + joint_entropy(c2, hide_background(s2, is_target), tau))
        / 2,
    }
    total = (
        terms["common_alignment"]
        + 2 * terms["common_uniformity"]
        + lambda_salient * (terms["salient_alignment"] + 2 * terms["salient_uniformity"])
        + beta * terms["information_less"]
        + lambda_independence * terms["joint_entropy"]
    )
    return terms | {"total": total}
