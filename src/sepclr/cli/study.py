"""Studies and folders from the options of a command."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import Namespace

from sepclr.data.study import Study, study_from
from sepclr.datasets import DataSet
from sepclr.errors import InputError


def plain_study(data_set: DataSet, options: Namespace) -> Study:
    """Make a study from its options, with absolute paths, because workers may run in other folders.

    Raises:
        InputError: a data set that is not a study.
    """
    kind = data_set.study
    if kind is None:
        raise InputError(f"data: {data_set.name} is not a study")
    values = dict(vars(options))
    for name in kind.FILES:
        if given := values[name]:
            values[name] = str(Path(given).absolute()) if isinstance(given, str) else tuple(str(Path(each).absolute()) for each in given)
    return study_from(kind, values)


def cache_of(options: Namespace) -> Path | None:
    """Return the folder for prepared samples, if one is given."""
    return Path(options.cache).absolute() if options.cache else None


def root_of(options: Namespace) -> Path | None:
    """Return the data folder, or the volume cache of a data set of volumes."""
    if "cache" in options:
        return cache_of(options)
    return Path(options.root).absolute() if options.get("root") else None
