"""Evaluation of frozen codes, on NumPy arrays: linear probes, δ_tot, site correction and confounders; and of counterfactuals."""

from sepclr.probes.confounding import Confounding, confounding
from sepclr.probes.delta import delta_tot
from sepclr.probes.harmonise import harmonised
from sepclr.probes.linear import GROUP, EncoderState, Probed, ProbeProtocol, probe, reader, score
from sepclr.probes.removal import Removal, RemovalJudge, baselines, frechet, removal
from sepclr.probes.swap import Swap, swap_scores

__all__ = [
    "GROUP",
    "Confounding",
    "EncoderState",
    "ProbeProtocol",
    "Probed",
    "Removal",
    "RemovalJudge",
    "Swap",
    "baselines",
    "confounding",
    "delta_tot",
    "frechet",
    "harmonised",
    "probe",
    "reader",
    "removal",
    "score",
    "swap_scores",
]
