"""Embeddings of a frozen network
==============================

Embeddings of a frozen network are rows: separate what they encode of both groups from what they encode of the target only.

A small network is trained to recognise handwritten digits, and then frozen; it stands for any pretrained network. The background is other
digits, the target is digits with a bar on the left or at the top. ``SepCLR`` sees embeddings and groups only. Which digit an image shows
belongs in the common code c, which bar in the salient code s.

::

    python examples/plot_embeddings.py embeddings.png    # half a minute on one core

The digits ship with scikit-learn.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neural_network import MLPClassifier

from sepclr import SepCLR

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("picture", type=Path, help="PNG file to write")
parser.add_argument("--epochs", type=int, default=150, help="number of epochs (default: %(default)s)")
options = parser.parse_args()
if options.picture.suffix != ".png" or not options.picture.parent.is_dir():
    parser.error(f"picture: {options.picture}; give the path of a .png file in an existing folder")

# %%
# The network learns from 500 digits, the others are background or target.
images, digit = load_digits(return_X_y=True)
images = images.reshape(-1, 8, 8) / 16
network = MLPClassifier((128,), max_iter=60, early_stopping=True, random_state=0).fit(images[:500].reshape(500, -1), digit[:500])
images, digit = images[500:].copy(), digit[500:]

# %%
# Targets have a bar on the left or at the top.
draw = np.random.default_rng(0)
y = draw.random(len(images)) < 0.5
bar = np.where(y, draw.choice(["left", "top"], len(images)), "none")
images[bar == "left", :, 1] = 1
images[bar == "top", 1, :] = 1

# %%
# Embeddings, the activations of the hidden layer, shape (images, 128), are all that SepCLR needs beside the groups.
embeddings = np.maximum(images.reshape(len(images), -1) @ network.coefs_[0] + network.intercepts_[0], 0)
train = np.arange(len(y)) < 900
model = SepCLR(common_dim=16, salient_dim=8, max_epochs=options.epochs, random_state=0).fit(embeddings[train], y[train])

# %%
# Linear probes are fitted on half of the other images and scored on the other half.
attributes = {"digit": digit[~train], "bar": bar[~train]}
for row in model.score_separation(embeddings[~train], y[~train], attributes):
    if row["encoder"] == "trained" and row["metric"] == "balanced_accuracy" and row["attribute"] in attributes:
        print(f"{row['attribute']} from {row['space']}: balanced accuracy {row['score']:.2f}, chance {row['chance']:.2f}")

# %%
# The picture has the two directions of each space that best tell digits, or bars, apart in training images (linear discriminant analysis).
# It shows the other images.
spaces = {
    "embeddings": embeddings,
    "common code c": model.transform_common(embeddings),
    "salient code s": model.transform_salient(embeddings),
}
figure, axes = plt.subplots(2, 3, figsize=(11, 7), layout="constrained")
for line, (name, labels, colours) in zip(axes, (("digit", digit, "tab10"), ("bar", bar, "Set2")), strict=True):
    for ax, (title, space) in zip(line, spaces.items(), strict=True):
        directions = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto", n_components=2)
        points = directions.fit(space[train], labels[train]).transform(space[~train])
        for number, label in enumerate(np.unique(labels)):
            chosen = labels[~train] == label
            ax.scatter(*points[chosen].T, s=10, alpha=0.8, linewidths=0, color=plt.get_cmap(colours)(number), label=label)
        ax.set(title=title, xticks=[], yticks=[])
    line[0].set_ylabel(name)
    line[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5), title=name, frameon=False, markerscale=2)
figure.savefig(options.picture, dpi=100)
