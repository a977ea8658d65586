from __future__ import annotations

import pytest
import torch

from sepclr.nets import encoder
from sepclr.types import InputError

torch.set_num_threads(1)


@pytest.mark.parametrize("kind", ["resnet8", "resnet18", "densenet121"])
@pytest.mark.parametrize("norm", ["batch", "group"])
def test_gradients_and_running_statistics_are_those_without_it(kind: str, norm: str):
    made = []
    x = torch.rand(3, 1, 32, 32, 32) if kind == "densenet121" else torch.rand(3, 1, 8, 8, 8)
    for checkpointing in (False, True):
        torch.manual_seed(0)
        network = encoder(kind, x.shape[1:], 5, width=16, stem_stride=2, norm=norm, checkpointing=checkpointing)
        network(x).square().sum().backward()
        gradients = [parameter.grad for parameter in network.parameters()]
        buffers = {name.replace(".block", ""): value for name, value in network.named_buffers()}
        made.append((gradients, buffers, network.eval()(x)))
    for one, two in zip(made[0][0], made[1][0], strict=True):
        torch.testing.assert_close(one, two)
    assert made[0][1].keys() == made[1][1].keys()
    for name, value in made[0][1].items():
        assert torch.equal(value, made[1][1][name]), name
    torch.testing.assert_close(made[0][2], made[1][2])


def test_less_is_kept_for_the_gradient():
    x = torch.rand(2, 1, 24, 24, 24)
    kept = []
    for checkpointing in (False, True):
        held = 0

        def hold(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal held
            held += tensor.numel()
            return tensor

        network = encoder("resnet18", (1, 24, 24, 24), 5, width=8, stem_stride=2, checkpointing=checkpointing)
        with torch.autograd.graph.saved_tensors_hooks(hold, lambda tensor: tensor):
            network(x)
        kept.append(held)
    assert kept[1] < 0.6 * kept[0]


@pytest.mark.parametrize(
    ("kind", "given", "named"),
    [
        ("conv", {"checkpointing": True}, "checkpointing: unnecessary for encoder 'conv'"),
        ("cnn3", {"checkpointing": True}, "checkpointing: unnecessary for encoder 'cnn3'"),
        ("densenet121", {}, "stem_stride: 1, but densenet121 has a stem of stride 2"),
        ("densenet121", {"stem_stride": 2, "width": 8, "norm": "group"}, "width: 8 is not a multiple of 16"),
    ],
)
def test_what_a_kind_does_not_have_is_named(kind: str, given: dict, named: str):
    with pytest.raises(InputError, match=named):
        encoder(kind, (1, 16, 16, 16), 4, **given)
