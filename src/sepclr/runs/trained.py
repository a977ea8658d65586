"""Load the trained method of a run, and encode samples for probes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from safetensors.torch import load_file
from torch import nn

from sepclr.data import Cohort
from sepclr.datasets.source import Source
from sepclr.probes import Probed, ProbeProtocol, harmonised, score
from sepclr.runs.folder import RunFolder
from sepclr.runs.make import make_method
from sepclr.runs.recipe import Recipe
from sepclr.training import classify, encode, project, resolve_accelerator
from sepclr.types import HasClassifier, HasHeads, HasModality, Method, Row


def load_method(folder: RunFolder) -> tuple[Method, tuple[int, ...]]:
    """Load the trained method of a run, in evaluation mode on its device, and the shape of its samples.

    Raises:
        InputError: if the folder is not a finished run.
    """
    recipe = folder.recipe()
    shape, further, classes = shapes_of(folder)
    method = make_method(recipe, shape, further, classes)
    # In evaluation mode, the code of a sample does not depend on the rest of its batch.
    cast(nn.Module, method).eval().load_state_dict(load_file(folder.model))
    cast(nn.Module, method).to(device_of(recipe))
    return method, shape


def shapes_of(folder: RunFolder) -> tuple[tuple[int, ...], dict[str, tuple[int, ...]], dict[str, int]]:
    """Return the shape of one sample of a run, that of each further modality, and numbers of classes, as ``make_method`` takes them."""
    noted = folder.samples()
    further = {name: tuple(shape) for name, shape in noted.get("further", {}).items()}
    return tuple(noted["sample_shape"]), further, noted.get("classes", {})


def device_of(recipe: Recipe) -> str:
    """Return the device of a trained network: a GPU if there is one, unless the recipe's accelerator is ``cpu``."""
    return resolve_accelerator("cpu" if recipe.training and recipe.training.accelerator == "cpu" else "auto")


def probed(method: Method, cohort: Cohort, *, everyone: bool = False, standardised: bool = False, fitted: bool = False) -> Probed:
    """Encode a cohort into every space that is probed: codes and, if the method has them, projections and the code of another modality.

    Args:
        method: the method.
        cohort: the samples.
        everyone: whether attributes of background samples are known, too.
        standardised: as ``Probed``.
        fitted: whether probes are fitted on these samples. The space ``w_to_c`` then holds w, and c otherwise, which shows whether a probe
            of one modality can be used where only the other is there.
    """
    codes = encode(method, cohort.x)
    spaces = {"c": codes.c.numpy(), "s": codes.s.numpy()}
    if isinstance(method, HasHeads):
        heads = project(method, codes)
        spaces |= {"c_head": heads.c.numpy(), "s_head": heads.s.numpy()}
    if isinstance(method, HasModality):
        spaces["w"] = encode(method.other, cohort.extra[method.other_sees]).c.numpy()
        spaces["w_to_c"] = spaces["w" if fitted else "c"]
    return Probed(spaces, cohort.is_target.numpy(), cohort.attributes, everyone, cohort.subjects, standardised)


def sides(method: Method, source: Source, recipe: Recipe) -> Iterator[tuple[ProbeProtocol, Probed, Probed]]:
    """Yield, for each test protocol, the codes that probes are fitted on and those of test samples, with site effects corrected.

    Args:
        method: the method.
        source: the data set.
        recipe: the recipe of the method.
    """
    how = {"everyone": source.everyone, "standardised": recipe.declared.standardised}
    train = probed(method, source.train if source.probes is None else source.probes, **how, fitted=True)
    for protocol, cohort in source.tests.items():
        both = train, probed(method, cohort, **how)
        yield protocol, *(both if source.site is None else harmonised(*both, source.site, source.harmonise))


def predictions(method: HasClassifier, cohort: Cohort, attribute: str, *, protocol: ProbeProtocol, seed: int) -> list[Row]:
    """Score a method's own predictions of an attribute of targets, as rows of the space ``prediction``.

    Args:
        method: the trained method.
        cohort: test samples.
        attribute: name of the attribute that it predicts.
        protocol: recorded in the rows.
        seed: random seed of the bootstrap.
    """
    chosen = cohort.targets
    answers = classify(method, encode(cast(Method, method), chosen.x)).argmax(1).numpy()
    subjects = chosen.subjects
    how: dict[str, Any] = {"attribute": attribute, "space": "prediction", "encoder": "trained", "protocol": protocol}
    return score(chosen.attributes[attribute], answers, subjects=subjects, seed=seed, **how)
