"""Studies from BIDS trees. The images here are not opened, so most are empty files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sepclr.cli import main
from sepclr.data.tables import read_cells
from sepclr.imaging.bids import find_images
from sepclr.imaging.phantom import write_bids_phantoms
from sepclr.imaging.study import BrainStudy
from sepclr.imaging.volumes import read_volume
from sepclr.runs.encode import encode_file
from sepclr.tables.plan import Job, plan
from sepclr.types import InputError

PEOPLE = """participant_id\tgroup\tage
sub-01\tcontrol\t30
sub-02\tcontrol\t40
sub-03\tpatient\t50
sub-04\tpatient\t60
sub-05\tother\t70
"""


def put(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def anat(tree: Path, number: int, name: str = "T1w.nii.gz", session: str = "") -> Path:
    folder = tree / f"sub-{number:02d}" / session
    return folder / "anat" / "_".join(filter(None, (f"sub-{number:02d}", session, name)))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Four subjects with an image each, and a fifth of neither group without any."""
    root = tmp_path / "ds"
    put(*(anat(root, number) for number in range(1, 5)), *(anat(root, number, "FLAIR.nii") for number in range(1, 5)))
    put(root / "sub-01.html", root / "dataset_description.json", anat(root, 1, "T1w.json"))
    (root / "participants.tsv").write_text(PEOPLE)
    return root


def study(tree: Path, **given: Any) -> BrainStudy:
    return BrainStudy(bids=str(tree), group="group", background=("control",), target=("patient",), **given)


def images(tree: Path, **given: Any) -> list[str]:
    return study(tree, **given).members().names


def test_a_tree_is_a_row_for_each_image_in_the_order_of_the_participants(tree: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tree.parent)
    people = study(Path("ds"), common=("age",)).members()
    assert people.names == [f"sub-0{number}_T1w.nii.gz" for number in range(1, 5)]
    assert people.subjects.tolist() == ["sub-01", "sub-02", "sub-03", "sub-04"]
    assert people.is_target.tolist() == [False, False, True, True]
    assert people.attributes["age"].tolist() == [30, 40, 50, 60]
    assert (people.left_out, people.notes) == (1, ())
    assert images(tree, suffix="FLAIR") == [f"sub-0{number}_FLAIR.nii" for number in range(1, 5)]


def test_ids_may_lack_their_prefix_and_the_table_may_begin_with_a_byte_order_mark(tree: Path):
    (tree / "participants.tsv").write_text(PEOPLE.replace("sub-", ""), encoding="utf-8-sig")
    assert study(tree).members().subjects.tolist() == ["sub-01", "sub-02", "sub-03", "sub-04"]


def test_entities_choose_among_runs_and_spaces(tree: Path):
    for number in range(1, 5):
        anat(tree, number).unlink()
        put(*(anat(tree, number, f"{name}T1w.nii.gz") for name in ("run-01_", "run-02_", "space-MNI_run-01_")))
    assert images(tree, entities=("run=2",))[0] == "sub-01_run-02_T1w.nii.gz"
    assert images(tree, entities=("run=1", "space="))[3] == "sub-04_run-01_T1w.nii.gz"
    assert images(tree, entities=("space=MNI",))[1] == "sub-02_space-MNI_run-01_T1w.nii.gz"
    several = r"bids: 4 sessions have several T1w images: sub-01 \(sub-01_run-01_T1w.nii.gz, .*\), sub-02 .* and 1 more; choose one with "
    with pytest.raises(InputError, match=several + "--entities, such as run=01,space=MNI$"):
        images(tree)


@pytest.fixture
def longitudinal(tree: Path) -> Path:
    """The same with two sessions, and the age at each session of three subjects."""
    for number in range(1, 5):
        shutil.rmtree(tree / f"sub-0{number}")
        put(*(anat(tree, number, session=session) for session in ("ses-a", "ses-b")))
        if number < 4:
            rows = f"session_id\tage\tmood\nses-a\t3{number}\t1\nb\t4{number}\tn/a\n"
            (tree / f"sub-0{number}" / f"sub-0{number}_sessions.tsv").write_text(rows)
    return tree


def test_sessions_are_images_of_one_subject_with_attributes_of_their_own(longitudinal: Path):
    members = study(longitudinal, common=("age",)).members()
    assert members.subjects.tolist() == [f"sub-0{number}" for number in (1, 1, 2, 2, 3, 3, 4, 4)]
    assert members.attributes["age"].tolist() == [31, 41, 32, 42, 33, 43, 60, 60]  # without sessions.tsv, that of the participant
    assert len(set(members.names)) == 8
    assert images(longitudinal, entities=("ses=b",)) == [f"sub-0{number}_ses-b_T1w.nii.gz" for number in range(1, 5)]


