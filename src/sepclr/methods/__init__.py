"""One paper, one file; each opens with its objective."""

from sepclr.methods.sepclr import SepCLR, SepCLRWeights

__all__ = ["SepCLR", "SepCLRWeights"]
