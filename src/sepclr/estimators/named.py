"""The scikit-learn class of each method: its parameters and its documentation are those that the method declares."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from sepclr.estimators.contrast import Contrast
from sepclr.methods.options import Declaration

ENCODERS = (
    "``mlp`` for rows, ``conv``, ``cnn3``, ``cnn4``, ``resnet8``, ``resnet10``, ``resnet18`` or ``densenet121`` for images and volumes; "
    "{auto}; a ``torch.nn.Module`` that maps samples to features, behind which comes a linear layer, each encoder a copy of it; or a "
    "function that makes an encoder with a given number of outputs."
)

OF_VIEWS = {
    "crop": (None, "side of a view of an image, in pixels; three quarters of the shorter side if None."),
    "views": (None, "draws a random view of each sample of a batch, such as ``sepclr.views.ImageViews``; by the kind of samples if None."),
}

OF_TRAINING = {
    "max_epochs": (100, "passes over the larger group."),
    "batch_size": (256, "samples a step, of both groups together."),
    "learning_rate": (1e-3, "Adam's step size, under a cosine schedule."),
    "device": ("auto", "what computes: ``cpu``, ``cuda``, or ``auto``, a GPU where there is one."),
    "verbose": (False, "show the progress of training."),
    "callbacks": (None, "PyTorch Lightning callbacks, a list."),
    "random_state": (None, "seed of weights, batches and views."),
}

EXAMPLE = """\
>>> import numpy as np
>>> from sepclr import {name}
>>> rng = np.random.default_rng(0)
>>> X, y = rng.normal(size=(40, 5)), np.repeat([0, 1], 20)
>>> {name}({dims}, max_epochs=2, random_state=0).fit(X, y).transform(X).shape
(40, {length})
"""


def named(method: Declaration) -> type[Contrast]:
    """Make the class of a method.

    Args:
        method: the declaration of a method that is trained.

    Returns:
        The class, which lives in ``sepclr.estimators`` under the name that the declaration gives it.
    """
    name, parameters = method.where.rpartition(".")[2], _parameters(method)
    body = {
        "__init__": _constructor(parameters),
        "__doc__": _documentation(name, method, parameters),
        "__module__": "sepclr.estimators",
        "declaration": method,
    }
    return type(name, (Contrast,), body)


def _parameters(method: Declaration) -> dict[str, tuple[Any, str]]:
    """List the parameters with their defaults and what they are, the lengths of codes first."""
    about = method.about
    names = sorted(method.defaults, key=lambda option: option not in ("common_dim", "salient_dim"))
    own = {option: (method.defaults[option], about[option] + _depends(method, option)) for option in names}
    auto = f"``auto`` takes ``mlp`` or ``{method.encoder or 'resnet10'}``"
    of_networks: dict[str, tuple[Any, str]] = {
        "background": (None, "which of the two labels in y is background; the lower one if None."),
        "encoder": ("auto", ENCODERS.format(auto=auto)),
        "width": (method.width, "channels of an encoder's first stage, units of a hidden layer of ``mlp``."),
    }
    return own | of_networks | (OF_VIEWS if method.views else {}) | OF_TRAINING


def _depends(method: Declaration, option: str) -> str:
    """Say that None stands for a default that depends on other options."""
    if method.defaults[option] is not None:
        return ""
    if option in method.selectors:
        return f" {', '.join(f'``{choice}``' for choice in method.selectors[option])}; the first that goes with the rest if None."
    return " The method's own if None."


def _constructor(parameters: dict[str, tuple[Any, str]]) -> Callable[..., None]:
    """Make a constructor that keeps its arguments as attributes, as scikit-learn demands, with a signature that it can read."""
    kinds = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)]
    for name, (default, _) in parameters.items():
        positional = name in ("common_dim", "salient_dim")
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD if positional else inspect.Parameter.KEYWORD_ONLY
        kinds.append(inspect.Parameter(name, kind, default=default))
    signature = inspect.Signature(kinds)

    def __init__(self: Contrast, *given: Any, **options: Any) -> None:
        bound = signature.bind(self, *given, **options)
        bound.apply_defaults()
        _, *rest = bound.arguments.items()
        for name, value in rest:
            setattr(self, name, value)

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    return __init__


def _documentation(name: str, method: Declaration, parameters: dict[str, tuple[Any, str]]) -> str:
    def listed(entries: dict[str, str]) -> str:
        return "\n".join(
            textwrap.fill(f"{key}: {text}", 136, initial_indent=" " * 4, subsequent_indent=" " * 8) for key, text in entries.items()
        )

    both = "salient_dim" in method.defaults
    attributes = {
        "classes_": "the two labels, background first.",
        "n_features_in_": "features of a row, channels of an image or a volume.",
        "method_": "the trained ``torch.nn.Module``.",
        "history_": "means of the terms of the loss, a dict per epoch.",
    }
    lead = "what two groups share as c, what only the target has as s" if both else "one code c of samples of two groups"
    example = EXAMPLE.format(name=name, dims="3, 2" if both else "3", length=5 if both else 3)
    return (
        f"{name}: {lead}.\n\nArgs:\n{listed({key: text for key, (_, text) in parameters.items()})}\n\nAttributes:\n{listed(attributes)}\n\n"
        f"Source: {method.paper.title}, {method.paper.year}, {method.paper.link}.\n\n{example}"
    )
