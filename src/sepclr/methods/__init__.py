"""One paper, one file; each opens with its objective."""

from sepclr.methods.convae import ConVAE, ConVAEWeights
from sepclr.methods.cvae import CVAE, CVAEWeights
from sepclr.methods.decorrelated import Decorrelated, DecorrelatedWeights
from sepclr.methods.mmcvae import MMcVAE, MMcVAEWeights
from sepclr.methods.sepclr import Objective, SepCLR, SepCLRWeights, default_critic, default_weights
from sepclr.methods.sepvae import SepVAE, SepVAEWeights
from sepclr.methods.simclr import SimCLR, SimCLRWeights
from sepclr.methods.variational import DISCRIMINATOR, ContrastiveVAE

__all__ = [
    "CVAE",
    "DISCRIMINATOR",
    "CVAEWeights",
    "ConVAE",
    "ConVAEWeights",
    "ContrastiveVAE",
    "Decorrelated",
    "DecorrelatedWeights",
    "MMcVAE",
    "MMcVAEWeights",
    "Objective",
    "SepCLR",
    "SepCLRWeights",
    "SepVAE",
    "SepVAEWeights",
    "SimCLR",
    "SimCLRWeights",
    "default_critic",
    "default_weights",
]
