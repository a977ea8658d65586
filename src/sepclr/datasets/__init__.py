"""Data sets, one file each. A data set is available once it is in this list."""

from sepclr.datasets import (
    cells,
    coloured_mnist,
    corrupted_cifar10,
    digits_on_cifar,
    domains,
    images,
    marked_digits,
    mri,
    rows,
    two_modalities,
)
from sepclr.datasets.base import DataSet

DATA_SETS: dict[str, DataSet] = {
    each.name: each
    for each in (
        digits_on_cifar.DATA_SET,
        marked_digits.DATA_SET,
        images.DATA_SET,
        mri.DATA_SET,
        rows.DATA_SET,
        cells.DATA_SET,
        two_modalities.DIGIT_AND_PHOTOGRAPH,
        two_modalities.QUADRANT_DIGITS,
        corrupted_cifar10.DATA_SET,
        coloured_mnist.DATA_SET,
        domains.PHOTOGRAPHS,
        domains.DIGITS,
    )
}
"""All data sets by name."""

__all__ = ["DATA_SETS", "DataSet"]
