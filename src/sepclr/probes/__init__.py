"""Evaluation of frozen codes, on NumPy arrays (probes, certificate, site correction, confounders, importance), and of counterfactuals."""

from sepclr.probes.certificate import Certificate, certificate, certify
from sepclr.probes.confounding import Confounding, confounding
from sepclr.probes.delta import delta_tot
from sepclr.probes.harmonise import harmonised
from sepclr.probes.importance import Importance, by_permutation, by_weights, most_read
from sepclr.probes.linear import GROUP, EncoderState, Probed, ProbeProtocol, probe, reader, score
from sepclr.probes.removal import Removal, RemovalJudge, baselines, frechet, removal
from sepclr.probes.strengths import PROBES
from sepclr.probes.swap import Swap, swap_scores
from sepclr.probes.verdict import Tested

__all__ = [
    "GROUP",
    "PROBES",
    "Certificate",
    "Confounding",
    "EncoderState",
    "Importance",
    "ProbeProtocol",
    "Probed",
    "Removal",
    "RemovalJudge",
    "Swap",
    "Tested",
    "baselines",
    "by_permutation",
    "by_weights",
    "certificate",
    "certify",
    "confounding",
    "delta_tot",
    "frechet",
    "harmonised",
    "most_read",
    "probe",
    "reader",
    "removal",
    "score",
    "swap_scores",
]
