from pathlib import Path

import sepclr
from sepclr.methods.advice import FEW, RULES, Setting, advise
from sepclr.methods.options import METHODS

ROOT = Path(__file__).parents[2]


def names(**given: object) -> list[str]:
    return [f"{rule.method} {rule.options}".strip() for rule in advise(Setting(**({"samples": 1000} | given)))]


def test_every_rule_names_a_method_a_page_and_results_that_are_there():
    for rule in RULES:
        assert rule.method in METHODS or rule.method in sepclr.__all__
        assert (ROOT / "docs" / rule.page).is_file()
        for name in rule.rows:
            assert (ROOT / "results" / f"{name}.jsonl").is_file()
            assert f": {name}.jsonl" in (ROOT / "docs" / rule.page).read_text() + (ROOT / "README.md").read_text()


def test_every_kind_of_data_has_a_method():
    for kind in ("rows", "images", "volumes"):
        for samples in (5, FEW, 10_000):
            for targets in (1, 3):
                assert names(kind=kind, samples=samples, targets=targets)


def test_rules_look_at_sizes_counts_targets_and_nuisances():
    assert names(kind="rows", samples=20)[0] == "contrastive-pca"
    assert names(kind="rows")[0] == "sepclr"
    assert names(kind="rows", counts=True)[0] == "sepclr --normalise"
    assert "cvae --counts --reconstruction negative-binomial" in names(kind="rows", counts=True, decode=True)
    assert "contrastive-pca" not in names(kind="images", targets=2)
    assert "sepclr --free_of ATTRIBUTE" in names(kind="volumes", nuisances=("site",))
