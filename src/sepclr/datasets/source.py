"""A loaded data set: training and test samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from sepclr.data import Cohort
from sepclr.data.preparation import Preparation
from sepclr.data.study import Study
from sepclr.datasets.base import DataSet


@dataclass(frozen=True)
class Source:
    """A loaded data set with its test protocols.

    Attributes:
        title: display name.
        lead: what the samples are, in two sentences.
        train: training samples.
        tests: test samples of each protocol, ``strict`` among them.
        common_attributes: names of the attributes that belong in c.
        salient_attributes: names of the attributes that belong in s.
        class_names: names of integer classes, for the attributes that have them.
        columns: names of attributes in published tables, where these differ.
        everyone: whether background has attributes too; they are then probed in all samples that have a value.
        site: site attribute for which codes are corrected before probing; None for no correction.
        harmonise: site correction.
        without: makes the samples of the protocol ``strict`` as they would be without their salient pattern, of the same shape, type and
            order; those of background are the samples themselves. None if unknown. A function, because few runs need them.
        probes: samples that probes are fitted on, where training samples are biased; None for those.
        unwanted: names of the attributes that belong in neither code.
        target_groups: names of the target groups 0, 1, … of the cohorts, where there are several.
        preparation: what was done to rows, for new ones; None for other samples.
        feature_names: names of the features of rows; if empty, reports call them x0, x1, ….
    """

    title: str
    lead: str
    train: Cohort
    tests: Mapping[Literal["strict", "published"], Cohort]
    common_attributes: Sequence[str]
    salient_attributes: Sequence[str]
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    everyone: bool = False
    site: str | None = None
    harmonise: Literal["none", "residualise", "combat"] = "none"
    without: Callable[[], Tensor] | None = None
    probes: Cohort | None = None
    unwanted: Sequence[str] = ()
    target_groups: Sequence[str] = ()
    preparation: Preparation | None = None
    feature_names: tuple[str, ...] = ()


def of_rows(title: str, lead: str, study: Study, train: Cohort, test: Cohort, preparation: Preparation) -> Source:
    """Return the source of a study whose samples are rows, such as cells.

    Args:
        title: display name of the kind of study.
        lead: what the samples are.
        study: the study, with ``background`` and ``target``.
        train: training samples.
        test: test samples.
        preparation: what was done to them.
    """
    background, target = (" or ".join(getattr(study, name)) for name in ("background", "target"))
    return Source(
        f"{title}: {target} against {background}",
        lead,
        train=train,
        tests={"strict": test},
        common_attributes=study.common,
        salient_attributes=study.salient,
        everyone=True,
        preparation=preparation,
        target_groups=study.target_names,
        feature_names=tuple(preparation.features),
    )


def declared(
    data_set: DataSet,
    train: Cohort,
    *,
    without: Callable[[], Tensor] | None = None,
    probes: Cohort | None = None,
    everyone: bool = False,
    **tests: Cohort,
) -> Source:
    """Return the source of a data set whose declaration lists its attributes.

    Args:
        data_set: the declaration.
        train: training samples.
        without: makes the samples of the protocol ``strict`` without their salient pattern, if they are known.
        probes: samples that probes are fitted on; None for the training samples.
        everyone: whether background has attributes too.
        tests: test samples of each protocol.
    """
    facts = data_set.common, data_set.salient, data_set.class_names, data_set.columns
    return Source(data_set.title, data_set.lead, train, tests, *facts, everyone, without=without, probes=probes)  # type: ignore[arg-type]
