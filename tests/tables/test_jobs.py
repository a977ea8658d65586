from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout

from sepclr.errors import Stopped
from sepclr.runs.folder import RunFolder
from sepclr.runs.recipe import Recipe
from sepclr.tables import jobs as module
from sepclr.tables.jobs import Places, check_jobs, done, make_row, run_jobs, status
from sepclr.tables.plan import Job, plan
from sepclr.training.module import Training
from sepclr.types import InputError

SMALL = {"width": 2, "common_dim": 4, "salient_dim": 3, "crop": 8, "max_epochs": 2, "batch_size": 20}
ROW = ["recipe", "profile", "protocol", "method", "independence", "seed", "scores", "seconds", "commit", "versions", "machine"]


@pytest.fixture
def places(tmp_path: Path, tiny: Recipe) -> Places:
    return Places(tmp_path / "runs", tmp_path / "results" / "rows.jsonl")


def small(seeds: Sequence[int] = (0,), ways: Sequence[Any] = ("k-jem", "none"), **options: Any) -> list[Job]:
    return plan("marked-digits", independence=ways, seeds=seeds, options=SMALL | options)


def run_all(jobs: Sequence[Job], places: Places) -> tuple[list[str], list[str]]:
    said: list[str] = []
    check_jobs(jobs, places)
    return run_jobs(jobs, places, say=said.append), said


def lines(places: Places) -> list[dict[str, Any]]:
    return [json.loads(line) for line in places.results.read_text().splitlines()]


def test_each_run_gets_a_row_for_each_protocol_and_is_not_run_twice(places: Places, monkeypatch: pytest.MonkeyPatch):
    failed, said = run_all(small(), places)
    assert not failed
    assert said[0] == "0 of 2 runs are finished; 2 to go"
    rows = lines(places)
    assert [(row["independence"], row["protocol"]) for row in rows] == [
        (way, protocol) for way in ("k-jem", "none") for protocol in ("strict", "published")
    ]
    for row in rows:
        assert set(ROW) <= set(row)
        assert row["best_expected"] == {
            "digit_common": 1.0, "digit_salient": 1 / 3, "mark_common": 0.5, "mark_salient": 1.0, "group_common": 0.5, "group_salient": 1.0,
        }  # fmt: skip
        assert set(row["heads"]["scores"]) == set(row["heads"]["untrained"]) == set(row["best_expected"])
        assert all(low <= row["scores"][name] <= high for name, (low, high) in row["intervals"].items())
    before = places.results.read_bytes()
    monkeypatch.setattr(module, "run", pytest.fail)
    assert run_all(small(), places) == ([], ["2 of 2 runs are finished; 0 to go"])
    assert places.results.read_bytes() == before


def test_a_run_of_a_table_prints_its_name_with_every_epoch(places: Places, capsys: pytest.CaptureFixture[str]):
    (job,) = small(ways=["none"])
    make_row(job, places)
    began, *epochs = capsys.readouterr().out.splitlines()
    assert began.endswith(f" {job.name}: training from epoch 1 of 2")
    assert [line.split(",")[0].partition(" ")[2] for line in epochs] == [f"{job.name}: epoch {number} of 2" for number in (1, 2)]


