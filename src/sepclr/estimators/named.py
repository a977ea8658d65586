"""scikit-learn estimators made from the methods' declarations, which provide parameters and documentation."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from sepclr.estimators.contrast import Contrast
from sepclr.methods.options import Declaration

ENCODERS = (
    "``mlp`` for rows, ``conv``, ``cnn3``, ``cnn4``, ``resnet8``, ``resnet10``, ``resnet18`` or ``densenet121`` for images and volumes; "
    "{auto}; a ``torch.nn.Module`` that maps samples to features, copied for each encoder and followed by a linear layer; or a "
    "function that creates an encoder with a given number of outputs."
)

OF_VIEWS = {
    "crop": (None, "side of an image view, in pixels; three quarters of the shorter side if None, all of it for debiasing."),
    "views": (
        None,
        "callable that draws random views of a batch, such as ``sepclr.views.ImageViews``; chosen by the kind of samples if None.",
    ),
}

OF_TRAINING = {
    "max_epochs": (100, "number of epochs, passes over the larger group."),
    "batch_size": (256, "number of samples per step, both groups together."),
    "learning_rate": (1e-3, "learning rate of Adam, with a cosine schedule."),
    "workers": (0, "number of processes that read the samples of a ``Dataset`` or of another ``Lazy`` during training."),
    "device": ("auto", "``cpu``, ``cuda``, or ``auto``, which uses a GPU if available."),
    "verbose": (False, "whether to show training progress."),
    "callbacks": (None, "list of PyTorch Lightning callbacks."),
    "random_state": (None, "random seed of weights, batches and views."),
}

EXAMPLE = """\
>>> import numpy as np
>>> from sepclr import {name}
>>> rng = np.random.default_rng(0)
>>> X, y = rng.normal(size=(40, 5)), np.repeat([0, 1], 20)
>>> {name}({dims}, max_epochs=2, random_state=0).fit({told}).transform(X).shape
(40, {length})
"""

LEADS = {
    "contrast": "learn what two groups share as c, and what only the target has as s",
    "modalities": "learn what two modalities share as c, and what only X has as s",
    "debiasing": "learn to predict classes from a code c that does not depend on a known bias",
    "domains": "learn to predict classes in a second domain, from labels of the first",
}
ONE_CODE = {"contrast": "learn one code c for samples of two groups", "modalities": "learn what two modalities share as c"}
"""Leads of methods without s, where they differ."""

TOLD = {
    "y": "y",
    "weak": "weak=X[:, :3]",
    "bias": "bias=np.arange(40) % 3",
    "label": "label=np.arange(40) % 3",
    "target_label": "target_label=np.arange(40) % 3",
}
"""How the example gives what a method trains on."""


def named(method: Declaration) -> type[Contrast]:
    """Create the estimator class of a method.

    Args:
        method: declaration of a trained method.

    Returns:
        The class, importable from ``sepclr.estimators`` under the name in the declaration.
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
    """Return the default and description of each parameter, dimensions of codes first."""
    about = method.about
    names = sorted(method.defaults, key=lambda option: option not in ("common_dim", "salient_dim"))
    own = {option: (method.defaults[option], about[option] + _depends(method, option)) for option in names}
    auto = f"``auto`` chooses ``mlp`` or ``{method.encoder or 'resnet10'}``"
    of_networks: dict[str, tuple[Any, str]] = {
        "background": (None, "label of background in y; the lower of the two labels if None."),
        "encoder": ("auto", ENCODERS.format(auto=auto)),
        "width": (method.width, "channels of an encoder's first stage, or units of a hidden layer of ``mlp``."),
    }
    return own | of_networks | (OF_VIEWS if method.views else {}) | OF_TRAINING


def _depends(method: Declaration, option: str) -> str:
    """Describe what None means for an option whose default depends on other options."""
    if method.defaults[option] is not None:
        return ""
    if option in method.selectors:
        return (
            f" One of {', '.join(f'``{choice}``' for choice in method.selectors[option])}; if None, the first that fits the other options."
        )
    return " If None, the method's default."


def _constructor(parameters: dict[str, tuple[Any, str]]) -> Callable[..., None]:
    """Create a constructor that stores its arguments as attributes and has an explicit signature, as scikit-learn requires."""
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
        "classes_": "the labels, background first.",
        "n_features_in_": "number of features of a row, or of channels of an image or volume.",
        "method_": "the trained ``torch.nn.Module``.",
        "history_": "mean terms of the loss, one dict per epoch.",
    }
    if method.classes:
        attributes["labels_"] = "the classes that it predicts."
    lead = LEADS[method.task] if both else ONE_CODE.get(method.task, LEADS[method.task])
    told = {name: about for name, about in method.extra.items() if (method.task, name) != ("debiasing", "label")}
    example = EXAMPLE.format(
        name=name,
        dims="3, 2" if both else "3",
        length=5 if both else 3,
        told=", ".join(["X", *(["y"] if method.task != "modalities" else []), *map(TOLD.__getitem__, told)]),
    )
    more = f"Further arguments of fit:\n{listed(told)}\n\n" if told else ""
    return (
        f"{name}: {lead}.\n\nArgs:\n{listed({key: text for key, (_, text) in parameters.items()})}\n\n{more}"
        f"Attributes:\n{listed(attributes)}\n\n"
        f"Source: {method.paper.title}, {method.paper.year}, {method.paper.link}.\n\n{example}"
    )
