"""Images without their salient pattern
====================================

A decoder shows what the model thinks an image would look like without its salient pattern, and with another's.

Background is handwritten digits; target is handwritten digits with a mark on top. ``SepCLR`` learns a common and a salient code from the
groups alone, without being told which digit or which mark an image shows. ``FlowDecoder`` learns to draw images from these codes, and then
draws targets with the salient code of background. The result is what the model thinks this image would look like without its mark, which
can be wrong. Here it can be compared with the truth, because the images are composed and the digits below the marks are known. Each image
also gets the mark of another one, its donor: what removal takes away from the donor.

::

    python examples/plot_without.py without.png    # about 15 minutes on one core

The digits ship with scikit-learn.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sepclr import FlowDecoder, SepCLR
from sepclr.datasets import marked_digits
from sepclr.probes import removal
from sepclr.views import ImageViews

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("picture", type=Path, help="PNG file to write")
parser.add_argument("--epochs", type=int, default=15, help="number of epochs of SepCLR (default: %(default)s)")
parser.add_argument("--decoder-epochs", type=int, help="number of epochs of the decoder (default: about 3,000 steps)")
parser.add_argument("--samples", type=int, default=8000, help="number of training images (default: %(default)s)")
parser.add_argument("--scored", type=int, default=200, help="number of test targets to decode (default: %(default)s)")
options = parser.parse_args()
if options.picture.suffix != ".png" or not options.picture.parent.is_dir():
    parser.error(f"picture: {options.picture}; give the path of a .png file in an existing folder")

# %%
# Each image is background or target. Which digit and which mark it shows is known too, but not used in training.
train, test = marked_digits.load(train_samples=options.samples)
print(f"{len(train)} training images, {int(train.is_target.sum())} of them targets")

# %%
# SepCLR compares random views of an image. A crop must keep most of the digit, and a flip would turn it into something else.
views = ImageViews(
    channels=1, crop=28, crop_scale=(0.6, 1.0), crop_ratio=1.1, flip=0.0, jitter=(0.4, 0.0, 0.0, 0.0), jitter_probability=1.0
)
model = SepCLR(
    encoder="cnn4", width=16, views=views, max_epochs=options.epochs, batch_size=128, learning_rate=2e-3, verbose=True, random_state=0
).fit(train)

# %%
# The decoder is trained on the same images. The model is not trained further.
decoder = FlowDecoder(model, max_epochs=options.decoder_epochs, verbose=True, random_state=0).fit(train)

# %%
# The last test targets, 200 by default, are compared with their true digits by PSNR, in decibels: higher is better. The targets themselves,
# which keep their marks, are the baseline.
scored = np.arange(len(test))[-options.scored :]
targets = test.x[scored].numpy() / 255
truth = marked_digits.without_marks(train_samples=options.samples)[scored].numpy() / 255
without = decoder.without_salient(targets)
for row in removal({"without": without, "target itself": targets}, targets, truth):
    print(f"PSNR of {row['name']}: {row['psnr']:.1f} dB")

# %%
# The donor of each target is the next one. The picture has the first target with each mark.
swapped = decoder.swap(targets, np.roll(targets, -1, axis=0))
mark = test.attributes["mark"][scored]
shown = [int(np.flatnonzero(mark == label)[0]) for label in range(len(marked_digits.MARKS))]
rows = {
    "target": (targets, "gray", 0),
    "without the mark,\naccording to the model": (without, "gray", 0),
    "difference: blue is\nremoved, red is added": (without - targets, "RdBu_r", -1),
    "true digit": (truth, "gray", 0),
    "donor": (np.roll(targets, -1, axis=0), "gray", 0),
    "target with the\nmark of the donor": (swapped, "gray", 0),
}
figure, axes = plt.subplots(len(rows), len(shown), figsize=(11, 6.8), layout="constrained")
for line, (name, (images, colours, low)) in zip(axes, rows.items(), strict=True):
    for ax, index in zip(line, shown, strict=True):
        ax.imshow(images[index, 0], cmap=colours, vmin=low, vmax=1)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
for ax, name in zip(axes[0], marked_digits.MARKS, strict=True):
    ax.set_title(name)
figure.savefig(options.picture, dpi=100)
# sphinx_gallery_thumbnail_path = 'counterfactuals.png'
