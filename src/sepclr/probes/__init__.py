"""What the codes say: linear probes on frozen codes, and how far apart two kinds of pattern are. NumPy in, rows out."""

from sepclr.probes.confounding import Confounding, confounding
from sepclr.probes.delta import delta_tot
from sepclr.probes.linear import EncoderState, Probed, ProbeProtocol, is_quantity, probe

__all__ = ["Confounding", "EncoderState", "ProbeProtocol", "Probed", "confounding", "delta_tot", "is_quantity", "probe"]