def test_a_cut_run_goes_on_from_its_checkpoint_to_the_numbers_of_one_that_was_not(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (job,) = small(ways=["none"], max_epochs=3)
    whole = Places(tmp_path / "other", tmp_path / "other.jsonl")
    assert run_all([job], whole)[0] == []
    begin = Training.on_train_epoch_start

    def cut(training: Training) -> None:
        if training.current_epoch == 1:
            raise RuntimeError("cut")
        begin(training)

    with monkeypatch.context() as patch:
        patch.setattr(Training, "on_train_epoch_start", cut)
        assert len(run_all([job], places)[0]) == 1
    assert [run.state for run in status([job], places)] == ["failed"]
    next(places.runs.glob("*.error")).unlink()  # a kill would not have left one
    assert [run.state for run in status([job], places)] == ["interrupted"]
    assert status([job], places)[0].epochs == 1
    assert run_all([job], places)[0] == []
    assert [epoch["epoch"] for epoch in RunFolder(places.runs / job.name).history()] == [0, 1, 2]
    (one, *_), (other, *_) = lines(places), lines(whole)
    assert one["scores"] == other["scores"]


def test_a_finished_run_without_its_row_is_read_and_not_run_again(places: Places, monkeypatch: pytest.MonkeyPatch):
    run_all(small(), places)
    rows = places.results.read_text()
    places.results.unlink()
    monkeypatch.setattr(module, "run", pytest.fail)
    run_all(small(), places)
    assert places.results.read_text() == rows


def test_a_folder_that_was_cut_before_its_config_is_begun_anew(places: Places):
    (job,) = small(ways=["none"])
    (places.runs / job.name).mkdir(parents=True)
    (places.runs / job.name / "config.yaml.part").write_text("data: mar")
    assert run_all([job], places)[0] == []
    assert job.key in done(places.results)


def test_a_folder_without_config_that_holds_something_else_is_named_and_kept(places: Places):
    (job,) = small(ways=["none"])
    mine = places.runs / job.name / "notes" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    failed, _ = run_all([job], places)
    assert "holds notes/mine.txt, which sepclr did not write; move it away, or choose another --runs" in failed[0]
    assert mine.read_text() == "mine"


def test_one_run_that_fails_is_named_and_costs_no_other(places: Places, monkeypatch: pytest.MonkeyPatch):
    run = module.run

    def fails(recipe: Recipe, *arguments: Any, **options: Any) -> Any:
        if recipe.independence == "k-jem":
            raise RuntimeError("out of luck")
        return run(recipe, *arguments, **options)

    monkeypatch.setattr(module, "run", fails)
    failed, said = run_all(small(), places)
    assert len(failed) == 1
    assert failed[0].startswith("k-jem-0-")
    assert "RuntimeError: out of luck" in failed[0]
    assert "RuntimeError: out of luck" in said[1]
    assert "Traceback" in next(places.runs.glob("k-jem-0-*.error")).read_text()
    assert [row["independence"] for row in lines(places)] == ["none", "none"]
    monkeypatch.setattr(module, "run", run)
    assert [run.state for run in status(small(), places)] == ["failed", "done"]
    assert run_all(small(), places)[0] == []
    assert not list(places.runs.glob("*.error"))


def test_status_tells_apart_what_is_done_running_cut_and_missing_and_changes_nothing(places: Places):
    jobs = small(seeds=[0, 1])
    assert [run.state for run in status(jobs, places)] == ["missing"] * 4
    assert not places.runs.exists()
    run_all(jobs[:1], places)
    shutil.copytree(places.runs / jobs[0].name, places.runs / jobs[1].name)
    with FileLock(places.runs / f"{jobs[2].name}.lock"):
        before = sorted(places.runs.rglob("*"))
        assert [run.state for run in status(jobs, places)] == ["done", "interrupted", "running", "missing"]
        assert sorted(places.runs.rglob("*")) == before
    assert status(jobs, places)[1].epochs == 2


def test_whoever_finds_a_run_taken_takes_another_and_comes_back(places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    taken, free = small()
    elsewhere = Places(tmp_path / "elsewhere", tmp_path / "elsewhere.jsonl")
    run_all([taken], elsewhere)
    places.runs.mkdir()
    said: list[str] = []
    lock = FileLock(places.runs / f"{taken.name}.lock")
    lock.acquire()
    ran: list[str] = []
    run = module.run
    monkeypatch.setattr(module, "run", lambda recipe, *rest, **options: (ran.append(recipe.independence), run(recipe, *rest, **options))[1])

    def say(words: str) -> None:
        said.append(words)
        if "none" in words:  # the free one is done: now the other's row comes from elsewhere
            with places.results.open("a") as file:
                file.write(elsewhere.results.read_text())
            lock.release()

    assert run_jobs([taken, free], places, say=say) == []
    assert ran == ["none"]
    assert "runs elsewhere" in said[1]
    assert {row["key"] for row in lines(places)} == {taken.key, free.key}
    assert len(lines(places)) == 4


def test_without_waiting_a_taken_run_is_refused(places: Places):
    (job,) = small(ways=["none"])
    places.runs.mkdir()
    with FileLock(places.runs / f"{job.name}.lock"), pytest.raises(Timeout):
        make_row(job, places, wait=False)


def test_two_commands_with_runs_of_their_own_add_a_row_once(places: Places, tmp_path: Path):
    (job,) = small(ways=["none"])
    other = Places(tmp_path / "others", places.results)
    run_all([job], Places(other.runs, tmp_path / "others.jsonl"))
    run_all([job], places)
    before = places.results.read_text()
    module._append(module.read_finished(RunFolder(other.runs / job.name), module.load(job.recipe)), job, other)
    assert places.results.read_text() == before


def test_rows_that_end_without_a_new_line_stay_whole(places: Places):
    first, second = small()
    run_all([first], places)
    places.results.write_text(places.results.read_text().rstrip("\n"))
    run_all([second], places)
    assert len(lines(places)) == 4


def test_a_worker_that_writes_elsewhere_is_named(places: Places, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "make_row", lambda *arguments, **options: None)
    failed, _ = run_all(small(ways=["none"]), places)
    assert "its worker wrote to other folders; all workers must share" in failed[0]


KILLED = """
import os, signal, sys
from pathlib import Path
from sepclr.tables import jobs
from sepclr.tables.plan import plan

PLACE = Path(sys.argv[1])

def die_once(job, places, wait):
    mark = PLACE / "died"
    if job.recipe.seed == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    places.results.open("a").write('{"key": "%s"}\\n' % job.key)
    return job, "done"

jobs._attempt = die_once
found = jobs.run_jobs(plan("marked-digits", independence=["none"], seeds=range(3)), jobs.Places(PLACE, PLACE / "rows.jsonl"), workers=2)
assert found == [], found
"""


@pytest.mark.slow
def test_what_a_killed_process_had_begun_goes_on_with_another(tmp_path: Path):
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "a worker was killed (TerminatedWorkerError)" in ended.stdout
    assert len(done(tmp_path / "rows.jsonl")) == 3


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"tau": 0.0}, "tau: 0"),
        ({"batch_size": 3}, "batch_size: 3"),
        ({"weight_shared": 1.0}, "weight_shared: 'k-jem' has no such option"),
        ({"devices": "2"}, r"devices: 2 on 1 node\(s\); a row runs on one device"),
        ({"nodes": 2}, r"devices: auto on 2 node\(s\)"),
    ],
)
def test_options_are_checked_before_the_first_run(places: Places, options: dict[str, Any], named: str):
    with pytest.raises(InputError, match=named):
        check_jobs(small(**options), places)
    assert not places.runs.exists()


