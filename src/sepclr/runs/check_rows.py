"""What a study of rows looks like before training."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sepclr.data.facts import constant, counted, digests, group_sizes, missing, value_range
from sepclr.data.row_study import RowStudy
from sepclr.data.rows import rows_of
from sepclr.data.tables import listed
from sepclr.reports import CheckPage
from sepclr.runs.check_facts import confounders, copies, subjects_of


def page_of(study: RowStudy, cache: Path | None) -> CheckPage:
    """Look into the features of a study, of as many rows as its ``memory`` holds.

    Args:
        study: the study.
        cache: not used; the table is read where it is.

    Raises:
        InputError: a table that cannot be used.
    """
    members = study.members()
    parts, held, hashes = [], 0, []
    for part in rows_of(study, members)():
        hashes.append(digests(part))
        if held == 0 or held + part.nbytes <= study.memory * 2**20:
            parts.append(part)
            held += part.nbytes
    x, names = np.concatenate(parts), members.features
    seen = f" (of the first {len(x)} rows)" if len(x) < len(members) else ""
    facts = [
        ("Rows", group_sizes(members.is_target, "rows")),
        ("Features", f"{counted(len(names), 'columns')}: {listed(names)}"),
        ("Values", value_range(x) + seen),
        ("Missing", missing(x, names) + seen),
        ("Constant", constant(x, names) + seen),
    ]
    if members.unused:
        facts.append(("Not used", f"{counted(len(members.unused), 'columns')} without numbers: {listed(members.unused)}"))
    gaps = bool(np.isnan(x).any()) and study.impute == "none"
    return CheckPage(
        title=f"{Path(study.table).name}: {' or '.join(study.target)} against {' or '.join(study.background)}",
        problems=["features: values are missing; give --impute mean, median or zero, or leave their columns out"] if gaps else [],
        is_target=members.is_target,
        attributes=members.attributes,
        confounding=confounders(members, members.covariates),
        subjects=subjects_of(members),
        what="rows",
        facts=facts,
        warnings=copies(study, members, np.concatenate(hashes), "rows"),
        left_out=members.left_out,
    )
