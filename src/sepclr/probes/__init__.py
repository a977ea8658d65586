"""Evaluation of frozen codes, NumPy arrays (probes, certificate, agreement, site correction, importance), and of counterfactuals."""

from sepclr.probes.alignment import Alignment, align
from sepclr.probes.certificate import Certificate, certificate, certify
from sepclr.probes.confounding import Confounding, confounding
from sepclr.probes.delta import delta_tot
from sepclr.probes.harmonise import harmonised
from sepclr.probes.importance import Importance, by_permutation, by_weights, most_read
from sepclr.probes.linear import GROUP, EncoderState, Probed, ProbeProtocol, probe, reader, score
from sepclr.probes.removal import Removal, RemovalJudge, baselines, frechet, removal
from sepclr.probes.stability import Agreement, stability
from sepclr.probes.strengths import PROBES
from sepclr.probes.swap import Swap, swap_scores
from sepclr.probes.verdict import Tested

__all__ = [
    "GROUP",
    "PROBES",
    "Agreement",
    "Alignment",
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
    "align",
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
    "stability",
    "swap_scores",
]
