"""A study of cells: an AnnData file, as plain values. This module imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from sepclr.data.study import Study
from sepclr.errors import InputError
from sepclr.ranges import check_at_least

if TYPE_CHECKING:
    from sepclr.data.cell_list import CellMembers


@dataclass(frozen=True, kw_only=True)
class CellStudy(Study):
    """An AnnData file, and the roles of the columns of its ``obs``.

    Attributes:
        file: AnnData file (.h5ad); may be given without its name, before all options.
        group: column of obs with the group of each cell.
        background: comma-separated ``group`` values for background.
        target: comma-separated ``group`` values for target.
        subject: column of obs with the donor of each cell; each cell is a subject if not given.
        layer: layer to read, or ``raw`` for raw.X; X if not given.
        normalise: scale the counts of each cell to the median total of training cells, then take log(1 + v).
        counts: leave counts as they are, for --reconstruction negative-binomial.
        genes: number of genes to keep, those that vary most among training cells after normalisation; all if not given.
        attributes: further columns of obs to decode from both codes, expected in neither.
        covariates: columns of obs whose effect on the genes is removed: that of numbers by regression, that of classes by ComBat.
        memory: MiB up to which a matrix is held in memory; larger ones are copied to files in the cache, once.
    """

    FILES: ClassVar[tuple[str, ...]] = ("file",)
    PLACED: ClassVar[str] = "file"

    file: str
    group: str
    background: tuple[str, ...]
    target: tuple[str, ...]
    layer: str | None = None
    normalise: bool = False
    counts: bool = False
    genes: int | None = None
    attributes: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    memory: int = 1024

    def __post_init__(self) -> None:
        check_at_least(1, memory=self.memory)
        check_at_least(2, folds=self.folds)
        if self.genes is not None:
            check_at_least(1, genes=self.genes)
        if self.counts and (self.normalise or self.covariates):
            other = "normalise" if self.normalise else "covariates"
            raise InputError(f"counts: are left as they are, so they cannot be combined with --{other}; leave one out")

    def members(self) -> CellMembers:
        """Read the groups and attributes of the cells, see ``read_members``."""
        from sepclr.data.cell_list import read_members

        return read_members(self)

    def noted(self, cache: Path | None) -> CellStudy:
        """Return the study with a hash of its file, see ``Study.noted``."""
        self.members()  # raises InputError
        from sepclr.data.row_file import file_digest

        return replace(self, content=file_digest(Path(self.file)))
