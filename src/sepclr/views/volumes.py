"""Views of volumes: flip, shift, rotation, blur, gamma, noise, cutout (MONAI)."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from sepclr.ranges import check_volume_views
from sepclr.views.images import pixels

CUTOUT = 1 / 3
"""Side length of the cutout box, as a fraction of the volume's."""


class VolumeViews(nn.Module):
    """Draw a random view of each volume, on its device.

    Each transformation is drawn independently for each volume; with a strength of 0 it is skipped.

    Args:
        flip: probability that left and right are swapped; the first axis runs from left to right.
        shift: largest shift along each axis, in voxels.
        rotation: largest rotation around each axis, in degrees.
        blur: largest standard deviation of a Gaussian blur, in voxels; half of the volumes are blurred.
        gamma: values v in 0..1 become v^γ, with γ between 1/(1 + gamma) and 1 + gamma; half of the volumes are changed.
        noise: largest standard deviation of Gaussian noise, in units of the values; half of the volumes are changed.
        cutout: probability that a box of a third of the volume's sides is blanked.

    Raises:
        InputError: a value outside its range.
    """

    def __init__(
        self,
        flip: float = 0.5,
        shift: float = 2.0,
        rotation: float = 5.0,
        blur: float = 1.0,
        gamma: float = 0.2,
        noise: float = 0.05,
        cutout: float = 0.0,
    ) -> None:
        super().__init__()
        check_volume_views(flip, shift, rotation, blur, gamma, noise, cutout)
        self.flip, self.shift, self.rotation = flip, shift, rotation
        self.blur, self.gamma, self.noise, self.cutout = blur, gamma, noise, cutout

    @torch.no_grad()
    def forward(self, x: Shaped[Tensor, "n channels x y z"]) -> Float[Tensor, "n channels x y z"]:
        """Draw one view of each volume."""
        from monai import transforms as monai
        from monai.data import MetaTensor

        turn = math.radians(self.rotation)
        sides = [max(1, round(CUTOUT * side)) for side in x.shape[2:]]
        steps = {
            "flip": monai.RandFlip(self.flip, spatial_axis=0),
            "place": monai.RandAffine(1.0, rotate_range=(turn,) * 3, translate_range=(self.shift,) * 3, padding_mode="zeros"),
            "blur": monai.RandGaussianSmooth(*[(0.0, self.blur)] * 3, prob=0.5),
            "gamma": monai.RandAdjustContrast(0.5, gamma=(1 / (1 + self.gamma), 1 + self.gamma)),
            "noise": monai.RandGaussianNoise(0.5, std=self.noise),
            "cutout": monai.RandCoarseDropout(holes=1, spatial_size=sides, fill_value=0, prob=self.cutout),
        }
        strengths = {name: getattr(self, name) for name in steps if name != "place"} | {"place": self.shift + self.rotation}
        draw = monai.Compose([step for name, step in steps.items() if strengths[name]])
        # MONAI has its own random generator; seed it from torch's, so that views follow the random seed of the run.
        draw.set_random_state(int(torch.randint(2**31, ())))
        with torch.autocast(x.device.type, enabled=False):  # grid_sample needs input and grid of the same dtype
            views = [draw(volume) for volume in pixels(x)]
        return torch.stack([view.as_tensor() if isinstance(view, MetaTensor) else view for view in views])
