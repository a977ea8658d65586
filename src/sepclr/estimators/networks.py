"""Networks and views of an estimator, chosen by the shape of its samples."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sepclr.nets import Networks
from sepclr.parts import ImageAugmentation
from sepclr.types import InputError
from sepclr.views import ImageViews, RowViews, VolumeViews, pixels


def networks(model: Any) -> Networks:
    """Return the networks of an estimator.

    Raises:
        InputError: an encoder that is not a name, a module or a function.
    """
    shape, kind = model.sample_shape_, model.encoder
    if isinstance(kind, nn.Module):
        kind = _Own(kind, shape)
    elif kind == "auto":
        kind = "mlp" if len(shape) == 1 else model.declaration.encoder or "resnet10"
    elif not isinstance(kind, str) and not callable(kind):
        raise InputError(
            f"encoder: {kind!r}; give an encoder name, a torch.nn.Module, or a function that creates one from its number of outputs"
        )
    return Networks(shape, kind, model.width, further=model.further_, classes=model.known_classes_)


class _Own:
    """A custom module followed by a linear layer to the dimension of the codes; every encoder is a copy with the module's weights."""

    def __init__(self, module: nn.Module, shape: tuple[int, ...]) -> None:
        self.module, self.shape = module, shape

    def __call__(self, dim: int) -> nn.Module:
        own = copy.deepcopy(self.module).cpu().float()
        training = own.training
        try:
            with torch.no_grad():
                features = own.eval()(torch.zeros(2, *self.shape, device="cpu")).flatten(1)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(f"encoder: {type(own).__name__} does not take samples of shape {self.shape}: {reason}") from None
        return nn.Sequential(own.train(training), nn.Flatten(), nn.Linear(features.shape[1], dim))


def views(model: Any) -> Callable[[Tensor], Tensor]:
    """Return the random views of an estimator; methods that do not use views see samples unchanged.

    Raises:
        InputError: an encoder that takes only whole images.
    """
    if not model.declaration.views:
        return pixels
    if model.views is not None:
        given: Callable[[Tensor], Tensor] = model.views
        return given
    channels, *space = model.sample_shape_
    if not space:
        return RowViews()
    if len(space) == 3:
        return VolumeViews()
    if model.encoder == "conv":
        raise InputError("encoder: 'conv' takes whole images, and views are crops; choose cnn3, cnn4, resnet8, resnet10 or resnet18")
    if model.declaration.task == "debiasing":  # nearly whole, never mirrored or recoloured: that could change the class
        return ImageViews(channels, model.crop or min(space), (0.7, 1.0), 1.3, 0.0, (0.0, 0.0, 0.0, 0.0), 0.0, 0.0)
    return ImageViews(channels, model.crop or ImageAugmentation(crop="auto").side(space))
