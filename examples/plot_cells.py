"""Simulated cells
===============

From an AnnData of cells to codes of what control and perturbed cells share, and of what only perturbed cells have.

The cells are simulated: four cell types in both conditions, and three responses to the perturbation, each of which raises genes of its own.
``sepclr.cells.fit`` sees counts and conditions only, and writes the codes of all cells into ``obsm``. Type belongs in the common code c,
response in the salient code s. The separation of types and of responses is measured by the silhouette score (−1 to 1) of two
principal components.

::

    python examples/plot_cells.py cells.png    # half a minute on one core

For cells of your own, ``anndata.read_h5ad`` returns the object, or use the command line::

    sepclr fit cells FILE.h5ad --group condition --background control --target perturbed --normalise
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from anndata import AnnData
from scipy.sparse import csr_matrix
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score

from sepclr import cells
from sepclr.datasets.simulated_cells import simulate_cells

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("picture", type=Path, help="PNG file to write")
parser.add_argument("--cells", type=int, default=2000, help="number of cells (default: %(default)s)")
parser.add_argument("--epochs", type=int, default=25, help="number of epochs (default: %(default)s)")
options = parser.parse_args()
if options.picture.suffix != ".png" or not options.picture.parent.is_dir():
    parser.error(f"picture: {options.picture}; give the path of a .png file in an existing folder")

# %%
# An AnnData holds a matrix of cells by genes, here of counts, and columns of what is known about the cells.
simulated = simulate_cells(options.cells, 500, salient_fold=3.0)
adata = AnnData(csr_matrix(simulated.counts, dtype=np.float32))
adata.obs["condition"] = np.where(simulated.is_target, "perturbed", "control").astype(object)
adata.obs["type"] = np.array([f"type {kind + 1}" for kind in simulated.common], dtype=object)
adata.obs["response"] = np.array(["control", "response 1", "response 2", "response 3"], dtype=object)[simulated.salient + 1]

# %%
# Counts are scaled to the median total of a cell and logged. ``fit`` returns the estimator, which can encode other cells. Types
# and responses are not used in training.
cells.fit(
    adata,
    groupby="condition",
    background="control",
    normalise=True,
    common_dim=10,
    salient_dim=10,
    width=128,
    batch_size=128,
    max_epochs=options.epochs,
    verbose=True,
    random_state=0,
)

# %%
# The picture has two principal components of the counts, of c and of s, coloured by type and by response.
# Responses are scored in perturbed cells.
totals = simulated.counts.sum(1, keepdims=True)
logged = np.log1p(simulated.counts / totals * np.median(totals))
spaces = {"log counts": logged, "common code c": adata.obsm["X_common"], "salient code s": adata.obsm["X_salient"]}
perturbed = (adata.obs["condition"] == "perturbed").to_numpy()
figure, axes = plt.subplots(2, 3, figsize=(11, 7), layout="constrained")
for row, (attribute, colours) in zip(axes, {"type": "viridis", "response": "plasma"}.items(), strict=True):
    labels = adata.obs[attribute].to_numpy().astype(str)
    levels = np.unique(labels)
    scored = perturbed if attribute == "response" else np.ones(len(labels), dtype=bool)
    for ax, (name, space) in zip(row, spaces.items(), strict=True):
        points = PCA(2, random_state=0).fit_transform(space)
        for number, level in enumerate(levels):
            colour = "#bbbbbb" if level == "control" else plt.get_cmap(colours)(number / len(levels))
            ax.scatter(*points[labels == level].T, s=6, alpha=0.7, linewidths=0, color=colour, label=level)
        score = silhouette_score(points[scored], labels[scored])
        ax.set(title=f"{name}\nsilhouette of {attribute} {score:.2f}", xticks=[], yticks=[])
        print(f"{attribute} in {name}: silhouette {score:.2f}")
    row[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, markerscale=3)
figure.savefig(options.picture, dpi=100)
