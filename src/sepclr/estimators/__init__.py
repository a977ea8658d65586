"""The scikit-learn face of the methods: fit, transform."""

from sepclr.estimators.sepclr import SepCLR

__all__ = ["SepCLR"]
