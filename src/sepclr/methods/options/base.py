"""Declarations of methods. Imports nothing heavy, to keep the command line fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, cast

from sepclr.errors import InputError
from sepclr.fields import check_type, flat, options_of, replaced
from sepclr.parts import EncoderKind, Task
from sepclr.ranges import check_at_least, check_positive, check_weights


@dataclass(frozen=True)
class Discriminator:
    """Critic that tells pairs (c, s) from shuffled ones, trained as by the SepVAE authors.

    Attributes:
        steps: number of critic steps before each step of the other networks.
        learning_rate: learning rate of the critic.
        over: samples that the critic sees, ``all`` or ``target``.
    """

    steps: int = 1
    learning_rate: float = 1e-3
    over: Literal["all", "target"] = "all"

    def __post_init__(self) -> None:
        check_critic(self.steps, self.learning_rate)


def check_critic(steps: int, learning_rate: float) -> None:
    """Check the options that all critics share.

    Raises:
        InputError: fewer than one step, or a learning rate that is not positive.
    """
    check_at_least(1, critic_steps=steps)
    check_positive(critic_learning_rate=learning_rate)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options that all methods share.

    Attributes:
        common_dim: dimension of the common code c.
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
        """Return the label of its rows in results."""
        return self.name


@dataclass(frozen=True)
class Alternative:
    """A set of options with their defaults, and the choices that select it.

    Attributes:
        default: the options with their defaults.
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
    """Declaration of a method: everything that the rest of the library needs to know about it.

    Attributes:
        name: name on the command line.
        paper: where it was published.
        where: import path of its public class; ``make(options, networks)`` in the method's module creates the method.
        options: alternative sets of options, selected by choices such as ``objective``; the first is the default.
        views: whether it learns from random views of samples; otherwise it sees samples unchanged.
        encoder: kind of small encoder for images; None for the default of the other methods.
        width: channels of the encoder's first stage.
        learning_rate: learning rate of Adam; None for the default of the other methods.
        epochs: number of epochs in small profiles, by data set.
        trained: whether it has networks to train.
        decoder: whether it reconstructs samples.
        critic: whether it has, or can have, a critic trained in alternation.
        separates: whether it separates c from s; other methods are excluded when marking the best result.
        standardised: whether its authors' programs standardise codes before probing.
        task: what it is for; data sets declare the same.
        extra: what it trains on besides samples and groups (``Batch.extra``), by name, each with a description.
        classes: name in ``extra`` of the classes that it predicts; empty if it predicts none.
        strengths: what speaks for it, each a sentence in Markdown that results or its paper support.
        limits: what speaks against it, likewise.
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
    task: Task = "contrast"
    extra: Mapping[str, str] = field(default_factory=dict)
    classes: str = ""
    strengths: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    @property
    def selectors(self) -> dict[str, tuple[str, ...]]:
        """Return the options that select an alternative, such as ``objective``, with all their values."""
        found: dict[str, tuple[str, ...]] = {}
        for alternative in self.options:
            for name, choices in alternative.choices.items():
                found[name] = tuple(dict.fromkeys((*found.get(name, ()), *choices)))
        return found

    @property
    def defaults(self) -> dict[str, Any]:
        """Return the defaults of all options by flat name; None for selectors and for defaults that depend on them."""
        tables = [flat(alternative.default) for alternative in self.options]
        found = {}
        for name in dict.fromkeys(name for table in tables for name in table):
            values = [table.get(name) for table in tables]
            same = name not in self.selectors and all(value == values[0] for value in values)
            found[name] = values[0] if same else None
        return found

    @property
    def about(self) -> dict[str, str]:
        """Return a one-line description of each option."""
        return {option.name: option.about for each in reversed(self.options) for option in options_of(each.default)}

    def asked(self, given: Mapping[str, Any]) -> Options:
        """Return the options with the given values.

        Args:
            given: values by flat name; missing or None means the default.

        Returns:
            The options, with defaults filled in.

        Raises:
            InputError: an option that does not apply, or an invalid value.
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
        raise InputError(f"{', '.join(choices)}: {said} cannot be combined; omit one of them")

    def _having(self, name: str, *value: Any) -> str:
        """Describe the alternatives that have an option, or that accept a value for it."""
        having = [
            each for each in self.options for option in options_of(each.default) if option.name == name and all(map(option.takes, value))
        ]
        said = []
        for selector, known in self.selectors.items():
            choices = dict.fromkeys(choice for each in having for choice in each.choices.get(selector, ()))
            if choices and len(choices) < len(known):
                said.append(f"{selector} {', '.join(choices)}")
        return f"it requires {' with '.join(said)}" if said else ""
