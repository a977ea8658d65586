"""The loss of several processes is the loss of one on all samples: values, gradients and trained weights, with real processes."""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from sepclr import nets
from sepclr.data import Cohort
from sepclr.losses import INDEPENDENCE
from sepclr.methods import CVAE, ConVAE, Decorrelated, MMcVAE, SepCLR, SepCLRWeights, SepVAE, SimCLR
from sepclr.methods import variational as variational_module
from sepclr.methods.modalities import Modalities, Weak
from sepclr.methods.several import several
from sepclr.training import Settings, encode, fit
from sepclr.training.checkpoints import Checkpoints
from sepclr.training.fit import _records
from sepclr.training.gather import gathered, in_order, on_the_whole, share
from sepclr.types import Batch, HasCritic, HasSteering

FEATURES, EACH = 6, 8
TARGETS_OF_RANK = (6, 1, 3)
"""Very different numbers, and more than one process could draw from any other."""


def method(independence: str, norm: nets.Norm = "group", free_of: int = 0) -> SepCLR:
    torch.manual_seed(0)
    return SepCLR(
        nets.encoder("mlp", (FEATURES,), 5, width=8, norm=norm),
        nets.encoder("mlp", (FEATURES,), 4, width=8, norm=norm),
        nets.head(5, norm=norm),
        nets.head(4, norm=norm),
        (5, 4),
        independence=independence,
        weights=SepCLRWeights(salient=2.0, information_less=3.0, independence=10.0),
        free_of=free_of,
    ).double()


def decorrelated(free_of: int = 0) -> Decorrelated:
    torch.manual_seed(0)
    return Decorrelated(
        nets.encoder("mlp", (FEATURES,), 5, width=8, norm="group"),
        nets.encoder("mlp", (FEATURES,), 4, width=8, norm="group"),
        nets.head(5, norm="group"),
        nets.head(4, norm="group"),
        (nets.standardise(5, norm="group"), nets.standardise(4, norm="group")),
        (5, 4),
        neighbours=3,
        free_of=free_of,
    ).double()


def modalities() -> Modalities:
    torch.manual_seed(0)
    weak, common, salient = (nets.encoder("mlp", (FEATURES,), dim, width=8, norm="group") for dim in (5, 5, 4))
    return Modalities(Weak(weak), common, salient, stages="together").double()


def variational(make: Callable[..., Any]) -> Any:
    torch.manual_seed(0)
    networks = nets.encoder("mlp", (FEATURES,), 10, width=8, norm="group"), nets.encoder("mlp", (FEATURES,), 8, width=8, norm="group")
    return make(*networks, nets.decoder((FEATURES,), 9, width=8)).double()


def simclr(group: str) -> Any:
    torch.manual_seed(0)
    return SimCLR(nets.encoder("mlp", (FEATURES,), 5, width=8, norm="group"), nets.head(5, norm="group"), group=group).double()


METHODS: dict[str, Callable[[], Any]] = {name: partial(method, name) for name in INDEPENDENCE} | {
    "k-jem, free of an attribute": partial(method, "k-jem", free_of=2),
    "decorrelated": decorrelated,
    "decorrelated, free of an attribute": partial(decorrelated, free_of=2),
    "decorrelated, two target groups": lambda: several([decorrelated(), decorrelated()]),
    "tc, two target groups": lambda: several([method("tc"), method("tc")]),
    "modalities": modalities,
    "cvae": partial(variational, partial(CVAE, dims=(5, 4))),
    "cvae released": partial(variational, partial(CVAE, dims=(5, 4), fidelity="released")),
    "convae": partial(variational, partial(ConVAE, dims=(5, 4))),
    "mm-cvae": partial(variational, MMcVAE),
    "sepvae": partial(variational, partial(SepVAE, dims=(5, 4))),
    "simclr": partial(simclr, "all"),
    "simclr-target": partial(simclr, "target"),
}


def without_noise(mean: Tensor, log_variance: Tensor) -> Tensor:
    """In place of a sample: every process draws its own noise, one process could not draw the same."""
    return mean + (log_variance / 2).exp()


