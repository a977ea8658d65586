"""Site correction: estimate site effects on codes from training samples, and remove them from all samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import OneHotEncoder

from sepclr.extras import need
from sepclr.probes.linear import Probed
from sepclr.types import InputError

Codes = NDArray[np.floating[Any]]
Sites = NDArray[Any]


def harmonised(train: Probed, test: Probed, site: str, how: str) -> tuple[Probed, Probed]:
    """Remove site effects from codes.

    The correction is fitted on training samples and applied to both. It ignores the group, which is unknown at test time: if groups are
    spread unevenly over sites, part of their difference is removed, too.

    Args:
        train: training codes, with ``site`` among the attributes.
        test: test codes, from the same sites.
        site: name of the site attribute.
        how: ``residualise``, which subtracts each site's linear effect, or ``combat``, which also corrects each site's spread and shrinks
            both estimates towards their values in other dimensions (Johnson et al. 2007; Fortin et al. 2018; combatlearn).

    Returns:
        Both, with corrected codes.

    Raises:
        InputError: the method is unknown, the site has missing values, a site has fewer than two training samples, or ``combat`` is
            chosen without combatlearn.
    """
    ways: Mapping[str, Callable[..., tuple[Codes, Codes]]] = {"residualise": _residualise, "combat": _combat}
    if how not in ways:
        raise InputError(f"harmonise: {how!r} is unknown; choose {' or '.join(ways)}")
    sites = train.attributes[site], test.attributes[site]
    if any((values == "").any() for values in sites):
        raise InputError(f"site: {site!r} has missing values; fill them in, or use --harmonise none")
    if new := sorted(set(sites[1]) - set(sites[0])):
        raise InputError(f"site: no training samples from {', '.join(map(str, new))} to estimate the site effect; use --harmonise none")
    names, counts = np.unique(sites[0], return_counts=True)
    if counts.min() < 2:
        raise InputError(f"site: only one training sample from {names[counts.argmin()]} to estimate the site effect; use --harmonise none")
    pairs = {space: ways[how](codes, test.spaces[space], *sites) for space, codes in train.spaces.items()}
    return (
        replace(train, spaces={space: pair[0] for space, pair in pairs.items()}),
        replace(test, spaces={space: pair[1] for space, pair in pairs.items()}),
    )


def _residualise(train: Codes, test: Codes, train_sites: Sites, test_sites: Sites) -> tuple[Codes, Codes]:
    encoder = OneHotEncoder(sparse_output=False).fit(train_sites[:, None])
    one, two = (encoder.transform(sites[:, None]) for sites in (train_sites, test_sites))
    effect = LinearRegression(fit_intercept=False).fit(one, train - train.mean(0))
    return train - effect.predict(one), test - effect.predict(two)


def _combat(train: Codes, test: Codes, train_sites: Sites, test_sites: Sites) -> tuple[Codes, Codes]:
    need("combat", "harmonise: combat")
    from combatlearn.core import ComBatModel

    # Constant dimensions, such as those of a salient code of 0, need no correction.
    varying = np.ptp(train, 0) > 0
    if not varying.any():
        return train, test
    model = ComBatModel(method="johnson").fit(train[:, varying].astype(float), batch=train_sites)
    corrected = [codes.astype(float) for codes in (train, test)]
    for codes, sites in zip(corrected, (train_sites, test_sites), strict=True):
        codes[:, varying] = np.asarray(model.transform(codes[:, varying], batch=sites))
    return corrected[0], corrected[1]