def test_results_that_are_a_folder_are_named(places: Places):
    places.results.mkdir(parents=True)
    with pytest.raises(InputError, match="is a folder"):
        check_jobs(small(), places)


def test_a_line_that_is_no_row_is_named(places: Places):
    places.results.parent.mkdir()
    places.results.write_text('{"key": "a"}\n{"other": 1}\n')
    with pytest.raises(InputError, match=r"rows.jsonl: line 2 is not a row"):
        check_jobs(small(), places)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"workers": 0}, "jobs: 0"),
        ({"scheduler": "tcp://127.0.0.1:1"}, "add --backend dask"),
        ({"backend": "dask"}, "give --scheduler"),
        ({"backend": "dask", "scheduler": "nowhere:x"}, "scheduler: nowhere:x does not answer"),
    ],
)
def test_workers_that_cannot_be_had_are_named(places: Places, options: dict[str, Any], named: str):
    with pytest.raises(InputError, match=named):
        run_jobs(small(), places, say=lambda words: None, **options)


def test_a_worker_that_is_asked_to_end_leaves_its_run_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stopped(*_: object, **__: object) -> None:
        raise Stopped(signal.SIGTERM)

    monkeypatch.setattr(module, "make_row", stopped)
    monkeypatch.setattr(module, "end_worker_with_parent", lambda: None)
    (job,) = plan("marked-digits", independence=["none"], seeds=[0])
    assert module._attempt(job, Places(tmp_path / "runs", tmp_path / "rows.jsonl"), False) == (job, "held")
