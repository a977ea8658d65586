"""Several target groups: one common code and a salient code for each."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sepclr.data import Cohort
from sepclr.methods import MMcVAE
from sepclr.methods.make import make, make_several
from sepclr.methods.options import METHODS
from sepclr.methods.several import SeveralTargets, several
from sepclr.nets import Networks
from sepclr.probes import Probed, probe
from sepclr.training import Settings, encode, fit, project
from sepclr.types import Batch, HasDecoder, HasHeads, HasSteering, InputError, Method
from sepclr.views import RowViews

ROWS = Networks((6,), "mlp", 16)
GROUP = torch.tensor([-1, 0, 1, -1, 1, 0, -1, 0, 1, 0])
IS_TARGET = GROUP >= 0


def made(name: str, groups: int = 2, networks: Networks = ROWS, **options: Any) -> Any:
    return make_several(METHODS[name].asked({"common_dim": 5, "salient_dim": 4} | options), networks, groups=groups, seed=0)


def views() -> tuple[Batch, Batch]:
    x = torch.randn(10, 6, generator=torch.Generator().manual_seed(0))
    return tuple(Batch(x + shift, IS_TARGET, {"target_group": GROUP}) for shift in (0.0, 0.1))


@pytest.mark.parametrize("name", ["sepclr", "mm-cvae"])
def test_terms_are_the_mean_of_those_of_the_method_on_each_pair(name: str):
    method, expected = made(name), dict[str, list[Tensor]]()
    for group in (0, 1):
        alone, rows = copy.deepcopy(method.pair(group)), ~IS_TARGET | (group == GROUP)
        torch.manual_seed(group)
        out = alone.outputs(*views())
        for term, value in alone.terms({each: z[rows] for each, z in out.items()}, IS_TARGET[rows]).items():
            expected.setdefault(term, []).append(value)
    for group, part in enumerate(method.methods):  # samples of c and s are drawn as above
        outputs = part.outputs
        part.outputs = lambda *batches, group=group, outputs=outputs: (torch.manual_seed(group), outputs(*batches))[1]
    terms = method.terms(method.outputs(*views()), IS_TARGET)
    assert terms.keys() == expected.keys()
    for term, values in expected.items():
        torch.testing.assert_close(terms[term], torch.stack(values).mean())
        assert values[0] != values[1] or term == "independence"


@pytest.mark.parametrize("name", ["sepclr", "sepvae"])
def test_the_common_encoder_runs_once_for_all_groups(name: str):
    method, calls = made(name, 3), []
    method.shared["common"].register_forward_hook(lambda *_: calls.append(1))
    method.outputs(*views())
    codes = method.encode(views()[0].x)
    assert len(calls) == 2
    assert codes.c.shape == (10, 5)
    assert codes.s.shape == (10, 12)


def test_a_pair_is_the_plain_method_and_shares_its_parameters():
    method = made("sepclr").eval()
    x = views()[0].x
    whole = method.encode(x)
    for group in (0, 1):
        alone = method.pair(group)
        assert type(alone) is type(made("sepclr", 1))
        assert alone.common is method.shared["common"]
        assert {*alone.state_dict()} == {*made("sepclr", 1).state_dict()}
        codes = encode(alone, x)
        assert torch.equal(codes.c, whole.c)
        assert torch.equal(codes.s, whole.s[:, 4 * group :][:, :4])
    method.train()
    assert method.pair(0).common.training
    names = [name for name, _ in method.named_parameters()]
    assert len(names) == len({*names}) == len({id(each) for each in method.parameters()})


def test_a_copy_shares_its_own_common_encoder():
    method = made("sepclr").eval()
    x = views()[0].x
    for other in (copy.deepcopy(method), pickle.loads(pickle.dumps(method))):
        with torch.no_grad():
            next(other.shared["common"].parameters()).add_(1.0)
        assert not torch.equal(other.encode(x).c, method.encode(x).c)
        assert torch.equal(other.pair(1).encode(x).c, other.encode(x).c)


def test_only_the_gradients_of_a_pair_are_steered_and_as_by_the_method_alone():
    method, group = made("sepclr"), 1
    out = {name: value.detach() for name, value in method.outputs(*views()).items()}
    rows = ~IS_TARGET | (group == GROUP)
    alone = copy.deepcopy(method.pair(group))
    theirs = alone.steering({name[:-2]: value[rows] for name, value in out.items() if name.endswith("_1")}, IS_TARGET[rows])
    ours = method.steering(out, IS_TARGET)
    assert ours.gradients.keys() == {"h_c_0", "h_s_0", "h_c_1", "h_s_1"}
    gradient = torch.randn(out["h_s_1"].shape)
    changed = ours.gradients["h_s_1"](gradient)
    assert torch.equal(changed[~rows], gradient[~rows])
    torch.testing.assert_close(changed[rows], theirs.gradients["h_s"](gradient[rows]))
    assert not torch.equal(changed[rows], gradient[rows])
    assert ours.logged.keys() == theirs.logged.keys()


@pytest.mark.parametrize("name", ["sepclr", "sepvae"])
def test_interfaces_are_those_of_the_method(name: str):
    method, plain = made(name), made(name, 1)
    assert isinstance(method, Method)
    assert isinstance(method, HasHeads) == isinstance(plain, HasHeads)
    assert not isinstance(method, HasDecoder)  # of which group is not told
    assert isinstance(method.pair(1), HasDecoder) == isinstance(plain, HasDecoder)
    if isinstance(plain, HasHeads):
        heads, alone = method.eval().project(method.encode(views()[0].x)), method.pair(1)
        assert torch.equal(heads.s[:, 4:], alone.project(alone.encode(views()[0].x)).s)
    if not isinstance(plain, HasSteering):
        assert method.steering(method.outputs(*views()), IS_TARGET) == ({}, {})
    assert method.weights == plain.weights


class Counting(MMcVAE):
    """A method that asks for what few do."""

    def __init__(self):
        super().__init__(nn.Linear(6, 10), nn.Linear(6, 8), nn.Linear(9, 6))

    def count(self, extra, is_target):
        self.counted = extra["label"].tolist(), is_target.tolist()

    def advance(self, share):
        self.share = share


def test_counts_are_of_the_pair_and_progress_of_all():
    parts = [Counting(), Counting()]
    method = several(parts)
    method.count({"label": torch.arange(10), "target_group": GROUP}, IS_TARGET)
    assert parts[1].counted == ([0, 2, 3, 4, 6, 8], [False, True, False, True, False, True])
    method.advance(0.5)
    assert [part.share for part in parts] == [0.5, 0.5]


def test_one_group_is_the_plain_method_and_others_are_refused():
    options = METHODS["sepclr"].asked({})
    one, plain = make_several(options, ROWS, groups=1, seed=3), make(options, ROWS, seed=3)
    assert all(torch.equal(*pair) for pair in zip(one.parameters(), plain.parameters(), strict=True))
    first = make_several(options, ROWS, groups=2, seed=3).pair(0).state_dict()
    assert all(torch.equal(first[name], value) for name, value in plain.state_dict().items())
    for name in ("simclr", "contrastive-pca", "debiased"):
        with pytest.raises(InputError, match=f"method: '{name}' takes one target group, not 2; choose cvae"):
            make_several(METHODS[name].asked({}), ROWS, groups=2, seed=0)
    with pytest.raises(InputError, match="target_groups: 0 is not at least 1"):
        make_several(options, ROWS, groups=0, seed=0)


def planted(n: int, seed: int) -> Cohort:
    """Rows of 9 features: three classes in all groups, two in targets of group 0, two others in targets of group 1."""
    draw = np.random.default_rng(seed)
    group = np.arange(n) % 3 - 1
    shared, first, second = draw.integers(3, size=n), draw.integers(2, size=n), draw.integers(2, size=n)
    x = draw.normal(size=(n, 9))
    x[np.arange(n), shared] += 5
    x[np.arange(n), 4 + first] += 5 * (group == 0)
    x[np.arange(n), 7 + second] += 5 * (group == 1)
    told = torch.from_numpy(group)
    attributes = {"shared": shared, "first": first, "second": second}
    return Cohort(torch.from_numpy(x).float(), told >= 0, attributes, extra={"target_group": told})


def scores(method: SeveralTargets, train: Cohort, test: Cohort, group: int) -> dict[tuple[str, str], float]:
    """Balanced accuracies of probes of c, and of the projections of both salient codes, on targets of one group."""

    def probed(cohort: Cohort) -> Probed:
        pair = cohort.pair(group)
        codes = encode(method, pair.x)
        first, second = project(method, codes).s.chunk(2, 1)
        return Probed({"c": codes.c.numpy(), "s_0": first.numpy(), "s_1": second.numpy()}, pair.is_target.numpy(), pair.attributes)

    rows = probe(probed(train), probed(test), encoder="trained")
    return {(row["space"], row["attribute"]): row["score"] for row in rows if row["metric"] == "balanced_accuracy"}


def test_each_salient_code_reads_the_pattern_of_its_group_and_c_the_common_one():
    train, test = planted(900, 0), planted(900, 1)
    method = made("sepclr", 2, Networks((9,), "mlp", 32), independence="k-jem")
    fit(method, RowViews(), train, Settings(20, 300, 3e-3, accelerator="cpu", precision="32-true"), seed=0)
    for group, own in enumerate(("first", "second")):
        found = scores(method, train, test, group)
        assert found["c", "shared"] > 0.9
        assert found[f"s_{group}", own] > 0.95
        # The code of the other group was never asked about these targets: what it holds of their pattern is what its first weights do.
        assert found[f"s_{1 - group}", own] < found[f"s_{group}", own] - 0.2
        assert found["c", own] < found[f"s_{group}", own] - 0.1
