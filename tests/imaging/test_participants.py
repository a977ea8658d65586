from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sepclr.data.tables import listed, read_cells, write_cells
from sepclr.imaging.participants import Columns, read_participants
from sepclr.types import InputError

ROWS = """participant_id\tgroup\tage\tsex\tscore\tfile\tside
sub-1\tcontrol\t30.5\tF\t1\ta.npy\ttrain
sub-2\tcontrol\tn/a\tM\t2\tb.npy\ttest
sub-3\tpatient\t41\tF\t1\tc.npy\ttrain
sub-4\tpatient\t50\tn/a\t2\td.npy\ttest
sub-5\tother\t60\tM\t1\te.npy\ttest
"""
COLUMNS = Columns("file", "group", ["control"], ["patient"], {"age": None, "sex": None, "score": None})


def test_quotes_and_tabs_survive_a_table(tmp_path: Path):
    cells = {"name": ['"quoted"', 'a 5" scar', "a\ttab", '"'], 'what "it" is': ["1", "", "x,y", "ä"]}
    read = read_cells(write_cells(tmp_path / "written.tsv", cells))
    assert {name: values.tolist() for name, values in read.items()} == cells
    assert write_cells(tmp_path / "plain.tsv", {"a": ["1"], "b": ["x y"]}).read_text() == "a\tb\n1\tx y\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for name in "abcde":
        np.save(tmp_path / f"{name}.npy", np.zeros((2, 2, 2)))
    (tmp_path / "people.tsv").write_text(ROWS)
    return tmp_path / "people.tsv"


def test_rows_of_both_groups_are_read_and_others_are_counted(table: Path):
    people = read_participants(table, COLUMNS)
    assert people.subjects.tolist() == ["sub-1", "sub-2", "sub-3", "sub-4"]
    assert people.is_target.tolist() == [False, False, True, True]
    assert people.left_out == 1
    assert [path.name for path in people.images] == ["a.npy", "b.npy", "c.npy", "d.npy"]
    assert people.split is None


def test_values_decide_the_kind_of_an_attribute_unless_it_is_given(table: Path):
    people = read_participants(table, COLUMNS)
    np.testing.assert_array_equal(people.attributes["age"], [30.5, np.nan, 41, 50])
    assert people.attributes["sex"].tolist() == ["F", "M", "F", ""]
    assert people.attributes["score"].tolist() == ["1", "2", "1", "2"]  # two different numbers are codes
    given = read_participants(table, replace(COLUMNS, attributes={"score": "numeric", "age": "categorical"}))
    assert given.attributes["score"].tolist() == [1.0, 2.0, 1.0, 2.0]
    assert given.attributes["age"].tolist() == ["30.5", "", "41", "50"]


def test_a_pattern_makes_paths_relative_to_the_table_and_csv_has_commas(table: Path, monkeypatch: pytest.MonkeyPatch):
    (table.parent / "sub-1.npy").touch()
    (table.parent / "deep").mkdir()
    (table.parent / "deep" / "sub-3.npy").touch()
    other = table.with_suffix(".csv")
    other.write_text(f"participant_id,group,folder\nsub-1,control,.\nsub-3,patient,{table.parent / 'deep'}\n")
    monkeypatch.chdir("/")
    people = read_participants(other, Columns("{folder}/{participant_id}.npy", "group", ["control"], ["patient"]))
    assert all(path.is_file() for path in people.images)


def test_a_split_is_read_and_without_a_column_of_subjects_each_row_is_one(table: Path):
    assert read_participants(table, replace(COLUMNS, split="side")).split.tolist() == ["train", "test", "train", "test"]
    table.write_text(ROWS.replace("participant_id", "scan"))
    assert len(set(read_participants(table, COLUMNS).subjects)) == 4


