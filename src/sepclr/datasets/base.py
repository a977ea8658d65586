"""Declaration of a data set. This module imports nothing heavy, so that the command line responds at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sepclr.data.study import Study
from sepclr.errors import InputError
from sepclr.extras import need
from sepclr.parts import Augmentation, Data, Profile, Task


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A data set, declared once: everything that the rest of the library needs to know about it.

    Attributes:
        title: display name.
        lead: what the samples are, in two sentences, for reports.
        about: what a command trains on, for help texts.
        load: maps options, the folder of the files and whether to fetch them to a ``sepclr.datasets.source.Source``.
        profiles: recipe defaults for each size of machine, the default profile first.
        options: options with their defaults, including the name.
        common: attributes that belong in c.
        salient: attributes that belong in s.
        class_names: names of integer classes, for attributes that have them.
        columns: names of attributes in published tables, where these differ.
        files: what the folder contains, for data sets that have one.
        download: whether missing files can be fetched.
        needs: extra whose packages read its samples; empty if none.
        study: kind of study, for data that users bring.
        task: what is known about its samples; methods declare the same.
    """

    title: str
    lead: str
    about: str
    load: Callable[[Any, Path | None, bool], Any]
    profiles: Mapping[str, Profile]
    options: Data
    common: Sequence[str] = ()
    salient: Sequence[str] = ()
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    files: str | None = None
    download: bool = False
    needs: str = ""
    study: type[Study] | None = None
    task: Task = "contrast"

    @property
    def name(self) -> str:
        """Name on the command line."""
        return self.options.name

    @property
    def views(self) -> Augmentation:
        """Random views of its samples, with the strengths of the default profile."""
        return next(iter(self.profiles.values())).views

    def profile(self, name: str) -> Profile:
        """Return a profile by name.

        Raises:
            InputError: an unknown name.
        """
        if name not in self.profiles:
            raise InputError(f"profile: {self.name} has no recipe for {name!r}; choose {', '.join(self.profiles)}")
        return self.profiles[name]

    def check_packages(self) -> None:
        """Check that the packages that read its samples are installed.

        Raises:
            InputError: if one is missing.
        """
        if self.needs:
            need(self.needs, self.name)

    def check_root(self, root: Path | None, *, download: bool = False) -> None:
        """Check that the packages that read its samples are installed, and that the folder of the files exists.

        Raises:
            InputError: a package is missing, or no folder for a data set that needs one.
        """
        self.check_packages()
        if self.files is None:
            return
        fetched = self.download and ", with --download to fetch them"
        if root is None:
            raise InputError(f"root: {self.name} needs the folder of {self.files}; give --root DIR{fetched or ''}")
        if not root.is_dir() and not (download and self.download):
            raise InputError(f"root: no folder {root}; give the one that holds {self.files}" + (", or add --download" if fetched else ""))
