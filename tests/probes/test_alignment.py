"""Aligned and averaged codes: closed forms, the least squares that they are for, and units."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sepclr.probes.alignment import align
from sepclr.types import InputError


def turned(truth: NDArray[np.float64], number: int, draw: np.random.Generator) -> list[NDArray[np.float64]]:
    """A code in several frames: rotated, scaled and shifted."""
    d = truth.shape[1]
    return [draw.uniform(0.5, 3) * truth @ np.linalg.qr(draw.normal(size=(d, d))).Q + draw.normal(size=d) for _ in range(number)]


@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(1, 5))
def test_codes_that_differ_in_their_frame_only_average_to_one_of_them(seed: int, number: int, d: int):
    draw = np.random.default_rng(seed)
    truth = draw.normal(size=(30, d))
    codes = turned(truth, number, draw)
    alignment = align(codes)
    assert not alignment.unit
    mean = alignment.average(codes)
    assert np.abs(mean.mean(0)).max() < 1e-5
    first = codes[0] - codes[0].mean(0)
    assert mean / np.linalg.norm(mean) == pytest.approx(first / np.linalg.norm(first), abs=1e-5)
    assert np.linalg.norm(mean) == pytest.approx(np.mean([np.linalg.norm(code - code.mean(0)) for code in codes]), rel=1e-5)


def test_new_samples_get_the_alignment_of_the_reference_and_noise_averages_out():
    draw = np.random.default_rng(0)
    truth = draw.normal(size=(400, 3))
    codes = [turned(truth + 0.7 * draw.normal(size=truth.shape), 1, draw)[0] for _ in range(3)]
    reference, new = ([code[half] for code in codes] for half in (slice(200), slice(200, None)))
    alignment = align(reference)

    def explained(code: NDArray[np.floating]) -> float:
        centred, known = code - code.mean(0), truth[200:] - truth[200:].mean(0)
        fitted = centred @ np.linalg.lstsq(centred, known, rcond=None)[0]
        return float(1 - ((known - fitted) ** 2).sum() / (known**2).sum())

    # Of the variance of a code, 0.49 in 1.49 is noise; of that of the average, a third of it in 1.16.
    assert [explained(code) for code in new] == pytest.approx([0.67] * 3, abs=0.06)
    assert explained(alignment.average(new)) == pytest.approx(0.86, abs=0.03)
    one, all_of_it = alignment.average([code[:1] for code in new]), alignment.average(new)
    assert one == pytest.approx(all_of_it[:1])


def test_no_single_rotation_brings_a_code_closer_to_the_mean_of_all():
    draw = np.random.default_rng(1)
    codes = [draw.normal(size=(20, 3)) for _ in range(3)]
    alignment = align(codes)
    aligned = [(code - origin) @ turn for code, origin, turn in zip(codes, alignment.origins, alignment.maps, strict=True)]
    mean = np.mean(aligned, 0)
    for code in aligned:
        for _ in range(50):
            small = np.linalg.qr(np.eye(3) + 0.1 * draw.normal(size=(3, 3))).Q
            small *= np.sign(np.diag(small))
            assert ((code @ small - mean) ** 2).sum() >= ((code - mean) ** 2).sum() - 1e-6


def test_codes_on_the_sphere_stay_there_and_an_origin_is_mapped_to_zero():
    draw = np.random.default_rng(2)
    truth = draw.normal(size=(50, 4)) + 1
    unit = truth / np.linalg.norm(truth, axis=1, keepdims=True)
    codes = [unit @ np.linalg.qr(draw.normal(size=(4, 4))).Q for _ in range(3)]
    alignment = align(codes)
    assert alignment.unit
    assert np.linalg.norm(alignment.average([*codes[:2], -codes[2]]), axis=1) == pytest.approx(np.ones(50), abs=1e-5)
    assert alignment.average(codes) == pytest.approx(codes[0], abs=1e-5)

    several = turned(truth, 2, draw)
    alignment = align(several, origins=[code[7] for code in several])
    assert alignment.average(several)[7] == pytest.approx(np.zeros(4), abs=1e-5)


def test_a_collapsed_code_adds_nothing_and_what_does_not_fit_is_an_error():
    draw = np.random.default_rng(3)
    for rest in (0, 1e-8):  # exactly, or but for rounding
        codes = [draw.normal(size=(10, 2)), 1 + rest * draw.normal(size=(10, 2))]
        mean = align(codes, origins=[np.zeros(2), np.zeros(2)]).average(codes)
        assert mean == pytest.approx(codes[0] / 4 * np.linalg.norm(mean) / np.linalg.norm(codes[0] / 4), abs=1e-5)
    with pytest.raises(InputError, match="give 2 codes of shape"):
        align(codes).average(codes[:1])
    with pytest.raises(InputError, match="same shape"):
        align([codes[0], codes[0][:5]])
    with pytest.raises(InputError, match="not finite"):
        align([codes[0], np.full((10, 2), np.nan)])
