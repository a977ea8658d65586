"""A study of rows: a table of numbers, as plain values. This module imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from sepclr.data.study import Study
from sepclr.errors import InputError
from sepclr.ranges import check_at_least

if TYPE_CHECKING:
    from sepclr.data.rows import RowMembers


@dataclass(frozen=True, kw_only=True)
class RowStudy(Study):
    """A table with a row for each sample, and the roles of its columns.

    Attributes:
        table: CSV, TSV, Parquet or npz with a row for each sample.
        group: group column.
        background: comma-separated ``group`` values for background.
        target: comma-separated ``group`` values for target.
        features: feature columns or patterns such as gene_*; all numeric columns without another role if not given.
        attributes: further columns to decode from both codes, expected in neither.
        covariates: columns whose effect on the features is removed: that of numbers by regression, that of classes by ComBat.
        impute: replaces missing features by their ``mean`` or ``median`` in training rows, or by ``zero``.
        memory: MiB up to which features are held in memory; those of larger tables are read from a file in the cache.
    """

    FILES: ClassVar[tuple[str, ...]] = ("table",)

    table: str
    group: str
    background: tuple[str, ...]
    target: tuple[str, ...]
    features: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    impute: Literal["none", "mean", "median", "zero"] = "none"
    memory: int = 1024

    def __post_init__(self) -> None:
        check_at_least(1, memory=self.memory)
        check_at_least(2, folds=self.folds)
        if self.impute not in ("none", "mean", "median", "zero"):
            raise InputError(f"impute: {self.impute!r} is unknown; choose none, mean, median or zero")

    def members(self) -> RowMembers:
        """Read the groups and attributes of the rows, see ``read_members``."""
        from sepclr.data.rows import read_members

        return read_members(self)

    def noted(self, cache: Path | None) -> RowStudy:
        """Return the study with a hash of its table, see ``Study.noted``."""
        self.members()
        from sepclr.data.row_file import file_digest

        return replace(self, content=file_digest(Path(self.table)))
