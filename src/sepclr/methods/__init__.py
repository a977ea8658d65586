"""One paper, one file; each opens with its objective."""

from sepclr.methods.sepclr import INDEPENDENCE, SepCLR, SepCLRWeights

__all__ = ["INDEPENDENCE", "SepCLR", "SepCLRWeights"]
