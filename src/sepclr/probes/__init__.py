"""Evaluation of frozen codes, on NumPy arrays: linear probes, δ_tot, site correction and confounders."""

from sepclr.probes.confounding import Confounding, confounding
from sepclr.probes.delta import delta_tot
from sepclr.probes.harmonise import harmonised
from sepclr.probes.linear import GROUP, EncoderState, Probed, ProbeProtocol, probe, reader

__all__ = [
    "GROUP",
    "Confounding",
    "EncoderState",
    "ProbeProtocol",
    "Probed",
    "confounding",
    "delta_tot",
    "harmonised",
    "probe",
    "reader",
]
