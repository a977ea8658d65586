"""What a method declares of itself. Nothing heavy is imported here, so that the command line answers at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, cast

from sepclr.errors import InputError
from sepclr.fields import check_type, flat, options_of, replaced
from sepclr.parts import EncoderKind
from sepclr.ranges import check_at_least, check_positive, check_weights


@dataclass(frozen=True)
class Discriminator:
    """A critic that tells pairs (c, s) from shuffled ones, as the SepVAE authors train theirs.

    Attributes:
        steps: steps of the critic before each step of the others.
        learning_rate: step size of the critic.
        over: samples that the critic looks at, ``all`` or ``target``.
    """

    steps: int = 1
    learning_rate: float = 1e-3
    over: Literal["all", "target"] = "all"

    def __post_init__(self) -> None:
        check_critic(self.steps, self.learning_rate)


def check_critic(steps: int, learning_rate: float) -> None:
    """Check what all critics have.

    Raises:
        InputError: no step, or a step size that is not positive.
    """
    check_at_least(1, critic_steps=steps)
    check_positive(critic_learning_rate=learning_rate)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What all methods have in common.

    Attributes:
        common_dim: length of the common code c.
    """

    name: ClassVar[str]

    common_dim: int = 32

    def __post_init__(self) -> None:
        values = flat(self)
        for name in ("common_dim", "salient_dim", "further_views"):
            if name in values:
                check_at_least(1, **{name: values[name]})
        for name in ("tau", "tau_salient"):
            if isinstance(value := values.get(name), float | int):
                check_positive(**{name: value})
        check_weights(**{name: value for name, value in values.items() if name.startswith("weight_")})

    @property
    def label(self) -> str:
        """Name of its rows among those of the same data."""
        return self.name


@dataclass(frozen=True)
class Alternative:
    """Options of a method with their defaults, and the choices with which they apply.

    Attributes:
        default: the options, complete.
        choices: values of the options that select this alternative, such as ``objective``; the first is that of ``default``.
    """

    default: Options
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Paper:
    """Where a method was published.

    Attributes:
        title: authors and title.
        year: of the paper.
        link: to the paper.
    """

    title: str
    year: int
    link: str


@dataclass(frozen=True)
class Declaration:
    """A method, declared once: everything that the rest of the library has to know of it.

    Attributes:
        name: as the command line takes it.
        paper: where it was published.
        where: its class, importable; the module's ``make(options, networks)`` makes one.
        options: its options with their defaults; of several alternatives, which differ in choices such as ``objective``, the first is
            the default.
        views: whether it learns from random views of samples; without it sees samples as they are.
        encoder: kind of its own small networks for images; None for those of the other methods.
        width: channels of their first stage.
        learning_rate: Adam's step size of its own; None for that of the other methods.
        epochs: epochs of its own in small profiles, by data set.
        trained: whether it has networks that are trained.
        decoder: whether it gives samples back.
        critic: whether it has, or can have, an adversary that takes turns.
        separates: whether it separates c from s; others take no part in what is best.
        standardised: whether its authors' programs standardise codes before they probe them.
    """

    name: str
    paper: Paper
    where: str
    options: tuple[Alternative, ...]
    views: bool = True
    encoder: EncoderKind | None = None
    width: int = 64
    learning_rate: float | None = None
    epochs: Mapping[str, int] = field(default_factory=dict)
    trained: bool = True
    decoder: bool = False
    critic: bool = False
    separates: bool = True
    standardised: bool = False

    @property
    def selectors(self) -> dict[str, tuple[str, ...]]:
        """Return the choices that decide which of its options apply, such as ``objective``, with all their values."""
        found: dict[str, tuple[str, ...]] = {}
        for alternative in self.options:
            for name, choices in alternative.choices.items():
                found[name] = tuple(dict.fromkeys((*found.get(name, ()), *choices)))
        return found

    @property
    def defaults(self) -> dict[str, Any]:
        """Return all its options by flat names with their defaults; None for selectors and where a default depends on them."""
        tables = [flat(alternative.default) for alternative in self.options]
        found = {}
        for name in dict.fromkeys(name for table in tables for name in table):
            values = [table.get(name) for table in tables]
            same = name not in self.selectors and all(value == values[0] for value in values)
            found[name] = values[0] if same else None
        return found

    @property
    def about(self) -> dict[str, str]:
        """Return what each of its options is, a line."""
        return {option.name: option.about for each in reversed(self.options) for option in options_of(each.default)}

    def asked(self, given: Mapping[str, Any]) -> Options:
        """Make the options that are asked for.

        Args:
            given: values by flat names; those that are missing or None are at their default.

        Returns:
            The options, complete.

        Raises:
            InputError: an option that does not apply, or a value that it cannot have.
        """
        wanted = {name: value for name, value in given.items() if value is not None}
        choices = {name: wanted[name] for name in self.selectors if name in wanted}
        made = replace(self._chosen(choices), **choices)
        here = {option.name: option for option in options_of(made)}
        for name, value in wanted.items():
            if name not in here:
                raise InputError(f"{name}: {made.label!r} has no such option; {self._having(name) or 'it has ' + ', '.join(here)}")
            if not here[name].takes(value):
                check_type(name, value, here[name].hint, self._having(name, value))
        return cast(Options, replaced(made, {here[name].path: value for name, value in wanted.items()}))

    def _chosen(self, choices: Mapping[str, Any]) -> Options:
        for name, value in choices.items():
            check_type(name, value, Literal[self.selectors[name]])
        for each in self.options:
            if all(value in each.choices.get(name, ()) for name, value in choices.items()):
                return each.default
        said = " and ".join(f"{name} {value!r}" for name, value in choices.items())
        raise InputError(f"{', '.join(choices)}: {said} do not go together; leave one of them out")

    def _having(self, name: str, *value: Any) -> str:
        """Say which of the alternatives have an option, or can have a value of it."""
        having = [
            each for each in self.options for option in options_of(each.default) if option.name == name and all(map(option.takes, value))
        ]
        said = []
        for selector, known in self.selectors.items():
            choices = dict.fromkeys(choice for each in having for choice in each.choices.get(selector, ()))
            if choices and len(choices) < len(known):
                said.append(f"{selector} {', '.join(choices)}")
        return f"it is for {' with '.join(said)}" if said else ""