def test_a_derivative_is_joined_with_the_participants_above_it_or_with_a_table(tree: Path, tmp_path: Path):
    derivative = tree / "derivatives" / "prep"
    put(*(anat(derivative, number, f"{space}desc-preproc_T1w.nii.gz") for number in range(1, 5) for space in ("", "space-MNI_")))
    put(derivative / "dataset_description.json")
    assert images(derivative, entities=("space=MNI", "desc=preproc"))[0] == "sub-01_space-MNI_desc-preproc_T1w.nii.gz"
    alone = shutil.move(derivative, tmp_path / "alone")
    with pytest.raises(InputError, match=r"bids: no participants.tsv in .*alone; give --table a file with the columns participant_id and"):
        images(alone, entities=("space=",))
    (tmp_path / "people.csv").write_text(PEOPLE.replace("\t", ","))
    assert len(images(alone, entities=("space=",), table=str(tmp_path / "people.csv"))) == 4


def test_what_is_incomplete_is_left_out_on_request_and_named(tree: Path):
    shutil.rmtree(tree / "sub-02")
    (tree / "participants.tsv").write_text(PEOPLE.replace("sub-04", "sub-4"))
    (tree / "dataset_description.json").unlink()
    message = (
        r"bids: 2 subjects of participants.tsv have no T1w image: sub-02, sub-4 \(no folder sub-02\); 1 subjects with an image are not in "
        "participants.tsv: sub-04; complete the tree or the table, or leave them out with --skip_missing"
    )
    with pytest.raises(InputError, match=message):
        images(tree)
    people = study(tree, skip_missing=True).members()
    assert people.subjects.tolist() == ["sub-01", "sub-03"]
    assert [note.rpartition(" has ")[2].partition(":")[0] for note in people.notes] == [
        "no dataset_description.json, which BIDS requires",
        "left out",
        "left out",
    ]


def emptied(tree: Path) -> None:
    shutil.rmtree(tree)
    tree.mkdir()


def linked(target: str) -> Callable[[Path], None]:
    def change(tree: Path) -> None:
        anat(tree, 3).unlink()
        anat(tree, 3).symlink_to(target)

    return change


def table(old: str, new: str) -> Callable[[Path], None]:
    def change(tree: Path) -> None:
        assert old in PEOPLE
        (tree / "participants.tsv").write_text(PEOPLE.replace(old, new))

    return change


def renamed(new: str) -> Callable[[Path], None]:
    def change(tree: Path) -> None:
        for number in range(1, 5):
            anat(tree, number).rename(anat(tree, number, new))

    return change


