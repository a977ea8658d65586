"""Studies: samples of two groups that a user has, as plain values. This module imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from sepclr.errors import InputError
from sepclr.fields import check_type, hints_of
from sepclr.parts import Data
from sepclr.ranges import check_at_least

if TYPE_CHECKING:
    from sepclr.data.members import Members

NOTED = ("content", "volumes", "pictures", "folds_digest", "folds_file")
"""Fields of a study that are not options; commands fill them in."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """What studies of every kind say; each kind adds where its samples are.

    Attributes:
        common: attributes that both groups have, expected in c, such as age and sex.
        salient: attributes that only targets have, expected in s, such as symptom scores.
        numeric: attributes to treat as quantities; inferred from their values if not given.
        categorical: attributes to treat as classes; inferred from their values if not given.
        subject: subject column, for subjects with several samples.
        split: column with the values train and test; folds are drawn if not given.
        folds: number of cross-validation folds.
        merge: treat several targets as one group, with one salient code, instead of one for each.
        degree: column with the degree of each target, such as a dose; targets are drawn in proportion to it.
        content: hash of what is known about the samples, which must be the same when a run is evaluated. None is not compared.
        folds_digest: hash of the fold in which each subject is tested; compared likewise.
        folds_file: file of these folds; they are drawn if it is None.
    """

    FILES: ClassVar[tuple[str, ...]] = ()
    """Options that hold a path."""
    PLACED: ClassVar[str] = ""
    """Option whose value may stand alone, first on the command line."""

    common: tuple[str, ...] = ()
    salient: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    subject: str | None = None
    split: str | None = None
    folds: int = 5
    merge: bool = False
    degree: str | None = None
    content: str | None = None
    folds_digest: str | None = None
    folds_file: str | None = field(default=None, compare=False)

    @property
    def target_groups(self) -> tuple[str, ...]:
        """Names of the target groups that have a salient code of their own; none if there is one target group."""
        targets: tuple[str, ...] = getattr(self, "target", ())
        return targets if len(targets) > 1 and not self.merge else ()

    @property
    def target_names(self) -> tuple[str, ...]:
        """Names of these groups to show."""
        return self.target_groups

    @property
    def source(self) -> str:
        """What errors call the study: its file or folder."""
        return str(getattr(self, self.FILES[0]))

    def members(self) -> Members:
        """Read who the samples are, with all checks that open no sample.

        Raises:
            InputError: a study that cannot be used.
        """
        raise NotImplementedError

    def noted(self, cache: Path | None) -> Study:
        """Return the study with hashes of its content, which distinguish its runs from runs on edited data.

        Args:
            cache: folder for prepared samples; the user's cache if None.

        Raises:
            InputError: as ``members``, or unusable samples.
        """
        raise NotImplementedError


Kind = TypeVar("Kind", bound=Study)


@dataclass(frozen=True)
class Own(Data):
    """A study and the fold to test.

    Attributes:
        study: the study.
        fold: cross-validation fold to test, from 0.
    """

    study: Study | None = None
    fold: int = 0

    def __post_init__(self) -> None:
        check_at_least(0, fold=self.fold)


def study_from(kind: type[Kind], values: Mapping[str, Any]) -> Kind:
    """Return a study of a kind from plain values, in which lists may replace tuples and None values that are not given.

    Raises:
        InputError: a value that is missing or of another type, or as the study.
    """
    known = {each.name for each in fields(kind)}
    given = {name: value for name, value in values.items() if name in known and value is not None}
    fitting: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    for name, value in fitting.items():
        check_type(name, value, hints_of(kind)[name])
    if missing := [each.name for each in fields(kind) if each.default is MISSING and each.name not in fitting]:
        raise InputError(f"{missing[0]}: is missing; give it")
    return kind(**fitting)


def check_unchanged(study: Study, digest: str) -> None:
    """Check that the content of a study is that of its first use.

    Args:
        study: the study.
        digest: hash of its content now, as ``noted`` computes it.

    Raises:
        InputError: if they are not.
    """
    if study.content not in (None, digest):
        raise InputError(f"{study.source}: its samples or their values changed since training; restore it, or train again")
