from __future__ import annotations

import json
import math
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from pytorch_lightning import Trainer
from torch import nn

from sepclr import nets
from sepclr.data import Cohort, VolumeCache
from sepclr.methods import Decorrelated, SepCLR, SepCLRWeights
from sepclr.training import Settings, encode, fit, project
from sepclr.training.fit import resolve_precision
from sepclr.training.module import by_layout, layout
from sepclr.types import InputError, Outputs, Steering
from sepclr.views import ImageViews, RowViews, pixels

SETTINGS = Settings(max_epochs=4, batch_size=20, learning_rate=1e-2)


def method(shape: tuple[int, ...] = (6,)) -> SepCLR:
    torch.manual_seed(0)
    kind = "mlp" if len(shape) == 1 else "resnet10"
    return SepCLR(nets.encoder(kind, shape, 4, width=8), nets.encoder(kind, shape, 3, width=8), nets.head(4), nets.head(3), (4, 3))


def weights(trained: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().reshape(-1) for parameter in trained.parameters()])


def history(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


class Stop(Exception):
    pass


class CutAfter(RowViews):
    """Views that fail in the middle, as a killed run does."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.calls = calls

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls -= 1
        if self.calls < 0:
            raise Stop
        return super().forward(x)


def test_training_lowers_the_loss(rows: Cohort, tmp_path: Path):
    fit(method(), RowViews(), rows, replace(SETTINGS, max_epochs=30), seed=0, folder=tmp_path)
    losses = [epoch["loss"] for epoch in history(tmp_path)]
    assert min(losses[-5:]) < losses[0]


def test_every_term_is_logged_unweighted_each_epoch(rows: Cohort, tmp_path: Path):
    trained = method()
    fit(trained, RowViews(), rows, SETTINGS, seed=0, folder=tmp_path)
    epochs = history(tmp_path)
    assert [epoch["epoch"] for epoch in epochs] == [0, 1, 2, 3]
    for epoch in epochs:
        total = sum(epoch[name] * getattr(trained.weights, name) for name in ("common", "salient", "information_less", "independence"))
        assert epoch["loss"] == pytest.approx(total, rel=1e-4)
        assert epoch["seconds"] > 0


def test_the_seed_decides_and_the_global_generator_is_left_alone(rows: Cohort):
    runs = []
    for seed in (0, 0, 1):
        trained = method()
        torch.manual_seed(5)
        fit(trained, RowViews(), rows, SETTINGS, seed=seed)
        after = torch.rand(1)
        torch.manual_seed(5)
        assert torch.equal(after, torch.rand(1))
        runs.append(weights(trained))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_a_resumed_run_equals_one_that_was_never_cut(rows: Cohort, tmp_path: Path):
    whole = method()
    fit(whole, RowViews(), rows, SETTINGS, seed=0, folder=tmp_path / "whole")
    with pytest.raises(Stop):
        fit(method(), CutAfter(calls=14), rows, SETTINGS, seed=0, folder=tmp_path / "cut")  # 6 calls an epoch
    assert len(history(tmp_path / "cut")) == 2
    resumed = method()
    fit(resumed, RowViews(), rows, SETTINGS, seed=0, folder=tmp_path / "cut")
    assert torch.equal(weights(whole), weights(resumed))
    losses = [[epoch["loss"] for epoch in history(tmp_path / name)] for name in ("whole", "cut")]
    assert losses[0] == losses[1]


def decorrelated() -> Decorrelated:
    torch.manual_seed(0)
    networks = [nets.encoder("mlp", (6,), dim, width=8) for dim in (4, 3)]
    return Decorrelated(*networks, nets.head(4), nets.head(3), (nets.standardise(4), nets.standardise(3)), (4, 3))


def test_moments_go_on_bit_for_bit_where_a_run_was_cut(rows: Cohort, tmp_path: Path):
    whole = decorrelated()
    fit(whole, RowViews(), rows, SETTINGS, seed=0, folder=tmp_path / "whole")
    with pytest.raises(Stop):
        fit(decorrelated(), CutAfter(calls=14), rows, SETTINGS, seed=0, folder=tmp_path / "cut")
    resumed = decorrelated()
    fit(resumed, RowViews(), rows, SETTINGS, seed=0, folder=tmp_path / "cut")
    assert whole.c_with_s.samples > 0
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name
    for epoch, again in zip(history(tmp_path / "whole"), history(tmp_path / "cut"), strict=True):
        assert {name: again[name] for name in ("loss", "c_with_s", "s_with_c", "c_with_group")}.items() <= epoch.items()


class Steered(SepCLR):
    """Nothing reaches the common encoder, and thrice as much the salient one."""

    def steering(self, out: Outputs, is_target: torch.Tensor) -> Steering:
        assert not any(value.requires_grad for value in out.values())
        self.seen = {name: value.shape for name, value in out.items()}
        change = dict.fromkeys(("c1", "c2"), torch.zeros_like) | dict.fromkeys(("s1", "s2"), lambda gradient: 3 * gradient)
        return Steering(change, {"steered": is_target.sum().float()})


def test_gradients_of_codes_are_changed_before_they_reach_the_encoders(rows: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One step of gradient descent in place of Adam, which scale does not move."""
    monkeypatch.setattr(torch.optim, "Adam", lambda groups, *args, **kwargs: torch.optim.SGD(groups, 0.1))
    moved = []
    for kind in (SepCLR, Steered):
        mine, before = (
            kind(
                *(nets.encoder("mlp", (6,), d, width=8) for d in (4, 3)),
                *(nets.head(d) for d in (4, 3)),
                (4, 3),
                independence="none",
                weights=SepCLRWeights(1.0, 1.0, 1.0),
            )
            for _ in range(2)
        )
        mine.load_state_dict(method().state_dict(), strict=False)
        before.load_state_dict(mine.state_dict())
        fit(mine, nn.Identity(), rows, Settings(1, 60, 0.1, "constant", "32-true"), seed=0, folder=tmp_path / kind.__name__)
        moved.append({name: value.detach() - before.get_parameter(name).detach() for name, value in mine.named_parameters()})
    plain, steered = moved
    assert history(tmp_path / "Steered")[0]["steered"] == 30
    for name, step in steered.items():
        if name.startswith("common"):
            assert plain[name].abs().sum() > 0
            assert not step.any()
        else:
            torch.testing.assert_close(step, 3 * plain[name], rtol=1e-3, atol=1e-5)


def test_a_finished_run_is_not_trained_further(rows: Cohort, tmp_path: Path):
    first, again = method(), method()
    fit(first, RowViews(), rows, SETTINGS, seed=0, folder=tmp_path)
    fit(again, RowViews(), rows, SETTINGS, seed=0, folder=tmp_path)
    assert torch.equal(weights(first), weights(again))
    assert len(history(tmp_path)) == 4


def test_checkpoint_holds_plain_types_only(rows: Cohort, tmp_path: Path):
    fit(method(), RowViews(), rows, SETTINGS, seed=0, folder=tmp_path)
    checkpoints = tmp_path / "checkpoints"
    assert [path.name for path in checkpoints.iterdir()] == ["last.ckpt"]
    assert torch.load(checkpoints / "last.ckpt", weights_only=True)["epoch"] == 3


def test_tensorboard_log_is_written(rows: Cohort, tmp_path: Path):
    fit(method(), RowViews(), rows, replace(SETTINGS, loggers="tensorboard"), seed=0, folder=tmp_path)
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))