BAD: list[tuple[dict[str, Any], str]] = [
    ({"group": "goup"}, "group: column 'goup' not found in .*; did you mean 'group'"),
    ({"images": "path"}, "images: column 'path' not found in .*; columns are participant_id, group"),
    ({"images": "{subject}.npy"}, "column 'subject' not found"),
    ({"images": "{participant_id.npy"}, "is not a valid pattern"),
    ({"images": "{participant_id}.npy"}, r"4 of 4 files are missing: .*sub-1.npy, .* and 1 more"),
    ({"images": "a.npy{side}"}, "files are missing"),
    ({"images": "{participant_id:03d}.npy"}, "contains a format or conversion"),
    ({"images": "{participant_id!r}.npy"}, "contains a format or conversion"),
    (
        {"background": ["ctrl"]},
        r"no background rows: column 'group' has no value ctrl; values are control \(2\), patient \(2\), other \(1\)",
    ),
    ({"target": ["control"]}, "background, target: control cannot be both"),
    ({"attributes": {"group2": None}}, "attributes: .* did you mean 'group'"),
    ({"attributes": {"sex": "numeric"}}, "'sex' holds F, M, F, which are not numbers"),
    ({"split": "sex"}, "split: column 'sex' .* contains F, M, n/a; values must be train or test"),
]


@pytest.mark.parametrize(("change", "named"), BAD)
def test_what_cannot_be_used_is_named(table: Path, change: dict[str, Any], named: str):
    with pytest.raises(InputError, match=named):
        read_participants(table, replace(COLUMNS, **change))


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("41\tF\t1\tc.npy", "41\tF\t1\ta.npy", "1 files are listed more than once: .*a.npy"),
        ("c.npy", "", "1 of 4 rows have no image path: sub-3"),
        ("c.npy", "gone.npy", "1 of 4 files are missing: .*gone.npy"),
        ("side", "sex", "several columns are called sex"),
        ("sub-4", "sub-3", "split: 1 subjects are in both train and test: sub-3"),
        (ROWS[ROWS.index("\n") :], "\n", "no rows below the header"),
        ("\tn/a\tM\t2", "\tn/a\tM\t2\t3\t4", "cannot be read .*; give a table in UTF-8"),
        ("sub-3", "sub-1", "group: 1 subjects of .* are in both background and target: sub-1"),
        ("\td.npy", "\t./a.npy", "1 files are listed more than once"),
        ("41\tF", "4l\tF", "attributes: most values of 'age' are numbers, but not 4l"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(table: Path, old: str, new: str, named: str):
    assert old in ROWS
    table.write_text(ROWS.replace(old, new))
    with pytest.raises(InputError, match=named):
        read_participants(table, replace(COLUMNS, split="side"))


@pytest.mark.parametrize(("values", "says"), [("5", "is '5' in every row"), ("n/a", "has no values")])
def test_an_attribute_that_says_nothing_is_named(table: Path, values: str, says: str):
    lines = [line.split("\t") for line in ROWS.splitlines()]
    table.write_text("\n".join("\t".join([*cells[:2], "age" if i == 0 else values, *cells[3:]]) for i, cells in enumerate(lines)) + "\n")
    with pytest.raises(InputError, match=f"attributes: 'age' {says}"):
        read_participants(table, COLUMNS)


def test_a_heading_in_another_encoding_is_named(table: Path):
    table.write_bytes(ROWS.replace("score", "größe").encode("latin-1"))
    with pytest.raises(InputError, match=r"cannot be read .*; give a table in UTF-8"):
        read_participants(table, COLUMNS)


def test_a_group_may_be_called_like_what_is_missing(table: Path):
    table.write_text(ROWS.replace("control", "None"))
    assert (~read_participants(table, replace(COLUMNS, background=["None"])).is_target).sum() == 2


def test_a_table_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"none.tsv: no such table"):
        read_participants(tmp_path / "none.tsv", COLUMNS)


def test_many_names_are_cut_short():
    assert listed(["a", "b"]) == "a, b"
    assert listed(list("abcdef")) == "a, b, c and 3 more"
