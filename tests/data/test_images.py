"""Images in folders: how they are listed and read, and which cannot be used."""

from __future__ import annotations

import math
import os
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sepclr.cli import main
from sepclr.data import Batches, Lazy
from sepclr.data.image_files import cohorts, images_at
from sepclr.data.image_study import ImageStudy
from sepclr.data.pictures import Frame, decode_all, frame_of, look_into
from sepclr.types import InputError

N = 12


def save(path: Path, seed: int, size: tuple[int, int] = (16, 12), **how: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(256, size=(size[1], size[0], 3)).astype(np.uint8)
    Image.fromarray(values).save(path, **how)
    return path


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Twelve images of each group, and a table."""
    rows = ["file,age,sex,severity,comment"]
    for g, group in enumerate(("healthy", "sick")):
        for i in range(N):
            name = f"{group}/{i:02}.png"
            save(tmp_path / name, 100 * g + i)
            rows.append(f"{name},{20 + i},{'fm'[i % 2]},{i / 7 if g else ''},seen {i} on {g}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def study(folder: Path, **given: object) -> ImageStudy:
    values = {"background": str(folder / "healthy"), "target": (str(folder / "sick"),), "folds": 3} | given
    return ImageStudy(**values)  # type: ignore[arg-type]


def labelled(folder: Path, **given: object) -> ImageStudy:
    return study(folder, attributes=str(folder / "labels.csv"), **given)


def test_columns_are_attributes_with_or_without_a_role_and_free_text_is_not(folders: Path):
    members = labelled(folders, common=("age",), salient=("severity",)).members()
    assert list(members.attributes) == ["age", "severity", "sex"]
    assert members.attributes["age"].tolist()[:3] == [20, 21, 22]
    assert np.isnan(members.attributes["severity"][:N]).all()
    assert (members.common, members.salient) == (("age",), ("severity",))
    assert members.names[0] == "background/00.png"
    assert members.is_target.sum() == N


def test_rows_may_name_paths_within_folders_or_unique_names(folders: Path):
    for g, group in enumerate(("healthy", "sick")):
        for i in range(N):
            (folders / group / f"{i:02}.png").rename(folders / group / f"{group}{i:02}.png")
        assert g in (0, 1)
    table = (folders / "labels.csv").read_text().replace("healthy/", "healthy").replace("sick/", "sick")
    (folders / "labels.csv").write_text(table)
    assert labelled(folders).members().attributes["age"].tolist() == [20 + i for i in range(N)] * 2


@pytest.mark.parametrize(
    ("background", "target", "common", "salient", "known"),
    [
        (("a", "b"), ("a", "b"), ("class",), (), True),
        (("",), ("a", "b"), (), ("class",), True),
        (("a", "b"), ("b", "c"), (), (), True),
        (("a", "b"), ("",), (), (), False),
    ],
)
def test_class_folders_are_an_attribute(tmp_path: Path, background, target, common, salient, known):
    for group, classes in (("healthy", background), ("sick", target)):
        for i in range(N):
            save(tmp_path / group / classes[i % len(classes)] / f"{i}.png", i)
    members = study(tmp_path).members()
    assert (members.common, members.salient, "class" in members.attributes) == (common, salient, known)
    if target == ("a", "b"):
        assert set(members.attributes["class"][members.is_target]) == {"a", "b"}


def test_files_of_every_kind_become_the_same_pixels(tmp_path: Path):
    grey = np.linspace(0, 255, 256).astype(np.uint8).reshape(16, 16)
    for name in ("a.png", "a.tiff", "a.bmp", "a.gif"):
        Image.fromarray(grey).save(tmp_path / name)
    Image.fromarray(grey).save(tmp_path / "a.webp", lossless=True)
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.tif")
    Image.fromarray(np.stack([grey, np.full_like(grey, 255)], 2)).save(tmp_path / "la.png")
    Image.fromarray(grey).convert("P").save(tmp_path / "palette.png")
    paths = sorted(tmp_path.iterdir())
    looked = look_into(paths, tmp_path / "cache")
    assert not any(each.problem for each in looked.seen)
    for name, image in zip(paths, decode_all(paths, Frame(16, 1, "crop", 16)), strict=True):
        np.testing.assert_allclose(image[0].astype(int), grey, atol=1, err_msg=str(name))
    for name, image in zip(paths, decode_all(paths, Frame(16, 3, "pad", 16)), strict=True):
        np.testing.assert_allclose(image.astype(int), np.stack([grey] * 3), atol=1, err_msg=str(name))


def test_bits_say_which_value_is_white(tmp_path: Path):
    Image.fromarray(np.full((8, 8), 4095, np.uint16)).save(tmp_path / "a.png")
    values = [int(decode_all([tmp_path / "a.png"], Frame(8, 1, "crop", bits)).max()) for bits in (12, 16)]
    assert values == [255, 15]


def test_cmyk_and_one_bit_are_read_transparency_is_white_and_orientation_applied(tmp_path: Path):
    Image.new("CMYK", (8, 8), (0, 0, 0, 255)).save(tmp_path / "cmyk.jpg")
    Image.new("1", (8, 8), 1).save(tmp_path / "bit.png")
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    left = np.zeros((8, 8), np.uint8)
    left[:, :4] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees: what is stored left is on top
    Image.fromarray(left).save(tmp_path / "turned.png", exif=exif)
    paths = [tmp_path / name for name in ("cmyk.jpg", "bit.png", "clear.png", "turned.png")]
    black, white, clear, turned = decode_all(paths, Frame(8, 1, "crop", 16))
    assert black.max() < 10
    assert white.min() == clear.min() == 255
    assert turned[0, :4].min() == 255
    assert turned[0, 4:].max() == 0


def test_an_image_of_one_line_fits_a_square(tmp_path: Path):
    Image.new("L", (1000, 1), 255).save(tmp_path / "line.png")
    for fit in ("crop", "pad", "stretch"):
        assert decode_all([tmp_path / "line.png"], Frame(8, 1, fit, 16)).max() == 255


@pytest.mark.parametrize("name", ["a.jpg", "a.tif", "a.webp", "a.bmp", "a.gif"])
def test_a_truncated_file_of_any_kind_is_found(tmp_path: Path, name: str):
    path = save(tmp_path / name, 0, (200, 150))
    assert not look_into([path], tmp_path / "cache").seen[0].problem
    truncate(path)
    assert look_into([path], tmp_path / "cache").seen[0].problem


def test_images_are_cropped_padded_or_stretched(tmp_path: Path):
    wide = np.zeros((8, 24), np.uint8)
    wide[:, 8:16] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    crop, pad, stretch = (decode_all([tmp_path / "wide.png"], Frame(8, 1, fit, 16))[0, 0] for fit in ("crop", "pad", "stretch"))
    assert crop.min() == 255
    assert pad[0].max() == 0  # black above
    assert stretch[:, 0].max() == 0
    assert stretch[:, 4].min() > 200


@pytest.mark.parametrize(("sides", "size", "expected"), [((30, 41, 200), None, 40), ((100,), None, 64), ((100,), 96, 96), ((5,), None, 8)])
def test_the_size_is_the_median_shorter_side_up_to_a_limit(tmp_path: Path, sides, size, expected):
    paths = [save(tmp_path / f"{side}.png", side, (side + 7, side)) for side in sides]
    frame = frame_of(ImageStudy(background="a", target=("b",), size=size), look_into(paths, tmp_path / "cache").seen)
    assert (frame.side, frame.channels) == (expected, 3)


def test_images_on_access_are_those_in_memory(folders: Path, tmp_path: Path):
    held, lazy = (cohorts(study(folders, memory=1, size=size), 0, tmp_path / "cache") for size in (8, 200))
    assert isinstance(held.train.x, torch.Tensor)
    assert isinstance(lazy.train.x, Lazy)
    assert not isinstance(lazy.train.x, torch.Tensor)
    assert (len(held.train), len(held.test)) == (16, 8)
    assert torch.equal(lazy.train.x[torch.tensor([3, 1])], lazy.train.x.held()[[3, 1]])
    chosen = np.arange(len(lazy.test)) % 2 == 1
    assert torch.equal(lazy.test.where(chosen).x[:], lazy.test.x[:][chosen])


def test_images_of_more_than_ten_times_the_limit_are_decoded_a_batch_at_a_time(folders: Path, tmp_path: Path):
    train = cohorts(study(folders, memory=1, size=512, folds=6), 0, tmp_path / "cache").train
    one = 3 * 512**2
    assert math.prod(train.x.shape) == 20 * one > 10 * 2**20
    tracemalloc.start()
    try:
        assert [len(batch.x) for batch in Batches(train, 4, seed=0, epoch=0)] == [4] * 5
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 4 * one < peak < 12 * one  # a batch, its successor, and images on the way


def test_files_are_inspected_once_and_edits_are_noticed(folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    noted = study(folders).noted(tmp_path / "cache")
    with monkeypatch.context() as patch:
        patch.setattr("sepclr.data.pictures._see", lambda path: pytest.fail(f"{path} is decoded again"))
        assert study(folders).noted(tmp_path / "cache") == noted
        cohorts(noted, 0, tmp_path / "cache")
    save(folders / "sick" / "03.png", 999)
    with pytest.raises(InputError, match="the content of its images changed since training"):
        cohorts(noted, 0, tmp_path / "cache")


def test_hidden_files_and_those_of_operating_systems_are_ignored(folders: Path):
    for name in (".DS_Store", "Thumbs.db", ".hidden/x.txt", "__MACOSX/x.txt"):
        (folders / "sick" / name).parent.mkdir(exist_ok=True)
        (folders / "sick" / name).write_text("x")
    assert len(study(folders).members()) == 2 * N


def test_images_at_are_named_by_their_paths(folders: Path, tmp_path: Path):
    save(folders / "new" / "deep" / "x.jpg", 1)
    save(folders / "new" / "y.png", 2)
    names, x = images_at(folders / "new", study(folders), (1, 8, 8), tmp_path / "cache")
    assert names == ["deep/x.jpg", "y.png"]
    assert tuple(x.shape) == (2, 1, 8, 8)
    assert images_at(folders / "new" / "y.png", study(folders), (1, 8, 8), tmp_path / "cache")[0] == ["y.png"]


def bomb(path: Path) -> None:
    """A PNG that declares 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def animate(path: Path) -> None:
    frames = [Image.new("L", (8, 8), shade) for shade in (0, 100, 200)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def unreadable(path: Path) -> None:
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("root reads every file")


FILES: list[tuple[str, Callable[[Path], object], str]] = [
    ("03.png", lambda path: path.write_bytes(b""), "1 of 24 files cannot be used: {path} (is empty)"),
    ("03.png", truncate, "{path} (cannot be decoded"),
    ("03.png", lambda path: path.write_text("just text"), "{path} (is not an image)"),
    ("03.png", bomb, "{path} (has more than 89 million pixels)"),
    ("03.png", unreadable, "{path} (cannot be read: permission denied)"),
    ("notes.txt", lambda path: path.write_text("x"), "1 of 25 files cannot be used: {path} (is not an image)"),
    ("many.gif", animate, "{path} (has several frames"),
    ("many.webp", animate, "{path} (has several frames"),
    ("deep.tif", lambda path: Image.new("F", (8, 8)).save(path), "{path} (has pixels of 32 bits"),
    ("loop.png", lambda path: path.symlink_to(path), "{path} (cannot be read: Too many levels"),
    ("gone.png", lambda path: path.symlink_to("nowhere"), "{path} (is a broken link)"),
    ("loop", lambda path: path.symlink_to(path.parent), "{path} (links to a folder that contains it)"),
    ("a\nb.png", lambda path: save(path, 1), "a\\nb.png (has a line break"),
    (os.fsdecode(b"a\xff.png"), lambda path: save(path, 1), "a\\udcff.png (has a line break, another control character or bytes"),
    ("linked.png", lambda path: path.symlink_to("../healthy/02.png"), "1 files are in both groups, by links"),
]


def refused(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> str:
    """Run ``sepclr fit images``, which must exit with 2 and one line, and leave nothing."""
    folders = [] if "--target" in words else ["--background", str(folder / "healthy"), "--target", str(folder / "sick")]
    code = main(["fit", "images", *folders, *words, "--cache", str(folder / "cache"), "--out", str(folder / "run")])
    said = capsys.readouterr().err
    assert code == 2
    assert said.startswith("sepclr: error: ")
    assert said.count("\n") == 1
    assert not (folder / "run").exists()
    return said


@pytest.mark.parametrize(("name", "change", "says"), FILES, ids=range(len(FILES)))
def test_a_file_that_cannot_be_used_is_named(capsys, folders: Path, name: str, change: Callable[[Path], object], says: str):
    change(folders / "sick" / name)
    assert says.format(path=folders / "sick" / name) in refused(capsys, folders)


def test_all_files_that_cannot_be_used_are_named_at_once(capsys, folders: Path):
    for i in range(11):
        (folders / "sick" / f"{i:02}.png").write_bytes(b"broken" * (i % 2))
    (folders / "healthy" / "list.txt").write_text("x")
    said = refused(capsys, folders)
    assert "12 of 25 files cannot be used" in said
    assert "list.txt (is not an image)" in said
    assert "sick/01.png (is not an image)" in said
    assert "and 2 more; remove, rename or replace them" in said


FOLDERS = [
    (("--background", "nowhere", "--target", "sick"), "background: {folder}/nowhere is missing"),
    (("--background", "labels.csv", "--target", "sick"), "background: {folder}/labels.csv is not a folder"),
    (("--background", "empty", "--target", "sick"), "background: no images in {folder}/empty"),
    (("--background", "healthy", "--target", "single"), "target: only 1 image in {folder}/single"),
    (("--background", "sick", "--target", "sick"), "background, target: {folder}/sick is given twice"),
    (("--background", ".", "--target", "sick"), "background, target: {folder}/sick is within {folder}"),
    (("--background", "healthy", "--target", "sick,sick/../sick"), "sick is given twice"),
    (("--background", "healthy", "--target", "sick", "--size", "0"), "size: 0 is not at least 8"),
    (("--background", "healthy", "--target", "sick", "--folds", "7"), "folds: 7, but one group has 12 subjects; give at most 6"),
    (("--background", "healthy", "--target", "sick", "--common", "age"), "common, salient: no attribute 'age'; give a table"),
    (("--background", "healthy", "--target", "sick", "--split", "side"), "split: 'side' is a column of a table; give the table"),
]


@pytest.mark.parametrize(("words", "says"), FOLDERS, ids=range(len(FOLDERS)))
def test_folders_and_options_that_cannot_be_used_are_named(capsys, folders: Path, monkeypatch, words: tuple[str, ...], says: str):
    monkeypatch.chdir(folders)
    (folders / "empty").mkdir()
    save(folders / "single" / "x.png", 0)
    assert says.format(folder=folders) in refused(capsys, folders, *words)


TABLES: list[tuple[Callable[[str], str | bytes], tuple[str, ...], str]] = [
    (str, ("--common", "agee"), "attributes: column 'agee' not found in {table}; did you mean 'age'?"),
    (lambda text: text.replace("file,", "path,", 1), (), "attributes: column 'file' not found in {table}"),
    (lambda text: text.replace("sick/03", "sick/99"), (), "names 1 files that are in neither folder: sick/99.png"),
    (lambda text: text.replace("sick/03", "sick/04"), (), "lists 1 files more than once: target/04.png"),
    (lambda text: "\n".join(line for line in text.split("\n") if "sick/03" not in line), (), "lacks 1 of 24 files: target/03.png"),
    (lambda text: text.replace("sick/03", "03"), (), "1 names fit several files: 03.png"),
    (lambda text: text.replace(",m,", ",f,"), ("--common", "sex"), "attributes: 'sex' is 'f' in every row of {table}"),
    (lambda text: text.replace(",25,", ",old,"), ("--common", "age"), "most values of 'age' are numbers, but not old"),
    (lambda text: text.replace(",f,", ",fé,").encode("latin-1"), (), "{table}: cannot be read"),
    (lambda text: text.replace("sex", "age"), (), "{table}: several columns are called age"),
    (lambda text: text.split("\n")[0] + "\n", (), "{table}: no rows below the header"),
    (str, ("--common", "age", "--salient", "age"), "common, salient: age listed more than once"),
    (str, ("--split", "sex"), "split: column 'sex' of {table} contains f, m"),
    (str, ("--subject", "person"), "subject: column 'person' not found in {table}"),
    (
        lambda text: text.replace("sex", "who", 1).replace(",f,", ",,", 2),
        ("--subject", "who"),
        "subject: column 'who' of {table} is empty in 2 rows",
    ),
    (str, ("--common", "file"), "common, salient: 'file' is no attribute"),
]


@pytest.mark.parametrize(("change", "words", "says"), TABLES, ids=range(len(TABLES)))
def test_tables_that_cannot_be_used_are_named(capsys, folders: Path, change, words: tuple[str, ...], says: str):
    table = folders / "labels.csv"
    content = change(table.read_text())
    table.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert says.format(table=table) in refused(capsys, folders, "--attributes", str(table), *words)
