"""From a BIDS tree of brains to codes of what patients and controls share, and of what only patients have.

The tree is synthetic: brains of controls and patients, with age, sex and scanner in ``participants.tsv``. Patients lose signal in one of
two places (``subtype``), by a known share (``severity``). ``SepCLR`` sees volumes and groups only. Since the truth is known, the picture
can show it: subtypes should come apart in the salient code s, and age should be in the common code c.

    python examples/plot_bids_phantom.py brains.png              # about two minutes on one core
    python examples/plot_bids_phantom.py brains.png --tree DIR   # keep the tree, or use one that is there

The same from the command line, with cross-validation, tables and maps:

    sepclr phantom DIR --bids
    sepclr benchmark mri --bids DIR --group group --background control --target patient --common age,sex --salient subtype,severity
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from sepclr import SepCLR
from sepclr.imaging.phantom import write_bids_phantoms
from sepclr.imaging.study import BrainStudy
from sepclr.imaging.subjects import cohorts
from sepclr.probes import Probed, probe
from sepclr.views import VolumeViews

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("picture", type=Path, help="PNG file to write")
parser.add_argument("--tree", type=Path, help="folder of the BIDS tree (default: a temporary one)")
parser.add_argument("--subjects", type=int, default=120, help="number of subjects (default: %(default)s)")
parser.add_argument("--epochs", type=int, default=40, help="number of epochs (default: %(default)s)")
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
# SepCLR compares random views of a volume: small shifts and rotations, blur, contrast and noise.
views = VolumeViews(shift=1.0, rotation=5.0, blur=0.5, gamma=0.1, noise=0.05)
model = SepCLR(
    encoder="cnn3", width=16, views=views, max_epochs=options.epochs, batch_size=64, learning_rate=2e-3, verbose=True, random_state=0
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
# The picture has the first two principal components of each code, fitted to training subjects, of the subjects of the test.
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, (name, title) in zip(axes, {"c": "common code c", "s": "salient code s"}.items(), strict=True):
    known, shown = (side.spaces[name] for side in sides)
    points = PCA(2).fit(known).transform(shown)
    kinds = np.where(test.is_target.numpy(), test.attributes["subtype"], "control")
    for kind, marker in zip(np.unique(kinds), "o^s", strict=False):
        chosen = kinds == kind
        colours = ax.scatter(*points[chosen].T, c=test.attributes["age"][chosen], vmin=20, vmax=80, marker=marker, s=36, label=kind)
    ax.set(title=title, xlabel="component 1", ylabel="component 2", xticks=[], yticks=[])
figure.colorbar(colours, label="age")
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
figure.savefig(options.picture, dpi=110)
folder.cleanup()