def batch(ranks: list[int]) -> tuple[Batch, Batch]:
    """Two views of the samples of some ranks, one rank after the other."""
    is_target = torch.cat([torch.arange(EACH) < TARGETS_OF_RANK[rank] for rank in ranks])
    x = torch.cat([torch.randn(2, EACH, FEATURES, generator=torch.Generator().manual_seed(rank), dtype=torch.float64) for rank in ranks], 1)
    extra = {"free_of": torch.cat([torch.arange(EACH) % 3 - 1 for _ in ranks])}
    extra["target_group"] = torch.where(is_target, torch.cat([(torch.arange(EACH) + rank) % 2 for rank in ranks]), -1)
    return Batch(x[0], is_target, extra | {"weak": x[1]}), Batch(x[1], is_target, extra | {"weak": x[0]})


def critic_of(method: Any) -> Sequence[nn.Parameter]:
    return method.critic_parameters() if isinstance(method, HasCritic) else []


class Outputs(nn.Module):
    """What DistributedDataParallel wraps: as in training, all but the critic."""

    def __init__(self, method: Any) -> None:
        super().__init__()
        self.method = method
        critic = {id(value) for value in critic_of(method)}
        self._ddp_params_and_buffers_to_ignore = [name for name, value in self.named_parameters() if id(value) in critic]

    def forward(self, one: Batch, two: Batch) -> dict[str, Tensor]:
        return self.method.outputs(one, two)


def losses_and_gradients(trained: Any, network: nn.Module, one: Batch, two: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    own = network(one, two)
    out = {name: gathered(value) for name, value in own.items()}
    is_target = gathered(one.is_target)
    if isinstance(trained, HasSteering):
        for name, change in trained.steering({name: value.detach() for name, value in out.items()}, is_target).gradients.items():
            own[name].register_hook(partial(on_the_whole, change))
    torch.manual_seed(1)  # what a loss draws
    terms = trained.terms(out, is_target)
    weights = asdict(trained.weights)
    sum(weights[name] * term for name, term in terms.items()).backward()
    if critic_of(trained):
        terms["critic"] = trained.critic_loss({name: value.detach() for name, value in out.items()}, is_target)
        terms["critic"].backward()
    return {name: term.detach() for name, term in terms.items()}, {name: value.grad for name, value in trained.named_parameters()}


def processes(work: Callable[..., Any], arguments: tuple[Any, ...], world: int) -> None:
    """Run work(rank, *arguments) in ``world`` processes, forked from one that has imported all that takes seconds."""
    multiprocessing.set_forkserver_preload(["sepclr.training", "sepclr.methods"])
    mp.start_processes(work, arguments, nprocs=world, start_method="forkserver")


def joined(rank: int, world: int, folder: Path, work: Callable[[int, int, Path], Any]) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=world)
    try:
        torch.save(work(rank, world, folder), folder / f"{rank}.pt")
    finally:
        dist.destroy_process_group()


def together(world: int, folder: Path, work: Callable[[int, int, Path], Any]) -> list[Any]:
    """What each of ``world`` processes makes of some work."""
    processes(joined, (world, folder, work), world)
    return [torch.load(folder / f"{rank}.pt") for rank in range(world)]


def every_loss(rank: int, world: int, folder: Path) -> dict[str, Any]:
    found = {}
    variational_module._sample = without_noise
    for name, build in METHODS.items():
        mine = build()
        found[name] = losses_and_gradients(mine, DistributedDataParallel(Outputs(mine)), *batch([rank]))
    return found


def relative(value: Tensor, expected: Tensor) -> float:
    return float((value - expected).norm() / expected.norm().clamp_min(1e-12))


