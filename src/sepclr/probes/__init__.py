"""What the codes say: linear probes on frozen codes, and how far apart two kinds of pattern are. NumPy in, rows out."""

from sepclr.probes.delta import delta_tot
from sepclr.probes.linear import EncoderState, Probed, ProbeProtocol, probe

__all__ = ["EncoderState", "ProbeProtocol", "Probed", "delta_tot", "probe"]
