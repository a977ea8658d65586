"""Pure functions of tensors: entropies, alignment, independence. Each is minimised."""

from sepclr.losses.alignment import alignment
from sepclr.losses.fused import kernel_entropies
from sepclr.losses.information_less import information_less
from sepclr.losses.joint_entropy import joint_entropy
from sepclr.losses.kernel import full_precision, hide_background
from sepclr.losses.released import released_total
from sepclr.losses.uniformity import salient_uniformity, uniformity

__all__ = [
    "alignment",
    "full_precision",
    "hide_background",
    "information_less",
    "joint_entropy",
    "kernel_entropies",
    "released_total",
    "salient_uniformity",
    "uniformity",
]
