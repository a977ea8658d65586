"""A run whose folder another process holds, or whose disk is full."""

from __future__ import annotations

import errno
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest
from filelock import FileLock
from safetensors import SafetensorError

from sepclr.runs import run as runner
from sepclr.runs.lock import LOCK, check_free, held
from sepclr.runs.recipe import Recipe
from sepclr.runs.usable import check_run
from sepclr.types import InputError

# Versions of filelock before 4 empty the file when another process asks for the lock.
HOLDER = "process 17 on host" if int(version("filelock").partition(".")[0]) >= 4 else "another process"


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != LOCK}


def unwritable(*arguments: object, **options: object) -> None:
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


@pytest.fixture
def copied(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_run, tmp_path / "run"))


def test_a_folder_in_use_is_refused_and_not_changed(tiny: Recipe, copied: Path):
    before = content(copied)
    with FileLock(copied / LOCK) as _:
        (copied / LOCK).write_text("process 17 on host")
        for use in (
            lambda: check_run(tiny, copied, resume=True),
            lambda: runner.run(tiny, copied, resume=True, progress=False),
            lambda: runner.evaluate_again(copied),
        ):
            with pytest.raises(InputError, match=f"run: in use by {HOLDER}; wait until it has ended, or choose another folder$"):
                use()
    assert content(copied) == before


def test_the_lock_of_a_process_that_was_killed_does_not_stand_in_the_way(copied: Path):
    (copied / LOCK).write_text("process 17 on host")
    check_free(copied)
    with held(copied), pytest.raises(InputError, match=f"in use by {HOLDER.split()[0]}"):
        check_free(copied)
    check_free(copied)


def test_a_run_killed_before_its_config_is_begun_anew(tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "run").mkdir()
    for name in (LOCK, "config.yaml.part", "folds.tsv.part"):
        (tmp_path / "run" / name).write_text("half")
    monkeypatch.setattr(runner, "evaluate", lambda *arguments: None)
    runner.run(tiny, tmp_path / "run", progress=False)
    assert (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("name", ["config.yaml", "environment.json"])
def test_a_full_disk_is_named_before_training(name: str, tiny: Recipe, copied: Path):
    before = content(copied)
    (copied / f"{name}.part").symlink_to("/dev/full")
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        runner.run(tiny, copied, resume=True, progress=False)
    assert content(copied).keys() == before.keys()
    assert content(copied)[name] == before[name]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_after_training_leaves_what_was_written(tiny: Recipe, copied: Path, monkeypatch: pytest.MonkeyPatch):
    written = ["model.safetensors", "results.jsonl", "report.html", "rows.jsonl"]
    before = content(copied)
    rows = runner.evaluate_again(copied).rows  # what the report needs is computed once
    monkeypatch.setattr(runner, "_rows", lambda network, source, recipe, encoder: [row for row in rows if row["encoder"] == encoder])
    for name in written:
        with monkeypatch.context() as patch:
            if name == "model.safetensors":  # it is written beside and renamed, also by its library
                patch.setattr(runner, "save_file", unwritable)
            else:
                (copied / f"{name}.part").symlink_to("/dev/full")
            with pytest.raises(OSError, match="No space left on device") as full:
                runner.run(tiny, copied, resume=True, progress=False)
        assert (full.value.errno, full.value.filename) == (errno.ENOSPC, str(copied / name))
        assert all(content(copied)[kept] == before[kept] for kept in ("model.safetensors", "rows.jsonl"))
    assert runner.run(tiny, copied, resume=True, progress=False).rows == rows
