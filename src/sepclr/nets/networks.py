"""The networks of a method, all of one kind and for samples of one shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import nn

from sepclr.nets.convolutional import decoder
from sepclr.nets.encoders import Norm, encoder
from sepclr.nets.heads import head, standardise


@dataclass(frozen=True)
class Networks:
    """Factory of the networks of a method.

    Attributes:
        sample_shape: (features,) or (channels, *space) of one sample.
        kind: kind of encoder, passed to ``nets.encoder`` like the other attributes; or a function that takes the length of the vectors
            and returns an encoder.
        width: channels of the first stage; units of a hidden layer.
        stem_stride: stride of the stem.
        norm: ``batch`` or ``group``.
        checkpointing: whether activations are recomputed in the backward pass.
        further: shape of one sample of each further modality.
        classes: number of classes that a method predicts or is told, by name.
    """

    sample_shape: tuple[int, ...]
    kind: str | Callable[[int], nn.Module]
    width: int = 64
    stem_stride: int = 1
    norm: Norm = "batch"
    checkpointing: bool = False
    further: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)

    def encoder(self, dim: int, *, of: str = "") -> nn.Module:
        """Return an encoder that maps samples (n, *sample_shape), or those of the further modality ``of``, to vectors (n, dim).

        Raises:
            InputError: a kind that does not accept such samples, or an option that it does not have.
        """
        if callable(self.kind):
            return self.kind(dim)
        shape = self.further[of] if of else self.sample_shape
        options = {"width": self.width, "stem_stride": self.stem_stride, "checkpointing": self.checkpointing}
        return encoder(self.kind, shape, dim, norm=self.norm, **options)  # type: ignore[arg-type]

    def head(self, dim: int) -> nn.Module:
        """Return a projection head that maps codes (n, dim) to projections (n, dim)."""
        return head(dim, norm=self.norm)

    def standardise(self, dim: int) -> nn.Module:
        """Return a layer that standardises codes (n, dim)."""
        return standardise(dim, norm=self.norm)

    def decoder(self, dim: int) -> nn.Module:
        """Return a decoder that maps vectors (n, dim) to samples (n, *sample_shape)."""
        return decoder(self.sample_shape, dim, self.width) if len(self.sample_shape) == 1 else decoder(self.sample_shape, dim)
