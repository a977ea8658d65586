"""Two modalities: the objective as a loop, and what its stages train."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sepclr import Cohort, nets
from sepclr.methods import Modalities
from sepclr.methods.modalities import CrossModal, Weak
from sepclr.parts import FIRST, Settings
from sepclr.runs.trained import probed
from sepclr.training import fit
from sepclr.types import InputError

N = 6


def codes() -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(0)
    names = ("w1", "w2", "c1", "c2", "s1", "s2")
    return {name: nn.functional.normalize(torch.randn(N, 3, generator=draw, dtype=torch.float64)) for name in names}


def plain(**options: object) -> Modalities:
    return Modalities(Weak(nn.Identity()), nn.Identity(), nn.Identity(), **options)


def kernel(a: Tensor, b: Tensor, tau: float) -> float:
    return math.exp(-float((a - b).square().sum()) / (2 * tau))


def aligned(a: Tensor, b: Tensor) -> float:
    return sum(-math.log(kernel(a[i], b[i], 0.5)) for i in range(N)) / N


def spread(z: Tensor) -> float:
    return math.log(sum(kernel(z[i], z[j], 0.5) for i in range(N) for j in range(N) if i != j) / (N * (N - 1)))


def jointly(s: Tensor, z: Tensor) -> float:
    return sum(math.log(sum(kernel(s[i], s[j], 0.5) * kernel(z[i], z[j], 0.1) for j in range(N)) / N) for i in range(N)) / N


def test_the_first_stage_is_alignment_and_uniformity_of_w():
    out = codes()
    expected = aligned(out["w1"], out["w2"]) + (spread(out["w1"]) + spread(out["w2"])) / 2
    assert Weak(nn.Identity()).terms(out, torch.ones(N, dtype=torch.bool))["common"].item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("apart_from", ["w", "c"])
def test_the_second_stage_is_the_formula_as_a_loop(apart_from: str):
    out = codes()
    terms = plain(apart_from=apart_from).terms(out, torch.ones(N, dtype=torch.bool))
    common = sum(aligned(out[f"w{v}"], out[f"c{v}"]) + spread(out[f"c{v}"]) for v in (1, 2)) / 2
    salient = aligned(out["s1"], out["s2"]) + (spread(out["s1"]) + spread(out["s2"])) / 2
    independence = sum(jointly(out[f"s{v}"], out[f"{apart_from}{v}"]) for v in (1, 2)) / 2
    for name, value in {"common": common, "salient": salient, "independence": independence}.items():
        assert terms[name].item() == pytest.approx(value, rel=1e-6)


def test_together_w_and_c_are_contrasted():
    out = codes()

    def contrasted(a: Tensor, b: Tensor) -> float:
        both = torch.cat([a, b])
        rows = [math.log(sum(math.exp(float(both[i] @ both[j]) / 0.2) for j in range(2 * N) if j != i)) for i in range(2 * N)]
        return sum(rows) / (2 * N) - sum(float(a[i] @ b[i]) / 0.2 for i in range(N)) / N

    expected = sum(contrasted(out[f"w{v}"], out[f"c{v}"]) for v in (1, 2)) / 2
    assert plain(stages="together").terms(out, torch.ones(N, dtype=torch.bool))["common"].item() == pytest.approx(expected, rel=1e-6)
    assert CrossModal(Weak(nn.Identity()), nn.Identity()).terms(out, torch.ones(N, dtype=torch.bool))["common"].item() == pytest.approx(
        expected, rel=1e-6
    )


@pytest.mark.parametrize(("options", "moved"), [({}, "s"), ({"moves": "both"}, "sc"), ({"apart_from": "w"}, "s")])
def test_k_jem_moves_the_codes_that_it_should(options: dict[str, str], moved: str):
    out = {name: value.requires_grad_() for name, value in codes().items()}
    plain(**options).terms(out, torch.ones(N, dtype=torch.bool))["independence"].backward()
    assert {name for name, value in out.items() if value.grad is not None} == {f"{name}{view}" for name in moved for view in (1, 2)}
    assert all(value.grad is None or value.grad.abs().max() > 0 for value in out.values())


@pytest.mark.parametrize(
    ("option", "value"), [("independence", "mmd"), ("stages", "weak"), ("apart_from", "both"), ("moves", "c"), ("temperature", 0.0)]
)
def test_options_that_cannot_be_used_are_named(option: str, value: object):
    with pytest.raises(InputError, match=option):
        plain(**{option: value})


def cohort() -> Cohort:
    draw = torch.Generator().manual_seed(0)
    x, weak = torch.randn(40, 6, generator=draw), torch.randn(40, 4, generator=draw)
    return Cohort(x, torch.ones(40, dtype=torch.bool), extra={"weak": weak})


def method() -> Modalities:
    torch.manual_seed(0)
    return Modalities(
        Weak(nets.encoder("mlp", (4,), 3, width=8)), nets.encoder("mlp", (6,), 3, width=8), nets.encoder("mlp", (6,), 2, width=8)
    )


SETTINGS = Settings(3, 10, 1e-2, accelerator="cpu", devices=1)


def noisy(x: Tensor) -> Tensor:
    return x + 0.1 * torch.randn_like(x)


def test_the_first_stage_trains_the_weak_encoder_alone_and_the_second_leaves_it_as_it_is(tmp_path: Path):
    alone, whole, before = method(), method(), method()
    fit(alone.other, noisy, Cohort(cohort().extra["weak"], torch.ones(40, dtype=torch.bool)), SETTINGS, seed=0)
    fit(whole, noisy, cohort(), SETTINGS, seed=0, folder=tmp_path)
    for name, value in whole.other.state_dict().items():
        assert torch.equal(value, alone.other.state_dict()[name]), name  # weights, and statistics of batch normalisation
    for part in ("common", "salient"):
        pairs = zip(getattr(whole, part).parameters(), getattr(before, part).parameters(), strict=True)
        assert all((one - two).abs().max() > 0 for one, two in pairs)
    assert (tmp_path / FIRST / "metrics.jsonl").read_text().count("\n") == (tmp_path / "metrics.jsonl").read_text().count("\n") == 3


@pytest.mark.parametrize("stage", [FIRST, ""])
def test_a_run_that_ends_in_either_stage_resumes_to_the_same_weights(tmp_path: Path, stage: str, monkeypatch: pytest.MonkeyPatch):
    whole, cut = method(), method()
    fit(whole, noisy, cohort(), SETTINGS, seed=0)

    class Stop(Exception):
        pass

    from sepclr.training.module import Training

    end = Training.on_train_epoch_end
    ended: list[int] = []

    def stopping(self: Training) -> None:
        ended.append(self.current_epoch)
        if len(ended) == (2 if stage else 5):  # in the second epoch of a stage, of which the first is stored
            raise Stop
        end(self)

    monkeypatch.setattr(Training, "on_train_epoch_end", stopping)
    with pytest.raises(Stop):
        fit(cut, noisy, cohort(), SETTINGS, seed=0, folder=tmp_path)
    monkeypatch.setattr(Training, "on_train_epoch_end", end)
    again = method()
    fit(again, noisy, cohort(), SETTINGS, seed=0, folder=tmp_path)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


@pytest.mark.parametrize("kind", ["modalities", "simclr-modalities"])
def test_a_probe_of_w_is_used_on_c(kind: str):
    made = method() if kind == "modalities" else CrossModal(method().other, method().common)
    fitted, read = (probed(made.eval(), cohort(), fitted=value).spaces for value in (True, False))
    with torch.no_grad():
        w, c = made.other.encode(cohort().extra["weak"]).c.numpy(), made.encode(cohort().x).c.numpy()
    for spaces, crossed in ((fitted, w), (read, c)):
        np.testing.assert_allclose(spaces["w_to_c"], crossed, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(spaces["w"], w, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(spaces["c"], c, rtol=1e-5, atol=1e-6)
    assert np.abs(w - c).max() > 0.1
