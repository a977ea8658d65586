"""Option files, such as the ``config.yaml`` of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from sepclr.data.study import NOTED
from sepclr.datasets import DATA_SETS
from sepclr.errors import InputError
from sepclr.fields import flattened
from sepclr.runs.recipe import as_options


def with_config(words: Sequence[str], known: Mapping[str, Sequence[str]]) -> tuple[list[str], dict[str, Any]]:
    """Replace ``--config FILE`` with the options in the file; later arguments override them.

    Args:
        words: arguments of a command.
        known: options of each command.

    Returns:
        The arguments, and what the file records of a study: the content of its table and images, and its folds.

    Raises:
        InputError: if the file cannot be read, is for another data set, or has an option that the command does not have.
    """
    words = [part for word in words for part in (word.split("=", 1) if word.startswith("--config=") else [word])]
    if "--config" not in words[:-1]:
        return words, {}
    place = words.index("--config")
    path, name = Path(words[place + 1]), " ".join(words[: 1 + (words[0] in ("fit", "benchmark"))])
    values = {option: value for option, value in _read(path).items() if not (value is None or value is False or value == ())}
    if name.startswith("fit") and any(word.partition("=")[0] == "--seeds" for word in words):
        values.pop("seed", None)  # the same run with other seeds
    data = values.pop("data", None)
    if data not in (None, "marked-digits" if name == "demo" else words[1]):
        raise InputError(f"{path}: is for {data}; use sepclr {words[0] if name != 'demo' else 'fit'} {data}")
    noted = {option: values.pop(option) for option in NOTED if option in values}
    if data in DATA_SETS and DATA_SETS[data].study and (folds := path.with_name("folds.tsv")).exists():
        noted["folds_file"] = str(folds.absolute())
    if unknown := [option for option in values if option not in known.get(name, ())]:
        raise InputError(f"{path}: sepclr {name} has no option {unknown[0]!r}; see sepclr {name} --help")
    return [*words[:place], *as_options(values), *words[place + 2 :]], noted


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]}); give a YAML file of options") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: holds no options; give a YAML file with one per line, such as max_epochs: 5")
    return flattened(values)
