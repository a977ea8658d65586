"""Random transformations of a batch, on the batch's device, drawn for each sample apart."""

from sepclr.views.images import ImageViews, pixels
from sepclr.views.rows import RowViews
from sepclr.views.volumes import VolumeViews

__all__ = ["ImageViews", "RowViews", "VolumeViews", "pixels"]
