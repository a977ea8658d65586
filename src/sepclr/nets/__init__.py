"""Samples to vectors: encoders and heads, ignorant of any method."""

from sepclr.nets.encoders import ENCODERS, Norm, encoder
from sepclr.nets.heads import head

__all__ = ["ENCODERS", "Norm", "encoder", "head"]
