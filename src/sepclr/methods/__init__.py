"""Methods, one file per paper; each starts with its objective. ``options`` holds their declarations and does not import torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sepclr.methods.options.adapted import AdaptedWeights
from sepclr.methods.options.convae import ConVAEWeights
from sepclr.methods.options.cvae import CVAEWeights
from sepclr.methods.options.debiased import ClassificationWeights, DebiasedWeights
from sepclr.methods.options.domains import AdversarialWeights, ConfusionWeights, InformationWeights, OneDomainWeights
from sepclr.methods.options.dsn import DSNWeights
from sepclr.methods.options.mmcvae import MMcVAEWeights
from sepclr.methods.options.modalities import CrossModalWeights, ModalitiesWeights
from sepclr.methods.options.sepclr import DecorrelatedWeights, SepCLRWeights
from sepclr.methods.options.sepvae import SepVAEWeights
from sepclr.methods.options.simclr import SimCLRWeights

if TYPE_CHECKING:
    from sepclr.methods.adapted import Adapted
    from sepclr.methods.convae import ConVAE
    from sepclr.methods.cvae import CVAE
    from sepclr.methods.debiased import Classifier, Debiased, GroupDRO, LogitAdjusted, Reweighted
    from sepclr.methods.decorrelated import Decorrelated
    from sepclr.methods.domains import DomainAdversarial, DomainConfusion, DomainInformation, SourceOnly, TargetOnly
    from sepclr.methods.dsn import DSN
    from sepclr.methods.mmcvae import MMcVAE
    from sepclr.methods.modalities import CrossModal, Modalities
    from sepclr.methods.sepclr import SepCLR
    from sepclr.methods.sepvae import SepVAE
    from sepclr.methods.simclr import SimCLR
    from sepclr.methods.variational import ContrastiveVAE

__all__ = [
    "CVAE",
    "DSN",
    "Adapted",
    "AdaptedWeights",
    "AdversarialWeights",
    "CVAEWeights",
    "ClassificationWeights",
    "Classifier",
    "ConVAE",
    "ConVAEWeights",
    "ConfusionWeights",
    "ContrastiveVAE",
    "CrossModal",
    "CrossModalWeights",
    "DSNWeights",
    "Debiased",
    "DebiasedWeights",
    "Decorrelated",
    "DecorrelatedWeights",
    "DomainAdversarial",
    "DomainConfusion",
    "DomainInformation",
    "GroupDRO",
    "InformationWeights",
    "LogitAdjusted",
    "MMcVAE",
    "MMcVAEWeights",
    "Modalities",
    "ModalitiesWeights",
    "OneDomainWeights",
    "Reweighted",
    "SepCLR",
    "SepCLRWeights",
    "SepVAE",
    "SepVAEWeights",
    "SimCLR",
    "SimCLRWeights",
    "SourceOnly",
    "TargetOnly",
]

_FILES = {
    "ContrastiveVAE": "variational",
    "CrossModal": "modalities",
    **dict.fromkeys(("Classifier", "GroupDRO", "LogitAdjusted", "Reweighted"), "debiased"),
    **dict.fromkeys(("DomainAdversarial", "DomainConfusion", "DomainInformation", "SourceOnly", "TargetOnly"), "domains"),
}


def __getattr__(name: str) -> Any:
    """Import a method on first access: importing torch takes seconds, and ``options`` does not need it."""
    if name not in __all__:
        raise AttributeError(f"module 'sepclr.methods' has no attribute {name!r}")
    return getattr(import_module(f"sepclr.methods.{_FILES.get(name, name.lower())}"), name)
