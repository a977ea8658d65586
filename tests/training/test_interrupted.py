"""Training that is interrupted: by a kill, a signal, a full disk, or a term that is not finite."""

from __future__ import annotations

import json
import os
import shutil
import signal
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import pytest
import torch
from torch import nn

from sepclr import nets
from sepclr.data import Batches, Cohort
from sepclr.errors import Stopped
from sepclr.methods import SepCLR
from sepclr.training import Settings, fit
from sepclr.training.finite import EVERY, Finite
from sepclr.types import InputError, Outputs
from sepclr.views import RowViews

SETTINGS = Settings(max_epochs=4, batch_size=20, learning_rate=1e-2, precision="32-true")
STEPS = 3
"""An epoch of ``rows`` has three steps of two views each."""


def method(independence: str = "k-jem") -> SepCLR:
    torch.manual_seed(0)
    networks = nets.encoder("mlp", (6,), 4, width=8), nets.encoder("mlp", (6,), 3, width=8), nets.head(4), nets.head(3)
    return SepCLR(*networks, (4, 3), independence=independence)


def weights(trained: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trained.state_dict().items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def epochs(folder: Path) -> list[int]:
    return [json.loads(line)["epoch"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


class At(RowViews):
    """Views that do something in a given step."""

    def __init__(self, step: int, do: Callable[[], object]) -> None:
        super().__init__()
        self.left, self.do = 2 * step, do

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.left -= len(x) == SETTINGS.batch_size  # a small batch only shows whether bfloat16 can be trusted
        if self.left == -1:
            self.do()
        return super().forward(x)


def fail() -> None:
    raise RuntimeError("interrupted")


@pytest.fixture(scope="module")
def whole(rows: Cohort) -> dict[str, torch.Tensor]:
    trained = method()
    fit(trained, RowViews(), rows, SETTINGS, seed=0)
    return weights(trained)


@pytest.fixture(scope="module")
def once_cut(rows: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that ended in its third epoch."""
    folder = tmp_path_factory.mktemp("once") / "cut"
    with pytest.raises(RuntimeError, match="interrupted"):
        fit(method(), At(2 * STEPS + 1, fail), rows, SETTINGS, seed=0, folder=folder)
    return folder


@pytest.fixture
def cut(once_cut: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(once_cut, tmp_path / "cut"))


def resumed(rows: Cohort, folder: Path) -> dict[str, torch.Tensor]:
    trained = method()
    fit(trained, RowViews(), rows, SETTINGS, seed=0, folder=folder)
    assert epochs(folder) == [0, 1, 2, 3]
    return weights(trained)


def epoch_of(checkpoint: Path) -> int:
    return int(torch.load(checkpoint, weights_only=True)["epoch"])


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip_a_bit(path: Path) -> None:
    with ZipFile(path) as file:
        tensor = file.read(max(file.infolist(), key=lambda each: each.file_size))
    content = bytearray(path.read_bytes())
    content[content.index(tensor) + len(tensor) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut_short, empty, flip_a_bit])
def test_a_damaged_checkpoint_is_set_aside_and_the_one_before_is_used(
    damage: Callable[[Path], None], rows: Cohort, cut: Path, whole: dict[str, torch.Tensor], capsys: pytest.CaptureFixture[str]
):
    checkpoints = cut / "checkpoints"
    assert [epoch_of(checkpoints / name) for name in ("last.ckpt", "previous.ckpt")] == [1, 0]
    damage(checkpoints / "last.ckpt")
    damaged = (checkpoints / "last.ckpt").read_bytes()
    assert same(resumed(rows, cut), whole)
    assert capsys.readouterr().out == f"{checkpoints / 'last.ckpt'}: damaged; training resumes from the checkpoint before it\n"
    assert (checkpoints / "damaged.ckpt").read_bytes() == damaged
    assert epoch_of(checkpoints / "last.ckpt") == 3
    assert not (checkpoints / "previous.ckpt").exists()


def test_interrupted_again_after_a_damaged_checkpoint_the_good_one_is_still_there(rows: Cohort, cut: Path, whole: dict[str, torch.Tensor]):
    cut_short(cut / "checkpoints" / "last.ckpt")
    with pytest.raises(RuntimeError, match="interrupted"):
        fit(method(), At(1, fail), rows, SETTINGS, seed=0, folder=cut)
    assert epoch_of(cut / "checkpoints" / "previous.ckpt") == 0
    assert same(resumed(rows, cut), whole)


def test_between_its_two_renames_a_checkpoint_leaves_the_one_before(rows: Cohort, cut: Path, whole: dict[str, torch.Tensor]):
    (cut / "checkpoints" / "last.ckpt").unlink()
    assert same(resumed(rows, cut), whole)


def test_without_a_whole_checkpoint_the_remedy_is_named(rows: Cohort, cut: Path):
    for name in ("last.ckpt", "previous.ckpt"):
        cut_short(cut / "checkpoints" / name)
    with pytest.raises(InputError, match=r"last.ckpt and previous.ckpt damaged; restore a copy, or remove this folder"):
        fit(method(), RowViews(), rows, SETTINGS, seed=0, folder=cut)


def test_torn_and_superseded_lines_of_metrics_are_replaced(rows: Cohort, cut: Path, whole: dict[str, torch.Tensor]):
    with (cut / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "step": 9, "loss": 1.0}\n{"epoch": 3, "st')
    assert same(resumed(rows, cut), whole)


@pytest.mark.parametrize("killed_in", ["write", "first rename", "second rename"])
def test_a_kill_in_a_checkpoint_costs_an_epoch_and_no_bit(
    killed_in: str, rows: Cohort, tmp_path: Path, whole: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
):
    """In a fork, which dies when it writes its second checkpoint."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork of a process with threads
        child = os.fork()
    if not child:
        replace_ = Path.replace

        def die(path: Path, target: Path) -> Path:
            second = path.parent.name == "checkpoints" and (path.parent / "last.ckpt").exists() | (path.name == "last.ckpt.part")
            if second and killed_in == ("first rename" if path.name == "last.ckpt" else "second rename") and seen:
                os.kill(os.getpid(), signal.SIGKILL)
            seen.append(path)
            return replace_(path, target)

        seen: list[Path] = []
        Path.replace = die  # type: ignore[method-assign]
        if killed_in == "write":
            fsync = os.fsync
            os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL) if seen else fsync(handle)
        try:
            fit(method(), RowViews(), rows, SETTINGS, seed=0, folder=tmp_path / "killed")
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert same(resumed(rows, tmp_path / "killed"), whole)


@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_after_the_step_and_the_run_resumes_from_its_last_epoch(
    asked: signal.Signals, rows: Cohort, tmp_path: Path, whole: dict[str, torch.Tensor]
):
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with pytest.raises(Stopped) as stopped:
        fit(method(), At(2 * STEPS + 1, lambda: os.kill(os.getpid(), asked)), rows, SETTINGS, seed=0, folder=tmp_path / "run")
    assert str(stopped.value) == f"stopped by {asked.name} after epoch 2 of 4"
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    assert same(resumed(rows, tmp_path / "run"), whole)


def test_a_signal_in_the_last_epoch_keeps_that_epoch(rows: Cohort, tmp_path: Path):
    last = At(4 * STEPS - 1, lambda: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Stopped, match="SIGTERM after epoch 4 of 4"):
        fit(method(), last, rows, SETTINGS, seed=0, folder=tmp_path)
    assert epoch_of(tmp_path / "checkpoints" / "last.ckpt") == 3


def test_an_error_that_a_signal_caused_elsewhere_counts_as_the_signal(rows: Cohort, tmp_path: Path):
    """A worker that has received the same signal ends first."""

    def both() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        raise RuntimeError("DataLoader worker is killed by signal: Terminated")

    with pytest.raises(Stopped):
        fit(method(), At(1, both), rows, SETTINGS, seed=0, folder=tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("name", ["checkpoints/last.ckpt.part", "metrics.jsonl.part"])
def test_a_full_disk_is_named_and_leaves_the_last_checkpoint(name: str, rows: Cohort, cut: Path, whole: dict[str, torch.Tensor]):
    (cut / name).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device") as full:
        fit(method(), RowViews(), rows, SETTINGS, seed=0, folder=cut)
    assert full.value.filename == str(cut / name.removesuffix(".part"))
    assert epoch_of(cut / "checkpoints" / "last.ckpt") == 1
    assert same(resumed(rows, cut), whole)


def test_samples_that_are_not_finite_are_found_and_cost_no_checkpoint(rows: Cohort, tmp_path: Path):
    x = rows.x.clone()
    spoilt = replace(rows, x=x)
    order = list(Batches(rows, 20, seed=0, epoch=2).indices())
    bad = int(order[1][0])

    def spoil() -> None:
        x[bad] = torch.nan  # from the third epoch on

    with pytest.raises(InputError) as error:
        fit(method(), At(2 * STEPS, spoil), spoilt, SETTINGS, seed=0, folder=tmp_path)
    listed = ", ".join(str(int(sample)) for sample in order[1][:8])
    assert str(error.value) == (
        f"common: not finite at step 2 of epoch 3 with training samples {listed}, …; the last checkpoint is of epoch 2; "
        "look at these samples, or train again with a lower learning rate"
    )
    assert epoch_of(tmp_path / "checkpoints" / "last.ckpt") == 1
    assert epochs(tmp_path) == [0, 1]


class Steep(SepCLR):
    """A term whose value is finite and whose gradient is not, in the last step of the first epoch."""

    left = STEPS

    def terms(self, out: Outputs, is_target: torch.Tensor) -> dict[str, torch.Tensor]:
        self.left -= 1
        found = super().terms(out, is_target)
        return found if self.left else found | {"common": found["common"] + (out["c1"] * 0).sum().sqrt()}


def test_parameters_that_are_not_finite_after_the_last_step_are_found(rows: Cohort):
    trained = method()
    trained.__class__ = Steep
    with pytest.raises(InputError, match=r"^parameters: not finite at step 3 of epoch 1 with training samples \d"):
        fit(trained, RowViews(), rows, SETTINGS, seed=0)


def test_terms_are_looked_at_after_a_number_of_steps():
    finite = Finite()
    found = [finite.note(step, {"fine": torch.tensor(0.0), "bad": torch.tensor(torch.inf if step >= 40 else 1.0)}) for step in range(EVERY)]
    assert found == [None] * (EVERY - 1) + [("bad", 40)]
    assert finite.look() is None
