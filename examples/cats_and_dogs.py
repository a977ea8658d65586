"""Two folders of photographs: what do dogs have that cats do not?

Writes the cats and the dogs of CIFAR-10 as PNG files, one folder for each, with a table of attributes, and trains SepCLR on the folders as
anybody would on their own: cats are the background, dogs the target. The table says which images the publisher keeps for testing, and how
bright each image is, which both groups share.

    python examples/cats_and_dogs.py DATA pictures    # about 10 minutes on one core

DATA is the folder with the publisher's ``cifar-10-batches-py``, from https://www.cs.toronto.edu/~kriz/cifar.html.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

from sepclr.cli import main
from sepclr.datasets import cifar10
from sepclr.datasets.digits_on_cifar import CLASSES
from sepclr.types import InputError

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("data", type=Path, help="folder with cifar-10-batches-py")
parser.add_argument("pictures", type=Path, help="new folder for the images and the run")
parser.add_argument("--epochs", type=int, default=20, help="number of epochs (default: %(default)s)")
parser.add_argument("--images", type=int, help="number of images of each kind and side of the split (default: all)")
options = parser.parse_args()
if options.pictures.exists():
    parser.error(f"pictures: {options.pictures} exists; give a new folder")
try:
    photographs = cifar10.read(options.data)
except InputError as error:
    parser.error(str(error))

# %%
# One folder for each group, and a table with a row for each image.
rows = [("file", "split", "brightness")]
for kind in ("cat", "dog"):
    (options.pictures / kind).mkdir(parents=True)
    for split, images, labels in (
        ("train", photographs.train_images, photographs.train_labels),
        ("test", photographs.test_images, photographs.test_labels),
    ):
        for number in np.flatnonzero(labels == CLASSES.index(kind))[: options.images].tolist():
            name = f"{kind}/{split}-{number:05d}.png"
            Image.fromarray(images[number].transpose(1, 2, 0)).save(options.pictures / name)
            rows.append((name, split, f"{images[number].mean():.1f}"))
table = options.pictures / "attributes.csv"
with table.open("w", newline="") as file:
    csv.writer(file).writerows(rows)

# %%
# The same as `sepclr fit images --background pictures/cat --target pictures/dog …` on the command line.
folders = ["--background", str(options.pictures / "cat"), "--target", str(options.pictures / "dog")]
columns = ["--attributes", str(table), "--split", "split", "--common", "brightness"]
raise SystemExit(main(["fit", "images", *folders, *columns, "--max-epochs", str(options.epochs), "--out", str(options.pictures / "run")]))
