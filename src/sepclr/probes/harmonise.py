"""Evening out sites: what scanners add to codes is learnt from training samples and taken out of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import OneHotEncoder

from sepclr.probes.linear import Probed
from sepclr.types import InputError

Codes = NDArray[np.floating[Any]]
Sites = NDArray[Any]


def harmonised(train: Probed, test: Probed, site: str, how: str) -> tuple[Probed, Probed]:
    """Take the effect of sites out of codes.

    Everything is fitted on training samples and applied to both. Groups that are spread unevenly over sites share in what is taken out:
    background and target are not told apart here, for at test time nobody knows who is which.

    Args:
        train: training codes, with ``site`` among the attributes.
        test: test codes, of the same sites.
        site: name of the attribute.
        how: ``residualise``, which subtracts each site's linear effect, or ``combat``, which also evens out each site's spread and shrinks
            both towards what is common to all dimensions (Johnson et al. 2007; Fortin et al. 2018), by combatlearn.

    Returns:
        Both with other codes.

    Raises:
        InputError: an unknown way, a site that has missing values, is new in the test samples or has a single training sample, or
            ``combat`` where its library is not installed.
    """
    ways: Mapping[str, Callable[..., tuple[Codes, Codes]]] = {"residualise": _residualise, "combat": _combat}
    if how not in ways:
        raise InputError(f"harmonise: {how!r} is unknown; choose {' or '.join(ways)}")
    sites = train.attributes[site], test.attributes[site]
    if any((values == "").any() for values in sites):
        raise InputError(f"site: {site!r} has missing values; fill it in, or leave sites alone with --harmonise none")
    if new := sorted(set(sites[1]) - set(sites[0])):
        raise InputError(f"site: {', '.join(map(str, new))} has no training sample; its effect cannot be learnt")
    names, counts = np.unique(sites[0], return_counts=True)
    if counts.min() < 2:
        raise InputError(f"site: {names[counts.argmin()]} has a single training sample; its effect cannot be told from the sample's own")
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
    try:
        from combatlearn.core import ComBatModel
    except ImportError:
        raise InputError("harmonise: combat needs combatlearn; pip install 'sepclr[combat]'") from None
    # Dimensions that do not vary, as a salient code that is 0, have nothing to even out.
    varying = np.ptp(train, 0) > 0
    if not varying.any():
        return train, test
    model = ComBatModel(method="johnson").fit(train[:, varying].astype(float), batch=train_sites)
    evened = [codes.astype(float) for codes in (train, test)]
    for codes, sites in zip(evened, (train_sites, test_sites), strict=True):
        codes[:, varying] = np.asarray(model.transform(codes[:, varying], batch=sites))
    return evened[0], evened[1]
