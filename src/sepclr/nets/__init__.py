"""Encoders, projection heads and decoders, independent of any method."""

from sepclr.nets.convolutional import conv_encoder, decoder
from sepclr.nets.encoders import ENCODERS, Norm, encoder
from sepclr.nets.heads import head, standardise
from sepclr.nets.networks import Networks

__all__ = ["ENCODERS", "Networks", "Norm", "conv_encoder", "decoder", "encoder", "head", "standardise"]
