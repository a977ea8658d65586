"""What the declarations of variational methods share."""

from __future__ import annotations

from typing import Any

DIM = 64
"""Length of each code, as the SepVAE authors released it for digits on CIFAR-10."""

EPOCHS = {"digits-on-cifar": 4, "marked-digits": 25, "mri": 100}


def usual() -> dict[str, Any]:
    """Return what all variational methods declare: whole images, small convolutional networks, Adam's step size as released."""
    return {
        "views": False,
        "encoder": "conv",
        "width": 32,
        "learning_rate": 1e-3,
        "epochs": EPOCHS,
        "decoder": True,
        "standardised": True,
    }