@pytest.mark.parametrize("world", [1, 2, 3])
def test_every_term_and_gradient_is_that_of_one_process_on_all_samples(world: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(variational_module, "_sample", without_noise)
    found = together(world, tmp_path, every_loss)
    for name, build in METHODS.items():
        alone = build()
        terms, gradients = losses_and_gradients(alone, Outputs(alone), *batch(list(range(world))))
        for rank in range(world):
            theirs, their_gradients = found[rank][name]
            assert set(theirs) == set(terms)
            for term, value in terms.items():
                assert relative(theirs[term], value) <= 1e-12, (name, term)
            for parameter, gradient in gradients.items():
                assert gradient is None or relative(their_gradients[parameter], gradient) <= 1e-6, (name, parameter)


class Same(nn.Module):
    """No randomness: both views are the sample."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def cohort() -> Cohort:
    draw = torch.Generator().manual_seed(3)
    return Cohort(torch.randn(48, FEATURES, generator=draw, dtype=torch.float64), torch.arange(48) % 3 == 0)


TRAINED: dict[str, Callable[[], nn.Module]] = {name: partial(method, name) for name in ("k-jem", "vclub-sym")} | {
    "decorrelated": decorrelated
}


def trained(name: str) -> dict[str, Tensor]:
    mine = TRAINED[name]()
    settings = Settings(3, 24, 1e-3, devices=1, accelerator="cpu", precision="64-true", nodes=int(os.environ.get("WORLD_SIZE", "1")))
    fit(mine, Same(), cohort(), settings, seed=0)
    return {name: value.detach().clone() for name, value in mine.state_dict().items()}


def meet(rank: int, world: int, folder: Path) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": "0",
        "GROUP_RANK": str(rank),
        "WORLD_SIZE": str(world),
        "LOCAL_WORLD_SIZE": "1",
        "MASTER_ADDR": "127.0.0.1",
        "TORCHELASTIC_RUN_ID": "test",
        "TORCHELASTIC_RESTART_COUNT": "0",
    }
    torch.set_num_threads(1)
    for k, name in enumerate(TRAINED):
        os.environ["MASTER_PORT"] = str(int((folder / "port").read_text()) + k)
        torch.save(trained(name), folder / f"{name}-{rank}.pt")


def free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_training_in_two_processes_gives_the_weights_of_one(tmp_path: Path):
    (tmp_path / "port").write_text(str(free_port()))
    processes(meet, (2, tmp_path), 2)
    for name, build in TRAINED.items():
        expected = trained(name)
        before = build().state_dict()
        for rank in range(2):
            weights = torch.load(tmp_path / f"{name}-{rank}.pt")
            for parameter, value in expected.items():
                assert relative(weights[parameter], value) <= 1e-6, (name, rank, parameter)
        assert any(not torch.equal(expected[parameter], before[parameter]) for parameter in before)


def codes_of_all(rank: int, world: int, folder: Path) -> list[Tensor]:
    return [codes for n in (1, 7, 48) for codes in encode(method("none"), cohort().x[:n])]


def test_codes_come_back_in_order_none_missing_or_doubled(tmp_path: Path):
    expected = codes_of_all(0, 1, tmp_path)
    for theirs in together(3, tmp_path, codes_of_all):
        for mine, others in zip(expected, theirs, strict=True):
            torch.testing.assert_close(others, mine, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("length", [1, 5, 6, 10])
def test_shares_of_one_process_are_everything(length: int):
    assert share(length) == slice(0, length)
    assert torch.equal(in_order(torch.arange(length), length), torch.arange(length))


RUN = [sys.executable, "-m", "sepclr.cli", "fit", "marked-digits", "--encoder", "cnn3", "--width", "8", "--norm", "group"]
SHORT = [*RUN, "--max_epochs", "1", "--batch_size", "1000", "--accelerator", "cpu"]


def finished(folder: Path) -> dict[str, Any]:
    assert (folder / "report.html").is_file()
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 1
    load_file(folder / "model.safetensors")
    return json.loads((folder / "results.jsonl").read_text().splitlines()[0])


def environment() -> dict[str, str]:
    return {**copy.copy(os.environ), "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
def test_the_command_line_trains_on_two_devices(tmp_path: Path):
    ended = subprocess.run(
        [*SHORT, "--devices", "2", "--out", str(tmp_path / "run")], env=environment(), capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert finished(tmp_path / "run")["recipe"]["training"]["devices"] == "2"
    assert ended.stdout.count("report: ") == 1


@pytest.mark.parametrize("first", [True, False])
def test_only_the_first_process_makes_folders(first: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys.modules["sepclr.training.fit"], "is_first", lambda: first)  # the package has a function of this name
    _records(Checkpoints(tmp_path / "run" / "checkpoints"))
    assert (tmp_path / "run").exists() == first


@pytest.mark.slow
def test_torchrun_trains_on_two_nodes(tmp_path: Path):
    port = free_port()
    nodes = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc_per_node", "1", "--node_rank", str(rank)),
                *("--master_addr", "127.0.0.1", "--master_port", str(port), "-m"),
                *(*SHORT[2:], "--devices", "1", "--nodes", "2", "--out", str(tmp_path / "run")),
            ],
            env=environment(),
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for node in nodes:
        _, said = node.communicate(timeout=300)
        assert node.returncode == 0, said
    assert finished(tmp_path / "run")["recipe"]["training"]["nodes"] == 2
