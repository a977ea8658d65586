"""All methods at a glance: what each is, who published it, what it has. The page of the methods is generated from this."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One method.

    Attributes:
        name: as the command line takes it; for linear ones the estimator.
        paper: authors and title.
        year: of the paper.
        link: to the paper.
        where: the object, importable.
        decoder: gives samples back (``reconstruct``, ``without_salient``, ``swap``; linear: ``inverse_transform``).
        critic: has an adversary that takes turns.
        linear: a closed form, a scikit-learn transformer.
    """

    name: str
    paper: str
    year: int
    link: str
    where: str
    decoder: bool = False
    critic: bool = False
    linear: bool = False


METHODS = (
    Entry(
        "sepclr",
        "Louiset, Duchesnay, Grigis, Gori: Separating common from salient patterns with contrastive representation learning",
        2024,
        "https://arxiv.org/abs/2402.11928",
        "sepclr.methods.SepCLR",
        critic=True,
    ),
    Entry(
        "sepvae",
        "Louiset, Duchesnay, Grigis, Dufumier, Gori: SepVAE, a contrastive VAE to separate pathological patterns from healthy ones",
        2023,
        "https://arxiv.org/abs/2307.06206",
        "sepclr.methods.SepVAE",
        decoder=True,
        critic=True,
    ),
    Entry(
        "mm-cvae",
        "Weinberger, Beebe-Wang, Lee: Moment matching deep contrastive latent variable models",
        2022,
        "https://arxiv.org/abs/2202.10560",
        "sepclr.methods.MMcVAE",
        decoder=True,
    ),
    Entry(
        "convae",
        "Aglinskas, Hartshorne, Anzellotti: Contrastive machine learning reveals the structure of neuroanatomical variation within autism",
        2022,
        "https://doi.org/10.1126/science.abm2461",
        "sepclr.methods.ConVAE",
        decoder=True,
        critic=True,
    ),
    Entry(
        "cvae",
        "Abid, Zou: Contrastive variational autoencoder enhances salient features",
        2019,
        "https://arxiv.org/abs/1902.04601",
        "sepclr.methods.CVAE",
        decoder=True,
        critic=True,
    ),
    Entry(
        "simclr, simclr-target",
        "Chen, Kornblith, Norouzi, Hinton: A simple framework for contrastive learning of visual representations",
        2020,
        "https://arxiv.org/abs/2002.05709",
        "sepclr.methods.SimCLR",
    ),
    Entry(
        "ContrastivePCA",
        "Abid, Zhang, Bagaria, Zou: Exploring patterns enriched in a dataset with contrastive principal component analysis",
        2018,
        "https://doi.org/10.1038/s41467-018-04608-8",
        "sepclr.ContrastivePCA",
        decoder=True,
        linear=True,
    ),
    Entry(
        "GeneralisedContrastivePCA",
        "de Oliveira, Garg, Hjerling-Leffler, Batista-Brito, Sjulson: Identifying patterns differing between high-dimensional datasets "
        "with generalized contrastive PCA",
        2025,
        "https://doi.org/10.1371/journal.pcbi.1012747",
        "sepclr.GeneralisedContrastivePCA",
        decoder=True,
        linear=True,
    ),
    Entry(
        "ProbabilisticContrastivePCA",
        "Li, Jones, Engelhardt: Probabilistic contrastive principal component analysis",
        2020,
        "https://arxiv.org/abs/2012.07977",
        "sepclr.ProbabilisticContrastivePCA",
        decoder=True,
        linear=True,
    ),
)


def table() -> str:
    """Write all methods as a Markdown table."""
    lines = ["| method | paper | decoder | critic | linear | object |", "| --- | --- | --- | --- | --- | --- |"]
    for entry in METHODS:
        has = " | ".join("yes" if flag else "" for flag in (entry.decoder, entry.critic, entry.linear))
        lines.append(f"| {entry.name} | [{entry.paper}, {entry.year}]({entry.link}) | {has} | `{entry.where}` |")
    return "\n".join(lines) + "\n"
