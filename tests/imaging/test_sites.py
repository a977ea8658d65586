from __future__ import annotations

import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from sepclr import cli
from sepclr.data.tables import read_cells
from sepclr.imaging.phantom import phantom, write_phantoms
from sepclr.imaging.sites import rescan_table, scanned

BRAIN, _ = phantom(50.0, "F", 0, 1)


def test_the_first_scanner_changes_nothing_and_others_change_more_and_more():
    draw = np.random.default_rng(0)
    changes = [np.abs(scanned(BRAIN, site, draw) - BRAIN).mean() for site in range(3)]
    assert changes[0] == 0
    assert 0.005 < changes[1] < changes[2] < 0.2
    assert scanned(BRAIN, 1, draw).min() >= 0


def test_a_scanner_is_darker_towards_the_front():
    ratio = scanned(BRAIN, 1, np.random.default_rng(0)) / np.maximum(BRAIN, 1e-3)
    white = BRAIN > 0.8
    back, front = (np.median(ratio[:, part][white[:, part]]) for part in (slice(0, 20), slice(28, 48)))
    assert front < back


def test_subjects_keep_one_scanner_and_the_table_its_columns(tmp_path: Path):
    table = write_phantoms(tmp_path / "study", 8, sites=1)
    cells = read_cells(table)
    twice = tmp_path / "study" / "twice.tsv"
    names = [name for name in cells if name != "site"]
    again = [f"again/{name}" for name in cells["image"].tolist()]
    shutil.copytree(tmp_path / "study" / "images", tmp_path / "study" / "again" / "images")
    lines = [
        names,
        *(
            [str(cells[name][row]) if name != "image" else image for name in names]
            for row in range(8)
            for image in (cells["image"][row], again[row])
        ),
    ]
    twice.write_text("\n".join("\t".join(line) for line in lines) + "\n")
    made = read_cells(rescan_table(twice, "image", tmp_path / "out"))
    assert {*made} == {*names, "site", "scan"}
    by_subject = {name: {*made["site"][made["participant_id"] == name].tolist()} for name in made["participant_id"].tolist()}
    assert all(len(sites) == 1 for sites in by_subject.values())
    assert sorted(site for sites in by_subject.values() for site in sites) == ["scanner-0"] * 4 + ["scanner-1"] * 4
    for row, name in enumerate(made["scan"].tolist()):
        voxels = nibabel.load(tmp_path / "out" / name).get_fdata()
        before = nibabel.load(tmp_path / "study" / str(made["image"][row])).get_fdata()
        assert np.allclose(voxels, before) == (made["site"][row] == "scanner-0")


def test_the_same_seed_writes_the_same_study(tmp_path: Path):
    table = write_phantoms(tmp_path / "study", 8, sites=1)
    cells = read_cells(table)
    plain = tmp_path / "study" / "plain.tsv"
    plain.write_text(
        "participant_id\timage\n" + "".join(f"{a}\t{b}\n" for a, b in zip(cells["participant_id"], cells["image"], strict=True))
    )
    one, two, *others = (rescan_table(plain, "image", tmp_path / str(place), seed=seed) for place, seed in enumerate((0, 0, 1, 2, 3)))
    assert one.read_text() == two.read_text()
    assert any(one.read_text() != other.read_text() for other in others)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"sites": 1}, "sites: 1"),
        ({"sites": 9}, "sites: 9 for 8 subjects"),
        ({"seed": -1}, "seed: -1"),
        ({"images": "picture"}, "picture"),
        ({"table": "study/participants.tsv"}, "has columns site already"),
        ({"out": "study"}, "not empty"),
    ],
)
def test_what_cannot_be_used_is_named_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict, named: str):
    write_phantoms(tmp_path / "study", 8, sites=1)
    cells = read_cells(tmp_path / "study" / "participants.tsv")
    (tmp_path / "study" / "plain.tsv").write_text(
        "participant_id\timage\n" + "".join(f"{a}\t{b}\n" for a, b in zip(cells["participant_id"], cells["image"], strict=True))
    )
    given = {"table": "study/plain.tsv", "images": "image", "out": "out"} | change
    words = ["rescan", str(tmp_path / given.pop("table")), "--out", str(tmp_path / given.pop("out"))]
    assert cli.main([*words, *(word for name, value in given.items() for word in (f"--{name}", str(value)))]) == 2
    assert named in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_command_writes_a_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_phantoms(tmp_path / "study", 8, sites=1)
    cells = read_cells(tmp_path / "study" / "participants.tsv")
    plain = tmp_path / "study" / "plain.tsv"
    plain.write_text(
        "participant_id\timage\n" + "".join(f"{a}\t{b}\n" for a, b in zip(cells["participant_id"], cells["image"], strict=True))
    )
    assert cli.main(["rescan", str(plain), "--images", "image", "--out", str(tmp_path / "out"), "--sites", "3"]) == 0
    assert "participants.tsv" in capsys.readouterr().out
    assert {*read_cells(tmp_path / "out" / "participants.tsv")["site"].tolist()} == {"scanner-0", "scanner-1", "scanner-2"}
