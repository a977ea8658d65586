"""What a study of cells looks like before training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sepclr.data.cell_cohorts import read_cells
from sepclr.data.cell_study import CellStudy
from sepclr.data.facts import counted, digests, group_sizes
from sepclr.data.genes import moments
from sepclr.data.sparse_rows import SparseRows
from sepclr.data.tables import listed
from sepclr.reports import CheckPage
from sepclr.runs.check_facts import confounders, copies, subjects_of

AT_ONCE = 1024


def page_of(study: CellStudy, cache: Path | None) -> CheckPage:
    """Look into the genes of a study.

    Args:
        study: the study.
        cache: folder of matrices that do not fit into memory; the user's cache if None.

    Raises:
        InputError: a file that cannot be used.
    """
    members = study.members()
    cells = read_cells(Path(study.file), study, cache)
    x = cells.x.where(members.chosen)
    stored, whole, low, high, hashes = _pass(x)
    totals, (_, variance) = x.totals(), moments(x)
    silent = cells.genes[variance == 0].tolist()
    kind = "whole numbers, such as counts" if whole else "not whole numbers"
    facts = [
        ("Cells", group_sizes(members.is_target, "cells")),
        ("Genes", f"{counted(x.shape[1], 'genes')}: {listed(cells.genes.tolist())}"),
        ("Values", f"{kind}, {low:.4g} to {high:.4g}; {stored / max(len(x) * x.shape[1], 1):.0%} are not 0"),
        ("Totals", f"{totals.min():.4g} to {totals.max():.4g} a cell, median {np.median(totals):.4g}"),
        ("Constant", f"{len(silent)} of {counted(x.shape[1], 'genes')}" + (f": {listed(silent)}" if silent else "")),
    ]
    warnings = copies(study, members, hashes, "cells")
    if whole and not (study.normalise or study.counts):
        warnings.append(
            "values are whole numbers: if they are counts, give --normalise, or --counts for --reconstruction negative-binomial"
        )
    return CheckPage(
        title=f"{Path(study.file).name}: {' or '.join(study.target)} against {' or '.join(study.background)}",
        problems=[],
        is_target=members.is_target,
        attributes=members.attributes,
        confounding=confounders(members, {**members.covariates, "counts in total": totals}),
        subjects=subjects_of(members),
        what="cells",
        facts=facts,
        warnings=warnings,
        left_out=members.left_out,
    )


def _pass(x: SparseRows) -> tuple[int, bool, float, float, np.ndarray]:
    """Return the number of stored values, whether all are whole, the smallest and largest value, and a hash of each cell."""
    stored, whole, low, high, hashes = 0, True, np.inf, -np.inf, []
    for begin in range(0, len(x), AT_ONCE):
        part = x[begin : begin + AT_ONCE].numpy()
        hashes.append(digests(part))
        stored += int((part != 0).sum())
        whole &= bool((part == np.floor(part)).all())
        low, high = min(low, float(part.min())), max(high, float(part.max()))
    return stored, whole, low, high, np.concatenate(hashes)
