"""Random transformations of a batch, on its device, drawn independently for each sample."""

from sepclr.views.images import ImageViews, pixels
from sepclr.views.rows import RowViews
from sepclr.views.volumes import VolumeViews

__all__ = ["ImageViews", "RowViews", "VolumeViews", "pixels"]
