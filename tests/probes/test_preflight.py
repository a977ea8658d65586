import numpy as np

from sepclr.methods.advice import Setting
from sepclr.probes import confounding
from sepclr.probes.dimension import Dimension
from sepclr.probes.preflight import confounders, copies, groups, preflight, signal
from sepclr.probes.two_sample import TwoSample

NONE = Dimension(1, 3, 3, (0, 1, 1, 2), 0.6)


def asked(p: float, sizes: tuple[int, int], dimension: Dimension | None = NONE) -> dict:
    return signal(
        {"samples": TwoSample(0.6, p, sum(sizes)), "features": TwoSample(0.5, 0.5, sum(sizes))}, dimension, sizes, "20", "samples"
    )


def test_a_verdict_needs_a_p_value_that_holds_after_correction_or_samples():
    assert asked(0.01, (100, 100))["signal"].verdict == "yes"
    assert asked(0.02, (100, 100))["signal"].verdict == "no signal found with 200 samples"  # 0.02 × 3
    assert asked(0.02, (10, 10))["signal"].verdict == "not enough samples to say"
    assert "no proof of salient patterns" in asked(0.01, (100, 100))["signal"].sentence


def test_dimensions_are_those_beyond_exchanged_groups():
    found = asked(0.5, (100, 100), Dimension(7, 8, 4, (1, 2, 2, 3), 0.005))
    assert found["signal"].verdict == "yes"
    assert found["dimension"].verdict == "about 5"
    assert asked(0.001, (100, 100))["dimension"].verdict == "no signal found with 200 samples"
    assert asked(0.001, (100, 100), Dimension(0, 0, 5, (0, 0), 1.0))["dimension"].verdict == "not enough samples to say"
    assert "dimension" not in asked(0.5, (100, 100), None)


def test_attributes_that_go_with_the_group_are_named_after_correction():
    draw = np.random.default_rng(0)
    is_target = np.arange(200) >= 100
    attributes = {"site": np.where(is_target ^ (draw.random(200) < 0.1), "a", "b"), "age": draw.normal(size=200)}
    found, names = confounders(confounding(is_target, attributes))
    assert names == ("site",)
    assert found.warns
    assert found.verdict == "site"
    assert confounders([])[0].verdict == "none known"


def test_uneven_groups_and_subjects_in_both_are_said():
    is_target = np.arange(40) >= 36
    found = groups(is_target, np.arange(40) % 30, 2)
    assert found.verdict == "unequal"
    assert "30 subjects, 4 of them in both groups; 2 target groups" in found.sentence


def test_findings_are_in_order_with_advice():
    answers = asked(0.01, (100, 100)) | {"duplicates": copies([], None, ""), "groups": groups(np.arange(4) > 1, None, 1)}
    found = preflight(answers, Setting(kind="images", samples=100))
    assert [*found.findings] == ["signal", "dimension", "power", "groups", "duplicates"]
    assert found.signal
    assert "sepclr" in [rule.method for rule in found.advice]
    assert "Are there duplicates? none found" in str(found)
