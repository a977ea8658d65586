"""The table of mice is read as published, and damage is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sepclr.datasets import mice
from sepclr.types import InputError

from .conftest import PACKED

HEADER = "MouseID,BDNF_N,ARC_N,Genotype,Treatment,Behavior,class"
ROWS = (
    "309_1,0.5,1,Control,Saline,S/C,c-SC-s",
    "309_2,,2,Control,Saline,S/C,c-SC-s",
    "J2_1,0.7,3,Ts65Dn,Saline,S/C,t-SC-s",
    "311_1,0.8,4,Control,Saline,C/S,c-CS-s",
    "312_1,0.9,5,Ts65Dn,Saline,C/S,t-CS-s",
    "313_1,1.1,6,Control,Memantine,S/C,c-SC-m",
)


def write(folder: Path, *lines: str) -> Path:
    path = folder / mice.NAME
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")  # the published one has a byte order mark too
    return path


def test_keeps_the_shocked_and_the_normal_unshocked_on_saline(tmp_path: Path) -> None:
    x, genotype, is_target, mouse = mice.load(write(tmp_path, HEADER, *ROWS))
    np.testing.assert_array_equal(x, [[0.5, 1], [np.nan, 2], [0.7, 3], [0.8, 4]])
    assert x.dtype == np.float64
    assert genotype.tolist() == ["Control", "Control", "Ts65Dn", "Control"]
    assert is_target.tolist() == [True, True, True, False]
    assert mouse.tolist() == ["309", "309", "J2", "311"]


def test_the_folder_will_do(tmp_path: Path) -> None:
    write(tmp_path, HEADER, *ROWS)
    assert len(mice.load(tmp_path).x) == 4


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([HEADER.replace("Genotype", "Gene"), *ROWS], r"lacks the column\(s\) Genotype; give"),
        ([HEADER.replace("_N", ""), *ROWS], r"lacks the column\(s\) …_N \(a protein\); give"),
        ([HEADER, *ROWS[3:]], r"contains no mouse of the target \(Saline, S/C\); give"),
        ([HEADER, *ROWS[:3]], r"contains no mouse of the background \(Saline, C/S, Control\); give"),
        ([HEADER, *ROWS, "314_1,?,6,Control,Saline,S/C,c-SC-s"], "column BDNF_N contains values that are not numbers; leave"),
        ([HEADER, "309_1,0.5"], "cannot be read .*; give .*a table of comma-separated values"),
        ([""], "cannot be read .*; give .*a table of comma-separated values"),
    ],
)
def test_damage_is_named(tmp_path: Path, lines: list[str], names: str) -> None:
    with pytest.raises(InputError, match=names) as caught:
        mice.load(write(tmp_path, *lines))
    assert mice.NAME in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.csv: cannot be read .*; give Data_Cortex_Nuclear\.csv"):
        mice.load(tmp_path / "absent.csv")


def test_the_published_table() -> None:
    if not (PACKED / mice.NAME).is_file():
        pytest.skip(f"{mice.NAME} is missing in the folder shared/data beside the repository")
    x, genotype, is_target, mouse = mice.load(PACKED)
    assert x.shape == (405, 77)
    assert (is_target.sum(), (genotype == "Ts65Dn").sum(), len(np.unique(mouse))) == (270, 135, 27)
    assert set(np.unique(mouse, return_counts=True)[1]) == {15}
    assert np.isnan(x).sum() == 523
