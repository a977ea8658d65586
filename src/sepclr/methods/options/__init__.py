"""Declarations of all methods; to add a method to the library, add it to this list."""

from sepclr.methods.options import adapted, convae, cvae, debiased, domains, dsn, linear, mmcvae, modalities, sepclr, sepvae, simclr
from sepclr.methods.options.base import Alternative, Declaration, Options
from sepclr.parts import Task

METHODS: dict[str, Declaration] = {
    each.name: each
    for each in (
        cvae.METHOD,
        convae.METHOD,
        mmcvae.METHOD,
        sepvae.METHOD,
        sepclr.METHOD,
        simclr.METHOD,
        simclr.OF_TARGETS,
        linear.PCA,
        linear.CONTRASTIVE_PCA,
        modalities.METHOD,
        modalities.CROSS_MODAL,
        *debiased.METHODS,
        adapted.METHOD,
        domains.INFORMATION,
        domains.CONFUSION,
        domains.ADVERSARIAL,
        dsn.METHOD,
        domains.SOURCE_ONLY,
        domains.TARGET_ONLY,
    )
}
"""All methods by name, in table order."""


def of_task(task: Task) -> dict[str, Declaration]:
    """Return the methods for a task by name, in table order."""
    return {name: method for name, method in METHODS.items() if method.task == task}


__all__ = ["METHODS", "Alternative", "Declaration", "Options", "of_task"]
