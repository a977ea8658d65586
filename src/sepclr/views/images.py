"""Views of 2-D images: crop, flip, colour jitter, greyscale (kornia)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from sepclr.ranges import check_image_views


def pixels(x: Shaped[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
    """Scale uint8 samples to 0..1, convert float16 to float32, and return other floating-point samples unchanged."""
    if x.dtype == torch.uint8:
        return x.float() / 255
    return x.float() if x.dtype == torch.float16 else x


class ImageViews(nn.Module):
    """Draw a random view of each image.

    Images with any number of channels other than three have no colour: brightness and contrast are jittered; saturation, hue and grey have
    no effect.

    Args:
        channels: number of channels of an image.
        crop: side of the view, in pixels.
        crop_scale: smallest and largest area of the crop, as fractions of the image.
        crop_ratio: largest ratio of the crop's width to its height; the smallest is its inverse.
        flip: probability of a horizontal flip.
        jitter: strengths of brightness, contrast, saturation and hue.
        jitter_probability: probability that an image is jittered.
        grey: probability that a colour image is converted to greyscale.
        jitter_whole_batch: decide once per batch whether to jitter, as in the released code of SepCLR, instead of once per image.

    Raises:
        InputError: a value outside its range.
    """

    def __init__(
        self,
        channels: int,
        crop: int,
        crop_scale: tuple[float, float] = (0.2, 1.0),
        crop_ratio: float = 4 / 3,
        flip: float = 0.5,
        jitter: tuple[float, float, float, float] = (0.4, 0.4, 0.4, 0.1),
        jitter_probability: float = 0.8,
        grey: float = 0.2,
        jitter_whole_batch: bool = False,
    ) -> None:
        super().__init__()
        import kornia.augmentation as kornia

        check_image_views(crop, crop_scale, crop_ratio, flip, jitter, jitter_probability, grey)
        colourful = channels == 3
        brightness, contrast, saturation, hue = jitter if colourful else (*jitter[:2], 0.0, 0.0)
        colour = kornia.ColorJitter(brightness, contrast, saturation, hue, p=jitter_probability)
        # With p = 1 and our own coin, the strengths are still drawn for each image, as in the released code.
        if jitter_whole_batch:
            colour.p = 1.0
        self.coin = jitter_probability if jitter_whole_batch else 1.0
        self.place = nn.Sequential(
            kornia.RandomResizedCrop((crop, crop), scale=crop_scale, ratio=(1 / crop_ratio, crop_ratio), cropping_mode="resample"),
            kornia.RandomHorizontalFlip(p=flip),
        )
        self.colour = colour
        self.last = kornia.RandomGrayscale(p=grey) if colourful else nn.Identity()

    @torch.no_grad()
    def forward(self, x: Shaped[Tensor, "n channels height width"]) -> Float[Tensor, "n channels crop crop"]:
        """Draw one view of each image, uint8 in 0..255 or floating point in 0..1; return floating point in 0..1."""
        view: Tensor = self.place(pixels(x))
        if self.coin == 1.0 or torch.rand(()).item() < self.coin:
            view = self.colour(view)
        return self.last(view)  # type: ignore[no-any-return]