BAD: list[tuple[Callable[[Path], Any], dict[str, Any], str]] = [
    (emptied, {}, r"bids: .*ds has no folders sub-\*; give the root of a BIDS tree"),
    (shutil.rmtree, {}, "bids: .*ds is not a folder; give the root of a BIDS tree"),
    (lambda tree: None, {"bids": "ds/sub-01"}, "has no folders sub-.*; give the folder above it: ds"),
    (lambda tree: None, {"bids": "."}, r"has no folders sub-.*; did you mean ds\?"),
    (lambda tree: (tree / "participants.tsv").unlink(), {}, "bids: no participants.tsv in ds; give --table"),
    (lambda tree: (tree / "participants.tsv").write_bytes(PEOPLE.replace("other", "é").encode("latin-1")), {}, "give a table in UTF-8"),
    (table("participant_id", "id"), {}, r"bids: column 'participant_id' not found in ds/participants.tsv; columns are id, group, age"),
    (table("\t", ","), {}, "a single column 'participant_id,group,age'; separate columns by tabs"),
    (table("sub-02", "sub-01"), {}, "1 participants are listed more than once: sub-01; give each one row, and values of sessions in"),
    (table("sub-02", ""), {}, "participants.tsv: 1 rows have no participant_id: line 3; fill them in"),
    (table("group", "dx"), {}, "group: column 'group' not found in ds/participants.tsv; columns are participant_id, dx, age"),
    (table("patient", "control"), {}, r"no target rows: column 'group' has no value patient; values are control \(4\), other \(1\)"),
    (table("control", "patient"), {}, r"no background rows: column 'group' has no value control"),
    (lambda tree: shutil.rmtree(tree / "sub-03" / "anat"), {}, r"have no T1w image: sub-03 \(no images in sub-03/\[ses-\*/\]anat\)"),
    (lambda tree: anat(tree, 2).unlink(), {}, r"have no T1w image: sub-02 \(in its folder: FLAIR\)"),
    (lambda tree: put(anat(tree, 6)), {}, "1 subjects with an image are not in participants.tsv: sub-06; complete the tree or the table"),
    (lambda tree: [anat(tree, n).unlink() for n in (3, 4)], {"skip_missing": True}, "bids: no target subject has a T1w image"),
    (lambda tree: None, {"suffix": "T2w"}, r"suffix: no T2w image in .*; there are FLAIR \(4\), T1w \(4\); choose with --suffix"),
    (lambda tree: None, {"entities": ("run",)}, "entities: 'run' is not KEY=VALUE; write for example space=MNI"),
    (lambda tree: None, {"entities": ("run=1", "run=2")}, "entities: run is given twice"),
    (lambda tree: None, {"entities": ("sub=01",)}, "entities: sub= selects a single subject"),
    (lambda tree: None, {"entities": ("run=1",)}, "entities: no T1w image has 'run' in its name; they have no entities"),
    (renamed("space-MNI_T1w.nii.gz"), {"entities": ("spce=MNI",)}, r"no T1w image has 'spce' in its name; did you mean 'space'\?"),
    (renamed("acq-a_T1w.nii.gz"), {"entities": ("acq=b",)}, r"entities: no T1w image with acq=b; there are acq=a \(4\)"),
    (renamed("T1w.NII.GZ"), {}, r"bids: 4 images have an extension in capitals: sub-01_T1w.NII.GZ, .* and 1 more; rename them"),
    (renamed("t1w.nii.gz"), {}, r"suffix: no T1w image .*; there are FLAIR \(4\), t1w \(4\)"),
    (lambda tree: put(anat(tree, 1, "T1w.nii")), {}, r"bids: 1 sessions have several T1w images: sub-01 .*; remove one of them"),
    (lambda tree: anat(tree, 1).rename(anat(tree, 2).with_name("sub-01_T1w.nii.gz")), {}, "1 images are in the folder of another subject"),
    (
        linked("../../.git/annex/objects/a/b"),
        {},
        r"1 of 4 images have no content here: sub-03/anat/.*; fetch it, .* `datalad get ds/sub-03",
    ),
    (linked("/nowhere/a.nii.gz"), {}, "1 of 4 images are broken links: sub-03/anat/.*; restore the files"),
    (lambda tree: anat(tree, 4).write_text("/annex/objects/MD5E-s9--0.nii.gz"), {}, "1 of 4 images have no content here: sub-04/anat"),
    (
        lambda tree: os.replace(tree / "participants.tsv", "p") or (tree / "participants.tsv").symlink_to("p2"),
        {},
        "a link to a file that is",
    ),
    (lambda tree: None, {"common": ("agee",)}, r"attributes: column 'agee' not found in ds/participants.tsv; did you mean 'age'\?"),
    (lambda tree: None, {"images": "scan"}, "bids, images: a BIDS tree names its images; leave one of them out"),
    (lambda tree: None, {"bids": None, "table": "p.tsv"}, "bids, table, images: give --bids DIR, or --table FILE and --images COLUMN"),
    (lambda tree: None, {"bids": None, "table": "p.tsv", "images": "a", "suffix": "T1w"}, "suffix: only for a BIDS tree"),
]


@pytest.mark.parametrize(("change", "given", "named"), BAD)
def test_what_cannot_be_used_is_one_line(
    tree: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], Any], given: dict[str, Any], named: str
):
    monkeypatch.chdir(tree.parent)
    change(Path("ds"))
    with pytest.raises(InputError, match=named) as error:
        replace(study(Path("ds")), **given).members()
    assert "\n" not in str(error.value)


def test_a_folder_that_cannot_be_read_is_named(tree: Path, monkeypatch: pytest.MonkeyPatch):
    locked = tree / "sub-02" / "anat"
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != locked and allowed(path, mode))  # root may read everything
    with pytest.raises(InputError, match=r"bids: .*sub-02/anat cannot be read \(permission denied\); change its permissions"):
        find_images(tree)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (
            "session_id\tmood\nses-a\t1\nses-b\t2\n",
            "attributes: column 'age' is in the sessions.tsv of other subjects, but not in .*sub-02",
        ),
        ("session\tage\nses-a\t1\n", "bids: column 'session_id' not found in .*sub-02_sessions.tsv; did you mean 'session'"),
        ("session_id\tage\nses-a\t1\na\t2\n", "sub-02_sessions.tsv: ses-a listed more than once"),
    ],
)
def test_sessions_that_cannot_be_used_are_named(longitudinal: Path, text: str, named: str):
    (longitudinal / "sub-02" / "sub-02_sessions.tsv").write_text(text)
    with pytest.raises(InputError, match=named):
        study(longitudinal, common=("age",)).members()


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bids_phantoms(tmp_path_factory.mktemp("phantoms") / "tree", 16, seed=1).parent


