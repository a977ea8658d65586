"""Recipes: one experiment each, as plain values in nested parts. No heavy imports here, so that the command line starts quickly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from sepclr.data.study import Own, Study, study_from
from sepclr.datasets import DATA_SETS, DataSet
from sepclr.errors import InputError
from sepclr.fields import NAMED, check_type, flat, flattened, hints_of, options_of, replaced
from sepclr.methods.options import METHODS, Declaration, Options, of_task
from sepclr.parts import MACHINE_FIELDS, Augmentation, Data, Encoder, ImageAugmentation, RowAugmentation, Settings, VolumeAugmentation
from sepclr.ranges import check_at_least, check_choice

METHOD_FIELDS = tuple(dict.fromkeys(name for method in METHODS.values() for name in method.defaults))
"""Flat names of the options of all methods."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that determines the results of one run.

    Attributes:
        data: the data set; for a user's own data, with the study and its fold.
        method: options of the method.
        encoder: networks of the method; None for a method without networks.
        views: random views of samples; None for a method that uses the samples themselves.
        training: training settings; None for a method that is not trained.
        seed: random seed of weights, batches, views and bootstrap.

    Raises:
        InputError: if the seed is negative.
    """

    data: Data
    method: Options
    encoder: Encoder | None
    views: Augmentation | None
    training: Settings | None
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least(0, seed=self.seed)

    @property
    def data_set(self) -> DataSet:
        """Declaration of its data set."""
        return DATA_SETS[self.data.name]

    @property
    def declared(self) -> Declaration:
        """Declaration of its method."""
        return METHODS[self.method.name]

    @property
    def study(self) -> Study | None:
        """The study, for a data set that has one; None for others."""
        return self.data.study if isinstance(self.data, Own) else None

    @property
    def fold(self) -> int:
        """The cross-validation fold that is tested; 0 for a data set without folds."""
        return self.data.fold if isinstance(self.data, Own) else 0

    @property
    def independence(self) -> str:
        """SepCLR's independence term; empty for other methods."""
        return getattr(self.method, "independence", "")

    @property
    def label(self) -> str:
        """Display name: SepCLR's independence term, the method for others."""
        return self.method.label

    @property
    def settings(self) -> Settings:
        """Training settings of its method.

        Raises:
            InputError: if the method is not trained.
        """
        if self.training is None:
            raise InputError(f"method: {self.method.name!r} is not trained")
        return self.training

    def of(self, study: Study | None) -> Recipe:
        """Return the recipe with a study; unchanged for a data set without studies."""
        return replace(self, data=replace(self.data, study=study)) if isinstance(self.data, Own) else self


def usual(data: str, profile: str | None = None, **given: Any) -> Recipe:
    """Make the default recipe of a data set and a size of machine, with options replaced.

    Args:
        data: name of the data set.
        profile: size of machine; the data set's default if None.
        given: options by flat name that replace the defaults, including ``method`` and ``independence``; None keeps a default.

    Raises:
        InputError: if a data set, profile or option is unknown or does not apply, or a value is invalid.
    """
    check_choice(tuple(DATA_SETS), data=data)
    data_set, wanted = DATA_SETS[data], {name: value for name, value in given.items() if value is not None}
    size = data_set.profile(profile or next(iter(data_set.profiles)))
    name = wanted.pop("method", default_method(data_set))
    method = _method(name, data_set)
    of_method = {option: wanted.pop(option) for option in METHOD_FIELDS if option in wanted}
    label = method.asked({option: value for option, value in of_method.items() if option in method.selectors}).label
    options = method.asked({**size.options.get(label, size.options.get(name, {})), **of_method})
    if not method.trained:
        if wanted.get("views") == "none":  # as the config of its runs says
            del wanted["views"]
        return _changed(Recipe(data=data_set.options, method=options, encoder=None, views=None, training=None), wanted)
    of_images = method.encoder and size.encoder.kind != "mlp"
    own: dict[str, Any] = {"kind": method.encoder, "width": method.width} if of_images else {}
    training: dict[str, Any] = {"learning_rate": method.learning_rate} if method.learning_rate else {}
    if size.small and data in method.epochs:
        training["max_epochs"] = method.epochs[data]
    views = wanted.pop("views", "random" if method.views else "none")
    check_choice(("random", "none"), views=views)
    recipe = Recipe(
        data=data_set.options,
        method=options,
        encoder=replace(size.encoder, **own),
        views=size.views if views == "random" else None,
        training=replace(size.training, **training),
    )
    return _changed(recipe, wanted)


def default_method(data_set: DataSet) -> str:
    """Return the name of the method that a data set is for: SepCLR, or the first of its task."""
    return "sepclr" if data_set.task == "contrast" else next(iter(of_task(data_set.task)))


def _method(name: str, data_set: DataSet) -> Declaration:
    """Return a method of the task of a data set."""
    check_choice(tuple(METHODS), method=name)
    if (method := METHODS[name]).task != data_set.task:
        fitting = ", ".join(of_task(data_set.task))
        raise InputError(f"method: {name!r} is for {method.task}, and {data_set.name} for {data_set.task}; choose {fitting}")
    return method


def changed(recipe: Recipe, **given: Any) -> Recipe:
    """Return a recipe with options replaced, by flat name; None leaves an option unchanged.

    Raises:
        InputError: if an option is unknown or does not apply, or a value is invalid.
    """
    return _changed(recipe, {name: value for name, value in given.items() if value is not None})


