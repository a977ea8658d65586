"""Entropies of SepCLR's objective over several views of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from sepclr.losses.fused import kernel_entropies
from sepclr.losses.kernel import Bandwidth
from sepclr.losses.uniformity import salient_uniformity, uniformity
from sepclr.types import Scalar

Form = Literal["released", "published"]


def infomax_entropies(
    c: Sequence[Float[Tensor, "n d_c"]],
    s: Sequence[Float[Tensor, "n d_s"]],
    is_target: Bool[Tensor, " n"],
    tau: tuple[Bandwidth, Bandwidth] = (0.5, 0.5),
    form: Form = "released",
) -> tuple[Scalar, Scalar, Scalar]:
    """Estimate −wH(c), −wH(s) and −H(c, s), averaged over views.

    In the released form, the entropies of a view are computed in one pass over its pairs of samples.

    Args:
        c: common codes of each view, shape (n, d_c).
        s: salient codes of each view, shape (n, d_s); background rows are treated as 0.
        is_target: True for target samples, shape (n,).
        tau: kernel bandwidths of c and of s, in squared units of the codes.
        form: ``released`` uses w = 2 and both uniformities over all rows without self pairs; ``published`` uses w = 1, the uniformity of
            c with self pairs (eq. 3) and that of s over targets (eq. 7).

    Returns:
        The three terms, each to be minimised.

    Raises:
        InputError: a bandwidth that is not positive.

    Source: SepCLR (arXiv 2402.11928), and the form that its authors released.
    """
    common, salient, joint = [], [], []
    for view_c, view_s in zip(c, s, strict=True):
        found = kernel_entropies(view_c, view_s, tau, is_target=is_target)
        if form == "released":
            common.append(2 * found["common_uniformity"])
            salient.append(2 * found["salient_uniformity"])
        else:
            common.append(uniformity(view_c, tau[0], with_self=True))
            salient.append(salient_uniformity(view_s, is_target, tau[1], form="paper"))
        joint.append(found["joint_entropy"])
    return torch.stack(common).mean(), torch.stack(salient).mean(), torch.stack(joint).mean()