def test_nothing_is_written_without_a_folder(rows: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    fit(method(), RowViews(), rows, SETTINGS, seed=0)
    assert not list(tmp_path.iterdir())


def test_images_of_whole_numbers_are_trained_on(images: Cohort):
    trained = method((3, 12, 12))
    before = weights(trained)
    fit(trained, ImageViews(3, crop=8), images, replace(SETTINGS, max_epochs=1, batch_size=8), seed=0)
    assert not torch.equal(before, weights(trained))
    assert torch.isfinite(weights(trained)).all()


def test_without_a_terminal_progress_is_a_line_per_epoch(rows: Cohort, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    settings = replace(SETTINGS, schedule="constant")
    fit(method(), RowViews(), rows, settings, seed=0, folder=tmp_path, progress=True)
    began, *epochs = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d training from epoch 1 of 4", began)
    assert len(epochs) == 4
    for number, (line, epoch) in enumerate(zip(epochs, history(tmp_path), strict=True), 1):
        found = re.fullmatch(rf"\d\d:\d\d:\d\d epoch {number} of 4, loss (\S+), \d+\.\d s, \d+ s left", line)
        assert found
        assert float(found[1]) == pytest.approx(epoch["loss"], rel=1e-3)
    fit(method(), RowViews(), rows, replace(settings, max_epochs=5), seed=0, folder=tmp_path, progress="k-jem-0")
    began, epoch = capsys.readouterr().out.splitlines()
    assert began.endswith(" k-jem-0: training from epoch 5 of 5")
    assert " k-jem-0: epoch 5 of 5, loss " in epoch
    assert epoch.endswith(" 0 s left")
    fit(method(), RowViews(), rows, SETTINGS, seed=0)
    assert capsys.readouterr().out == ""


class Drawing(SepCLR):
    """Notes with which seeds views are drawn and losses are computed."""

    seeds: ClassVar[dict[str, list[int]]] = {"views": [], "loss": []}

    def terms(self, out: Outputs, is_target: torch.Tensor) -> dict[str, torch.Tensor]:
        self.seeds["loss"].append(torch.initial_seed())
        return super().terms(out, is_target)


def test_no_loss_draws_with_the_seed_of_a_view(rows: Cohort):
    class Views(RowViews):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            Drawing.seeds["views"].append(torch.initial_seed())
            return super().forward(x)

    trained = method()
    trained.__class__ = Drawing
    for seed in range(3):
        fit(trained, Views(), rows, SETTINGS, seed=seed)
    views, loss = (set(Drawing.seeds[drawn]) for drawn in ("views", "loss"))
    assert len(views) >= 3 * 4  # one an epoch
    assert len(loss) == len(Drawing.seeds["loss"])  # one a step
    assert not views & loss


def test_one_group_is_refused_before_anything_is_written(rows: Cohort, tmp_path: Path):
    with pytest.raises(InputError, match="background"):
        fit(method(), RowViews(), rows.targets, SETTINGS, seed=0, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("max_epochs", 0), ("batch_size", 0), ("learning_rate", 0.0), ("learning_rate", float("nan"))]
)
def test_settings_that_cannot_be_used_are_named(option, value):
    with pytest.raises(InputError, match=option):
        replace(SETTINGS, **{option: value})


def test_constant_schedule_keeps_the_learning_rate(rows: Cohort, tmp_path: Path):
    fit(method(), RowViews(), rows, replace(SETTINGS, schedule="constant"), seed=0, folder=tmp_path)
    state = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["lr_schedulers"] == []
    assert state["optimizer_states"][0]["param_groups"][0]["lr"] == SETTINGS.learning_rate


def step_sizes(trained: SepCLR, rows: Cohort, monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[float, tuple[float, float]]]]:
    """Step size and betas of each step of Adam, of the encoders' and of the critic's."""
    seen: dict[int, list[tuple[float, tuple[float, float]]]] = {}
    step = torch.optim.Adam.step

    def noted(self, *arguments, **options):
        group = self.param_groups[0]
        seen.setdefault(id(self), []).append((group["lr"], group["betas"]))
        return step(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    fit(trained, RowViews(), rows, replace(SETTINGS, max_epochs=10), seed=0)
    return sorted(seen.values(), key=len)


def test_the_schedule_is_a_linear_warm_up_and_half_a_cosine_and_betas_stay(rows: Cohort, monkeypatch: pytest.MonkeyPatch):
    """OneCycleLR warms up along a cosine, and moves Adam's first beta between 0.95 and 0.85."""
    (steps,) = step_sizes(method(), rows, monkeypatch)
    assert len(steps) == 30
    assert {betas for _, betas in steps} == {(0.9, 0.999)}
    sizes = [size for size, _ in steps]
    assert sizes[:3] == pytest.approx([0.25e-2, 0.5e-2, 0.75e-2])
    assert sizes[3:] == pytest.approx([1e-2 * (1 + math.cos(math.pi * k / 27)) / 2 for k in range(27)])


def test_a_critic_takes_its_own_steps_of_its_own_size_whatever_the_schedule(rows: Cohort, monkeypatch: pytest.MonkeyPatch):
    torch.manual_seed(0)
    networks = nets.encoder("mlp", (6,), 4, width=8), nets.encoder("mlp", (6,), 3, width=8), nets.head(4), nets.head(3)
    encoders, critic = step_sizes(SepCLR(*networks, (4, 3), independence="vclub-sym"), rows, monkeypatch)
    assert len(critic) == 5 * len(encoders)
    assert {size for size, _ in critic} == {1e-4}


def test_as_many_views_are_drawn_as_the_method_takes(rows: Cohort):
    class Counting(RowViews):
        drawn = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            Counting.drawn += len(x) == SETTINGS.batch_size  # a small one only shows whether bfloat16 can be trusted
            return super().forward(x)

    networks = nets.encoder("mlp", (6,), 4, width=8), nets.encoder("mlp", (6,), 3, width=8), nets.head(4), nets.head(3)
    fit(SepCLR(*networks, (4, 3), further_views=3), Counting(), rows, replace(SETTINGS, max_epochs=1), seed=0)
    assert Counting.drawn == 3 * 4


def test_bfloat16_is_used_only_where_the_processor_computes_in_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert resolve_precision("auto", "cpu") == "bf16-mixed"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert resolve_precision("auto", "cpu") == "32-true"
    assert resolve_precision("16-mixed", "cpu") == "16-mixed"


def test_mixed_precision_trains_and_its_losses_are_float32(rows: Cohort, tmp_path: Path):
    trained = method()
    terms = trained.terms
    kinds = set()

    def noted(out, is_target):
        values = terms(out, is_target)
        kinds.update(value.dtype for value in values.values())
        return values

    trained.terms = noted
    fit(trained, RowViews(), rows, replace(SETTINGS, precision="bf16-mixed"), seed=0)
    assert kinds == {torch.float32}
    assert torch.isfinite(weights(trained)).all()


def test_encoding_does_not_depend_on_batches_and_keeps_the_mode(rows: Cohort):
    trained = method()
    codes = encode(trained, rows.x)
    assert trained.training
    parts = encode(trained, rows.x, batch_size=7)
    torch.testing.assert_close(codes.c, parts.c)
    torch.testing.assert_close(codes.s, parts.s)
    assert not codes.c.requires_grad


def test_whole_numbers_are_scaled_before_encoding(images: Cohort):
    trained = method((3, 12, 12))
    torch.testing.assert_close(encode(trained, images.x).c, encode(trained, images.x.float() / 255).c)


def test_a_spoilt_write_leaves_the_last_checkpoint(rows: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(Stop):
        fit(method(), CutAfter(calls=8), rows, SETTINGS, seed=0, folder=tmp_path)
    last = tmp_path / "checkpoints" / "last.ckpt"
    kept = shutil.copy(last, tmp_path / "kept.ckpt")
    monkeypatch.setattr(torch, "save", lambda *args, **kwargs: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        fit(method(), RowViews(), rows, SETTINGS, seed=0, folder=tmp_path)
    assert last.read_bytes() == Path(kept).read_bytes()


def test_batch_statistics_are_learnt_whatever_the_mode_of_the_method(rows: Cohort):
    trained = method().eval()
    fit(trained, RowViews(), rows, SETTINGS, seed=0)
    assert all(buffer.item() > 0 for name, buffer in trained.named_buffers() if name.endswith("num_batches_tracked"))


def test_heads_are_those_of_the_method_in_evaluation_mode(rows: Cohort):
    trained = method()
    codes = encode(trained, rows.x)
    heads = project(trained, codes)
    assert trained.training
    with torch.no_grad():
        expected = trained.eval().project(codes)
    assert torch.equal(heads.c, expected.c)
    assert torch.equal(heads.s, expected.s)


@pytest.mark.parametrize(("crop", "expected"), [(24, "bf16-mixed"), (8, "32-true")])
def test_bfloat16_is_left_alone_where_torch_would_leave_gradients_unset(
    crop: int, expected: str, images: Cohort, monkeypatch: pytest.MonkeyPatch
):
    """Four stages after a stem of stride 2 make one pixel of eight, and then stride over it."""
    used = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.setattr(sys.modules["sepclr.training.fit"], "Trainer", lambda **options: used.append(options["precision"]) or Idle())
    networks = (nets.encoder("resnet10", (3, 12, 12), 4, width=8, stem_stride=2) for _ in range(2))
    fit(SepCLR(*networks, nets.head(4), nets.head(4), (4, 4)), ImageViews(3, crop=crop), images, SETTINGS, seed=0)
    assert used == [expected]


@pytest.mark.parametrize(("side", "expected"), [(40, "bf16-mixed"), (16, "32-true")])
def test_bfloat16_is_left_alone_where_torch_would_spoil_gradients_of_volumes(side: int, expected: str, monkeypatch: pytest.MonkeyPatch):
    """Four stages after a stem of stride 2 make two voxels of sixteen."""
    used = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.setattr(sys.modules["sepclr.training.fit"], "Trainer", lambda **options: used.append(options["precision"]) or Idle())
    networks = (nets.encoder("resnet10", (1, side, side, side), 4, width=8, stem_stride=2) for _ in range(2))
    cohort = Cohort(torch.rand(8, 1, side, side, side), torch.arange(8) % 2 == 0)
    fit(SepCLR(*networks, nets.head(4), nets.head(4), (4, 4)), pixels, cohort, replace(SETTINGS, batch_size=8), seed=0)
    assert used == [expected]


class Idle(Trainer):
    """A trainer that does nothing."""

    def __init__(self) -> None:
        pass

    def fit(self, *args: object, **kwargs: object) -> None:
        pass


@pytest.mark.parametrize(("width", "expected"), [(8, torch.channels_last), (4, torch.contiguous_format)])
def test_channels_last_is_left_alone_where_torch_would_corrupt_memory(width: int, expected: torch.memory_format):
    networks = (nets.encoder("resnet10", (1, 12, 12), 4, width=width) for _ in range(2))
    narrow = SepCLR(*networks, nets.head(4), nets.head(4), (4, 4))
    assert layout(narrow) == expected
    assert by_layout(torch.rand(6, 3, 8, 8), layout(narrow)).is_contiguous(memory_format=expected)


@pytest.mark.parametrize("workers", [0, 1])
def test_samples_in_a_file_train_as_those_in_memory(tmp_path: Path, workers: int):
    volumes = np.random.default_rng(0).uniform(size=(12, 1, 8, 8, 8)).astype(np.float16)
    np.save(tmp_path / "x.npy", volumes)
    is_target = torch.arange(12) % 2 == 0
    codes = []
    for x in (torch.from_numpy(volumes), VolumeCache(tmp_path / "x.npy")):
        torch.manual_seed(0)
        method = SepCLR(*[nets.encoder("resnet8", (1, 8, 8, 8), 4, width=8) for _ in range(2)], nets.head(4), nets.head(4), (4, 4))
        settings = Settings(2, 8, 1e-3, "constant", precision="32-true", accelerator="cpu", devices=1, workers=workers)
        fit(method, pixels, Cohort(x, is_target), settings, seed=0)
        codes.append(encode(method, x, batch_size=5).c)
    torch.testing.assert_close(codes[0], codes[1])


def test_volumes_are_encoded_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.modules["sepclr.training.encode"], "AT_ONCE", 3 * 512)
    method = SepCLR(*[nets.encoder("resnet8", (1, 8, 8, 8), 4, width=8) for _ in range(2)], nets.head(4), nets.head(4), (4, 4))
    seen = []
    real = method.encode
    monkeypatch.setattr(method, "encode", lambda x: (seen.append(len(x)), real(x))[1])
    assert len(encode(method, torch.rand(8, 1, 8, 8, 8)).c) == 8
    assert seen == [3, 3, 2]