def test_phantoms_are_a_tree_with_the_truth_in_a_derivative(phantoms: Path):
    cells = read_cells(phantoms / "participants.tsv")
    assert {"image"}.isdisjoint(cells)
    for name in ("dataset_description.json", "derivatives/phantom/dataset_description.json"):
        assert {"Name", "BIDSVersion", "DatasetType"} <= set(json.loads((phantoms / name).read_text()))
    assert set(json.loads((phantoms / "participants.json").read_text())) == set(cells) - {"participant_id"}
    region, _ = read_volume(phantoms / "derivatives" / "phantom" / "region.nii.gz")
    for subject, group, without in zip(cells["participant_id"], cells["group"], cells["without"], strict=True):
        lost = read_volume(phantoms / without)[0] - read_volume(phantoms / subject / "anat" / f"{subject}_T1w.nii.gz")[0]
        assert (np.abs(lost).max() > 0.01) == (group == "patient")
        assert group == "control" or region.flat[np.abs(lost).argmax()] == 1
    assert len(find_images(phantoms / "derivatives" / "phantom", entities=["desc=without"])) == 16


def options(tree: Path, tmp_path: Path) -> list[str]:
    words = f"--bids {tree} --group group --background control --target patient --common age --salient severity --folds 2 --spacing 16"
    return [*words.split(), "--cache", str(tmp_path / "cache")]


def test_a_tree_is_trained_on_from_the_command_line_and_new_subjects_are_encoded(
    phantoms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    small = ["--encoder", "cnn3", "--width", "8", "--max_epochs", "1", "--batch_size", "8", "--entities", "desc="]
    run = tmp_path / "run"
    assert main(["fit", "mri", *options(phantoms, tmp_path), *small, "--out", str(run)]) == 0
    moved = tmp_path / "new" / "tree"
    put(moved / "sub-x" / "sub-x_scans.tsv")
    for number, session in ((1, "ses-1"), (2, "ses-1"), (2, "ses-2")):
        target = moved / f"sub-{number}" / session / "anat" / f"sub-{number}_{session}_T1w.nii.gz"
        target.parent.mkdir(parents=True)
        shutil.copy(phantoms / f"sub-00{number}" / "anat" / f"sub-00{number}_T1w.nii.gz", target)
    capsys.readouterr()
    assert main(["encode", str(run), "--input", str(moved), "--out", str(tmp_path / "codes.tsv")]) == 0
    assert "warning: 1 subjects without a T1w image are left out: sub-x" in capsys.readouterr().out
    codes = read_cells(tmp_path / "codes.tsv")
    assert (codes["subject"].tolist(), codes["session"].tolist()) == (["sub-1", "sub-2", "sub-2"], ["ses-1", "ses-1", "ses-2"])
    assert (codes["c0"][1], codes["s0"][1]) == (codes["c0"][2], codes["s0"][2])
    whole = encode_file(run, phantoms, tmp_path / "all.npz")
    np.testing.assert_allclose(whole.c[:2, 0], codes["c0"][:2].astype(float), rtol=1e-3, atol=1e-4)
    derived = phantoms / "derivatives" / "phantom"
    assert main(["encode", str(run), "--input", str(derived), "--entities", "desc=without", "--out", str(tmp_path / "w.npz")]) == 0
    for words, named in ((["--images", "x"], "images: .*BIDS tree"), (["--suffix", "T2w"], "suffix: no T2w image")):
        assert main(["encode", str(run), "--input", str(moved), "--out", str(tmp_path / "codes.npz"), *words]) == 2
        assert named.partition(":")[0] in capsys.readouterr().err
    assert main(["encode", str(run), "--input", str(phantoms / "participants.tsv"), "--out", str(tmp_path / "codes.npz")]) == 2
    assert "was trained on a BIDS tree; name the column of paths" in capsys.readouterr().err


def test_the_command_of_a_row_on_a_tree_makes_that_row_wherever_the_tree_is(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    moved = shutil.copytree(phantoms, tmp_path / "moved" / phantoms.name)
    made: list[Job] = []
    monkeypatch.setattr("sepclr.tables.table.print_status", lambda jobs, places: made.extend(jobs))
    words = ["--methods", "sepvae", "--only_folds", "0", "--status", "--entities", "desc=", "--skip-missing"]
    for tree in (phantoms, moved):
        assert main(["benchmark", "mri", *options(tree, tmp_path), *words]) == 0
    first, second = made
    assert first.key == second.key
    assert "--entities desc= --skip_missing" in first.command
    plain = BrainStudy(table="t.tsv", images="image", group="g", background=("a",), target=("b",), content="0")
    assert {"bids", "suffix", "entities", "skip_missing"}.isdisjoint(
        {name for name, value in vars(plan("mri", study=plain)[0].recipe.study).items() if value is not None}
    )
