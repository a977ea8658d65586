"""What the codes say: linear probes on frozen codes, and how far apart two kinds of pattern are. NumPy in, rows out."""

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
