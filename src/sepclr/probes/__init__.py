"""Evaluation of frozen codes, NumPy arrays (probes, δ_tot, site correction, confounders, importance, agreement), and counterfactuals."""

from sepclr.probes.alignment import Alignment, align
from sepclr.probes.confounding import Confounding, confounding
from sepclr.probes.delta import delta_tot
from sepclr.probes.harmonise import harmonised
from sepclr.probes.importance import Importance, by_permutation, by_weights, most_read
from sepclr.probes.linear import GROUP, EncoderState, Probed, ProbeProtocol, probe, reader, score
from sepclr.probes.removal import Removal, RemovalJudge, baselines, frechet, removal
from sepclr.probes.stability import Agreement, stability
from sepclr.probes.swap import Swap, swap_scores

__all__ = [
    "GROUP",
    "Agreement",
    "Alignment",
    "Confounding",
    "EncoderState",
    "Importance",
    "ProbeProtocol",
    "Probed",
    "Removal",
    "RemovalJudge",
    "Swap",
    "align",
    "baselines",
    "by_permutation",
    "by_weights",
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
