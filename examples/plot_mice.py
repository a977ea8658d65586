"""Proteins of mice
================

Linear contrastive analysis shows the genotype of mice that PCA hides.

The shocked mice (target) are normal or a model of Down syndrome. Protein expression in their cortex varies mostly for other reasons, which
normal mice that were not shocked (background) share, so two principal components hide the genotype. Three linear contrastive methods show
it without using the genotype labels, as in Figure 2 of Abid, Zhang, Bagaria, Zou, Nature Communications 9:2134, 2018. The separation of the
genotypes is measured by the silhouette score (−1 to 1) of the two components, each scaled to unit variance. Each mouse was measured
15 times, so the dots come from only 9 mice of each genotype.

::

    python examples/plot_mice.py Data_Cortex_Nuclear.csv mice.png    # a few seconds

The table is UCI's "Mice Protein Expression" (Higuera, Gardiner, Cios 2015, CC BY 4.0), saved as CSV.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.impute import SimpleImputer
from sklearn.metrics import silhouette_score
from sklearn.pipeline import make_pipeline

from sepclr import ContrastivePCA, GeneralisedContrastivePCA, ProbabilisticContrastivePCA
from sepclr.datasets import mice

if len(sys.argv) != 3:
    sys.exit(f"usage: {sys.argv[0]} {mice.NAME} PICTURE.png")
table = mice.load(Path(sys.argv[1]))
genotype = table.genotype[table.is_target]

# %%
# With α = 0, contrastive PCA is PCA of the target. Missing values are replaced by the mean of their protein.
methods = {
    "PCA": ContrastivePCA(alpha=0),
    "Contrastive PCA": ContrastivePCA(random_state=0),
    "Generalised contrastive PCA": GeneralisedContrastivePCA(),
    "Probabilistic contrastive PCA": ProbabilisticContrastivePCA(),
}
choices = {"Contrastive PCA": "α = {0.alpha_:.1f}", "Probabilistic contrastive PCA": "γ = {0.gamma_:g}"}

figure, axes = plt.subplots(1, 4, figsize=(14, 3.9), layout="constrained")
for ax, (name, method) in zip(axes, methods.items(), strict=True):
    pipeline = make_pipeline(SimpleImputer(), method).fit(table.x, table.is_target)
    codes = pipeline.transform(table.x[table.is_target])
    codes /= codes.std(0)
    for value, label, colour in (("Control", "normal", "#3b6fb6"), ("Ts65Dn", "Ts65Dn, a model of Down syndrome", "#d1622b")):
        ax.scatter(*codes[genotype == value].T, s=14, alpha=0.7, linewidths=0, color=colour, label=label)
    score = f"silhouette {silhouette_score(codes, genotype):.2f}"
    note = choices[name].format(method) + ", " if name in choices else ""
    ax.set(title=f"{name}\n{note}{score}", xlabel="component 1", xticks=[], yticks=[])
    print(f"{name}: {note}{score}")
axes[0].set_ylabel("component 2")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, markerscale=2)
figure.savefig(sys.argv[2], dpi=110)
# sphinx_gallery_thumbnail_path = 'mice.png'
