"""``sepclr preflight``, from the command line to the page."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from sepclr.cli import main
from sepclr.data import Cohort
from sepclr.estimators import preflight_cohort
from sepclr.estimators.preflight_cohort import of_cohort
from sepclr.probes.dimension import contrastive_dimension
from sepclr.runs.recipe import Recipe


@pytest.fixture(autouse=True)
def few_orders(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(preflight_cohort, "contrastive_dimension", partial(contrastive_dimension, orders=19))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    lines = ["id,dx,site,score," + ",".join(f"f{i}" for i in range(20))]
    for i in range(300):
        case = i % 2
        values = rng.normal(size=20)
        values[3] += 8 * case * rng.normal()
        site = "ab"[rng.random() < (0.8 if case else 0.2)]
        lines.append(",".join([f"s{i // 2 * 2 + case}", ("control", "case")[case], site, f"{i}" if case else "", *map(str, values)]))
    lines += [lines[-1]]  # the last row once more
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "rows.csv"


def of_rows(table: Path, *more: str) -> int:
    words = ["--table", str(table), "--group", "dx", "--background", "control", "--target", "case", "--features", "f*", "--subject", "id"]
    return main(["preflight", "rows", *words, "--common", "site", "--salient", "score", *more])


def test_a_table_is_looked_at_and_the_page_says_the_same(table: Path, capsys: pytest.CaptureFixture[str]):
    out = table.parent / "page.html"
    assert of_rows(table, "--out", str(out)) == 0
    said, page = " ".join(capsys.readouterr().out.split()), out.read_text()
    assert "Is there target-specific signal? yes" in said
    assert "Does anything else go with the group? site" in said
    assert "untrained encoders" in said
    assert "score (" not in said  # known in targets only
    assert "contrastive-pca: few directions" in said
    for words in ("Target-specific signal: yes.", "site", "Which method", "--free_of ATTRIBUTE"):
        assert words in page


def test_a_linear_method_has_no_encoders(table: Path, capsys: pytest.CaptureFixture[str]):
    assert of_rows(table, "--method", "pca") == 0
    assert "untrained" not in capsys.readouterr().out


def test_a_data_set_is_looked_at(tiny: Recipe, capsys: pytest.CaptureFixture[str]):
    assert main(["preflight", "marked-digits"]) == 0
    assert "no" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["quadrants"], "is for modalities, which has no background"),
        (["coloured-mnist", "--root", "."], "is for debiasing"),
        (["digits-on-cifar", "--root", "nowhere"], "no folder /"),
        (["marked-digits", "--out", "no/where.html"], "out: no/where.html cannot be written"),
        (["rows", "--table", "none.csv", "--group", "dx", "--background", "a", "--target", "b"], "none.csv"),
    ],
)
def test_what_cannot_be_looked_at_is_said_in_one_line(words: list[str], named: str, capsys: pytest.CaptureFixture[str]):
    assert main(["preflight", *words]) == 2
    said = capsys.readouterr().err
    assert named in said
    assert said.count("\n") == 1


class Counted:
    """Rows that are read on access and count how many were read."""

    def __init__(self, x: torch.Tensor, read: list[int]) -> None:
        self.x, self.read, self.shape, self.device, self.ndim = x, read, x.shape, x.device, x.ndim

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, chosen: slice | torch.Tensor) -> torch.Tensor:
        self.read.append(len(self.x[chosen]))
        return self.x[chosen]

    def where(self, chosen: np.ndarray) -> Counted:
        return Counted(self.x[torch.from_numpy(chosen)], self.read)


def test_large_samples_are_read_in_parts_and_not_all(monkeypatch: pytest.MonkeyPatch):
    for name, value in (("MOST", 50), ("VALUES", 2000), ("HASHED", 4000), ("PLACES", 64)):
        monkeypatch.setattr(preflight_cohort, name, value)
    read: list[int] = []
    volumes = torch.rand(400, 1, 8, 8, 8)
    found = of_cohort(Cohort(Counted(volumes, read), torch.arange(400) % 2 == 0), None)
    assert max(read) <= 4  # 2,000 values
    assert sum(read) < 120
    assert "of 400 training samples" in found.findings["signal"].sentence


def test_test_samples_do_not_change_what_is_said_of_training(images: Cohort):
    one, other = (of_cohort(images, None, tests=[Cohort(each, images.is_target)]) for each in (images.x, 255 - images.x))
    assert one.findings["duplicates"].verdict == "yes"
    assert other.findings["duplicates"].verdict == "none found"
    assert {**one.findings, "duplicates": None} == {**other.findings, "duplicates": None}
