"""Declarations of all methods; to add a method to the library, add it to this list."""

from sepclr.methods.options import convae, cvae, linear, mmcvae, sepclr, sepvae, simclr
from sepclr.methods.options.base import Alternative, Declaration, Options

METHODS: dict[str, Declaration] = {
    each.name: each
    for each in (
        cvae.METHOD,
        convae.METHOD,
        mmcvae.METHOD,
        sepvae.METHOD,
        sepclr.METHOD,
        simclr.METHOD,
        simclr.OF_TARGETS,
        linear.PCA,
        linear.CONTRASTIVE_PCA,
    )
}
"""All methods by name, in table order."""

__all__ = ["METHODS", "Alternative", "Declaration", "Options"]
