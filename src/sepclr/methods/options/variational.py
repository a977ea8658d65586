"""Defaults that the variational methods share."""

from __future__ import annotations

from typing import Any

DIM = 64
"""Dimension of each code, as released by the SepVAE authors for digits on CIFAR-10."""

EPOCHS = {"digits-on-cifar": 4, "marked-digits": 25, "mri": 100}


def usual() -> dict[str, Any]:
    """Return what all variational methods declare: whole images, small convolutional networks, the released learning rate."""
    return {
        "views": False,
        "encoder": "conv",
        "width": 32,
        "learning_rate": 1e-3,
        "epochs": EPOCHS,
        "decoder": True,
        "standardised": True,
    }
