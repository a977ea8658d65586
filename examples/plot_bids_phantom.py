"""Brains in a BIDS tree
=====================

From a BIDS tree of brains to codes of what patients and controls share, and of what only patients have.

The tree is synthetic: brains of controls and patients, with age, sex and scanner in ``participants.tsv``. Patients lose signal in one of
two places (``subtype``), by a known share (``severity``). ``SepCLR`` sees volumes and groups only. Since the truth is known, the codes can
be compared with it: group, subtype and severity belong in the salient code s, age and sex in the common code c.

::

    python examples/plot_bids_phantom.py brains.png              # about a minute on one core
    python examples/plot_bids_phantom.py brains.png --tree DIR   # keep the tree, or use one that is there

The same from the command line, with cross-validation, tables and maps::

    sepclr phantom DIR --bids
    sepclr benchmark mri --bids DIR --group group --background control --target patient --common age,sex --salient subtype,severity
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sepclr import SepCLR
from sepclr.imaging.phantom import write_bids_phantoms
from sepclr.imaging.study import BrainStudy
from sepclr.imaging.subjects import cohorts
from sepclr.probes import Probed, probe
from sepclr.views import VolumeViews

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("picture", type=Path, help="PNG file to write")
parser.add_argument("--tree", type=Path, help="folder of the BIDS tree (default: a temporary one)")
parser.add_argument("--subjects", type=int, default=120, help="number of subjects (default: %(default)s)")
parser.add_argument("--epochs", type=int, default=25, help="number of epochs (default: %(default)s)")
options = parser.parse_args()
if options.picture.suffix != ".png" or not options.picture.parent.is_dir():
    parser.error(f"picture: {options.picture}; give the path of a .png file in an existing folder")

# %%
# A tree has a folder for each subject, and participants.tsv has their groups and attributes.
folder = TemporaryDirectory()
tree = options.tree or Path(folder.name) / "tree"
if not tree.is_dir():
    write_bids_phantoms(tree, options.subjects)
print((tree / "participants.tsv").read_text().splitlines()[0].replace("\t", ", "))

# %%
# The study names the roles of the columns. Volumes are resampled to 8 mm, and subjects of one fold of four are kept for the test.
study = BrainStudy(
    bids=str(tree),
    group="group",
    background=("control",),
    target=("patient",),
    common=("age", "sex"),
    salient=("subtype", "severity"),
    spacing=8.0,
    folds=4,
)
train, test = cohorts(study, 0, cache=Path(folder.name) / "volumes")
print(f"{len(train)} training and {len(test)} test volumes of {' x '.join(map(str, train.x.shape[2:]))} voxels")

# %%
# SepCLR compares random views of a volume: small shifts and rotations, contrast and noise. The weights are those for brains of the command
# line.
model = SepCLR(
    objective="released",
    independence="k-jem",
    weight_salient=3.0,
    weight_information_less=3.0,
    weight_independence=40.0,
    encoder="cnn4",
    width=16,
    views=VolumeViews(flip=0.0, shift=0.5, rotation=3.0, blur=0.0, gamma=0.1, noise=0.03),
    max_epochs=options.epochs,
    batch_size=64,
    learning_rate=2e-3,
    verbose=True,
    random_state=0,
).fit(train)

# %%
# Linear probes are fitted to the codes of training subjects and scored on test subjects, as they are by the command line.
sides = [
    Probed({"c": model.transform_common(side), "s": model.transform_salient(side)}, side.is_target.numpy(), side.attributes)
    for side in (train, test)
]
for row in probe(*sides, encoder="trained"):
    print(f"{row['attribute']} from {row['space']}: {row['metric']} {row['score']:.2f}, chance {row['chance']:.2f}")

# %%
# The picture has the two directions of each code that best tell controls and subtypes apart in training subjects (linear discriminant
# analysis), of test subjects. Circles grow with severity.
figure, axes = plt.subplots(1, 2, figsize=(9, 4.4), layout="constrained")
for ax, (name, title) in zip(axes, {"c": "common code c", "s": "salient code s"}.items(), strict=True):
    kinds = [np.where(side.is_target, side.attributes["subtype"], "control") for side in sides]
    directions = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto", n_components=2))
    points = directions.fit(sides[0].spaces[name], kinds[0]).transform(sides[1].spaces[name])
    size = 20 + 80 * np.nan_to_num(sides[1].attributes["severity"])
    for kind in np.unique(kinds[0]):
        chosen = kinds[1] == kind
        ax.scatter(*points[chosen].T, s=size[chosen], alpha=0.8, linewidths=0, label=kind)
    ax.set(title=title, xlabel="direction 1", ylabel="direction 2", xticks=[], yticks=[])
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
figure.savefig(options.picture, dpi=110)
folder.cleanup()