def _changed(recipe: Recipe, given: Mapping[str, Any]) -> Recipe:
    known = {NAMED.get(option.path, option.name): option for option in options_of(recipe)}
    values = {}
    for name, value in given.items():
        if name in MACHINE_FIELDS and recipe.training is None:
            continue  # they do not affect the results
        if name == "study" and isinstance(recipe.data, Own):
            recipe = recipe.of(value)
            continue
        if name not in known:
            raise InputError(f"{name}: {_lacking(recipe, name)}")
        check_type(name, value, known[name].hint)
        values[known[name].path] = value
    return replaced(recipe, values) if values else recipe


def _lacking(recipe: Recipe, name: str) -> str:
    """Explain why a recipe does not have an option."""
    method = recipe.method
    if recipe.training is None:
        return f"method {method.name!r} is not trained and has no such option; it has {', '.join(flat(method))}"
    usual = recipe.data_set.views
    if recipe.views is None and name in flat(usual):
        return f"{method.name!r} uses no random views; add --views random"
    kinds = {ImageAugmentation: "images", VolumeAugmentation: "volumes", RowAugmentation: "rows"}
    if name in {each.name for kind in kinds for each in fields(kind)}:
        return f"views of {kinds[type(usual)]} have no such option"
    return f"{recipe.label!r} on {recipe.data.name} has no such option"


def compared(data: str, profile: str | None = None, **given: Any) -> list[Recipe]:
    """Return the recipe of the options and the one to compare it with: k-JEM for decorrelation, no term for other independence terms.

    Raises:
        InputError: as ``usual``.
    """
    recipe = usual(data, profile, **given)
    if recipe.independence in ("", "none"):
        return [recipe]
    instead = {"objective": "released", "independence": "k-jem"} if recipe.independence == "decorrelation" else {"independence": "none"}
    own = {*flat(recipe.method)} - {*flat(usual(data, profile, **instead).method)}  # such as those of a critic
    return [recipe, usual(data, profile, **{name: value for name, value in given.items() if name not in own} | instead)]


def nested(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as nested values, the input of ``read``; a study's folds file is left out, because it is stored with the run."""
    values = asdict(recipe)
    if recipe.study is not None:
        del values["data"]["study"]["folds_file"]
    return values | {"method": {"name": recipe.method.name} | values["method"]}


def flat_values(recipe: Recipe) -> dict[str, Any]:
    """Return the values of a recipe by option name."""
    return flattened(nested(recipe))


def shared(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as nested values to publish: once a study's content is known, its files are named without their folders."""
    return published(recipe) if recipe.study is not None and recipe.study.content else nested(recipe)


def published(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as nested values without folders of this machine: of files and of absolute patterns, only the last part is left."""
    values = nested(recipe)
    if recipe.study is not None:
        study = values["data"]["study"]
        pattern = ["images"] if Path(study.get("images") or "").is_absolute() else []
        study |= {name: _without_folder(study[name]) for name in (*recipe.study.FILES, *pattern) if study[name]}
    return values


def _without_folder(given: str | tuple[str, ...]) -> str | tuple[str, ...]:
    return Path(given).name if isinstance(given, str) else tuple(Path(each).name for each in given)


def read(values: Mapping[str, Any]) -> Recipe:
    """Make a recipe from nested values, such as those of a ``config.yaml``; fields that a later version added have their defaults.

    Raises:
        InputError: if keys are unknown or missing, or a value is invalid.
    """
    names, seed = {"data", "method", "encoder", "views", "training"}, values.get("seed", 0)
    if wrong := sorted(names ^ ({*values} - {"seed"})):
        raise InputError(f"unknown or missing keys: {', '.join(wrong)}")
    for name in sorted(names):
        if not isinstance(values[name], Mapping | None):
            raise InputError(f"{name}: {values[name]!r} is not a mapping")
    check_type("seed", seed, int)
    parts = {name: dict(values[name] or {}) for name in names}
    data, method = (parts[name].pop("name", None) for name in ("data", "method"))
    check_choice(tuple(DATA_SETS), data=data)
    data_set = DATA_SETS[data]
    _method(method, data_set)
    if (study := parts["data"].get("study")) and data_set.study is not None:
        parts["data"]["study"] = study_from(data_set.study, study)
    return Recipe(
        data=_part("data", type(data_set.options), parts["data"] | {"name": data}),
        method=METHODS[method].asked(flattened(parts["method"])),
        encoder=_part("encoder", Encoder, parts["encoder"]) if values["encoder"] else None,
        views=_part("views", type(data_set.views), parts["views"]) if values["views"] else None,
        training=_part("training", Settings, parts["training"]) if values["training"] else None,
        seed=seed,
    )


def _part(name: str, kind: type, values: Mapping[str, Any]) -> Any:
    """Make a part of a recipe from its values in a file."""
    hints, needed = hints_of(kind), {each.name for each in fields(kind) if each.default is MISSING}
    if wrong := sorted(({*values} - {*hints}) | (needed - {*values})):
        raise InputError(f"unknown or missing keys: {', '.join(f'{name}.{field}' for field in wrong)}")
    fitting = {field: tuple(value) if isinstance(value, list) else value for field, value in values.items()}
    for field, value in fitting.items():
        check_type(f"{name}.{field}", value, hints[field])
    return kind(**fitting)


def as_options(values: Mapping[str, Any]) -> list[str]:
    """Return values, by option name, as command-line arguments; several values are comma-separated."""
    words = []
    for name, value in values.items():
        if value is True:
            words.append(f"--{name}")
        elif value is not None and value is not False:
            several = isinstance(value, tuple | list) and not any(isinstance(each, float) for each in value)
            text = ",".join(map(str, value)) if several else value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
            words += [f"--{name}", text]
    return words
