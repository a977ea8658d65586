"""Who the samples of a study are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Members:
    """What a study says about its samples, without the samples.

    Attributes:
        subjects: subject of each sample, shape (n,).
        is_target: True for target, shape (n,).
        attributes: by name, shape (n,): floating point, NaN where missing, or strings, empty where missing.
        split: ``train`` or ``test`` for each sample, shape (n,); None if the study does not say.
        left_out: number of samples in neither group.
        groups: target group of each sample, 0, 1, …, and -1 in background, shape (n,); None if there is one target group.
        degrees: degree of each target, such as a dose, above 0, shape (n,); that of background is not looked at. None if there are none.
    """

    subjects: NDArray[Any]
    is_target: NDArray[np.bool_]
    attributes: Mapping[str, NDArray[Any]]
    split: NDArray[Any] | None
    left_out: int = 0
    groups: NDArray[np.int64] | None = None
    degrees: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.is_target)

    @property
    def names(self) -> list[str]:
        """Names of the samples, which their content is compared by."""
        return [str(subject) for subject in self.subjects]

    def digest(self) -> str:
        """Return a hash of what is known about the samples that does not depend on the folders of files."""
        more = [each for each in (self.split, self.groups, self.degrees) if each is not None]
        columns = [self.subjects, self.is_target, *self.attributes.values(), *more]
        facts = [self.names, [*self.attributes], [values.astype(str).tolist() for values in columns]]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
