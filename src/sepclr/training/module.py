"""The training step of every method: views, the method's outputs, steps of a critic if there is one, and the weighted sum of terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from itertools import islice
from time import perf_counter
from typing import Any, cast

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sepclr.data import Batches, Cohort, Stream
from sepclr.training.finite import Finite, all_finite
from sepclr.training.gather import gathered, on_the_whole
from sepclr.types import Batch, HasCritic, HasDraws, HasFurtherViews, HasProgress, HasSteering, InputError, Method, Outputs

SHOWN = 8
"""Number of samples that an error names."""

VIEWS, LOSS = 1, 2
"""Purposes of torch's random numbers: each has its own seeds, so that views and losses never draw the same numbers."""


class Training(LightningModule):
    """Lightning module that trains a method.

    Args:
        method: any method, a ``torch.nn.Module``.
        views: draws a random view of each sample of a batch.
        cohort: the training samples; moved to the device once or, if they are read on access, batch by batch.
        batch_size: samples per step, over all processes.
        learning_rate: Adam's step size.
        schedule: ``constant``, or ``cosine``: a linear warm-up over the first tenth of the steps, then half a cosine to 0. A critic's
            step size is constant.
        seed: random seed of batches and views; each epoch has its own, so that a resumed run equals an uninterrupted one.
        workers: number of processes that read samples on access.
    """

    def __init__(
        self,
        method: Method,
        views: Callable[[Tensor], Tensor],
        cohort: Cohort | Stream,
        *,
        batch_size: int,
        learning_rate: float,
        schedule: str,
        seed: int,
        workers: int = 0,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False  # a critic and the rest are stepped in turn
        self.method = method
        self.critic = list(method.critic_parameters()) if isinstance(method, HasCritic) else []
        # Every process steps the critic on the samples of all, so its gradients are equal without averaging.
        adversary = {id(parameter) for parameter in self.critic}
        self._ddp_params_and_buffers_to_ignore = [name for name, value in self.named_parameters() if id(value) in adversary]
        self.layout = layout(method)
        self.views = views
        self.cohort = cohort
        self.batch_size, self.learning_rate, self.schedule, self.seed = batch_size, learning_rate, schedule, seed
        self.workers = workers
        self.finite = Finite()

    def on_fit_start(self) -> None:
        """Move the samples to the device, unless they are read on access."""
        if isinstance(self.cohort, Stream) or not isinstance(self.cohort.x, Tensor):
            return  # too large for that: batches are moved one at a time
        device = cast(torch.device, self.device)
        extra = {name: more.to(device) for name, more in self.cohort.extra.items()}
        self.cohort = replace(self.cohort, x=self.cohort.x.to(device), is_target=self.cohort.is_target.to(device), extra=extra)

    def train_dataloader(self) -> Batches | Stream | DataLoader[Batch]:
        """Return the batches of the epoch that begins."""
        if isinstance(self.cohort, Stream):
            return self.cohort
        batches = self._batches(self.cohort, self.trainer.global_rank)
        if isinstance(self.cohort.x, Tensor):
            return batches
        on_gpu = cast(torch.device, self.device).type == "cuda"
        order = cast(Any, list(batches.indices()))  # each entry is a whole batch
        # Its own generator: drawing from the global one would give other views than for samples in memory.
        own = torch.Generator().manual_seed(_seed(VIEWS, self.seed, self.current_epoch))
        return DataLoader(cast(Any, batches), batch_size=None, sampler=order, num_workers=self.workers, pin_memory=on_gpu, generator=own)

    def _batches(self, cohort: Cohort, rank: int) -> Batches:
        how = {"seed": self.seed, "epoch": self.current_epoch, "rank": rank, "world_size": self.trainer.world_size}
        return Batches(cohort, self.batch_size, **how, evened=evened(self.method))

    def on_train_epoch_start(self) -> None:
        """Seed the views of this epoch, differently on every process."""
        torch.manual_seed(_seed(VIEWS, self.seed, self.current_epoch, self.trainer.global_rank))
        self.epoch_began = perf_counter()

    def on_train_epoch_end(self) -> None:
        """Log the duration of the epoch, including work that is still queued on a GPU.

        Raises:
            InputError: if a term or a parameter is not finite; the epoch leaves no checkpoint and no metrics then.
        """
        self._check_finite(self.finite.look())
        if not all_finite(cast(nn.Module, self.method).parameters()):  # after its last step
            self._check_finite(("parameters", self.steps_of_epoch - 1))
        device = cast(torch.device, self.device)
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # once an epoch
        self.log("seconds", perf_counter() - self.epoch_began)

    def training_step(self, batch: Batch, index: int) -> None:
        """Step the critic, if any, then the rest on the weighted sum of terms, both on the batch of all processes."""
        if isinstance(self.method, HasProgress):
            self.method.advance(self.global_step / int(self.trainer.estimated_stepping_batches))
        number = 1 + (self.method.further_views if isinstance(self.method, HasFurtherViews) else 1)
        views = [Batch(self._view(batch.x), batch.is_target, self._views_of(batch.extra)) for _ in range(number)]
        own = self.method.outputs(*views)
        out = {name: gathered(value) for name, value in own.items()}
        is_target = gathered(batch.is_target)
        # Losses draw the same random numbers on every process, and do not affect those of views.
        drawn_on = [batch.x.device] if batch.x.is_cuda else []
        with torch.random.fork_rng(devices=drawn_on), torch.autocast(batch.x.device.type, enabled=False):
            torch.manual_seed(_seed(LOSS, self.seed, self.current_epoch, index))
            logged = self._critic_turns(out, is_target) | self._steer(own, out, is_target)
            terms = self.method.terms(out, is_target)
        weights = asdict(cast(Any, self.method.weights))
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        optimiser = _listed(self.optimizers())[0]
        optimiser.zero_grad()
        self.manual_backward(loss)
        optimiser.step()
        for schedule in _listed(self.lr_schedulers()):
            schedule.step()
        for name, value in {**terms, **logged, "loss": loss}.items():
            self.log(name, value.detach(), prog_bar=True, on_step=False, on_epoch=True, batch_size=len(is_target))
        self.steps_of_epoch = index + 1
        self._check_finite(self.finite.note(index, {**terms, "loss": loss}))

    def _check_finite(self, found: tuple[str, int] | None) -> None:
        """Raise InputError if a term is not finite, with the step and its samples."""
        if found is None:
            return
        name, step = found
        samples = ""
        if isinstance(self.cohort, Cohort):
            parts = [next(islice(self._batches(self.cohort, rank).indices(), step, None)) for rank in range(self.trainer.world_size)]
            batch = np.concatenate(parts).tolist()
            samples = f" with training samples {', '.join(map(str, batch[:SHOWN]))}{', …' if len(batch) > SHOWN else ''}"
        kept = f"the last checkpoint is of epoch {self.current_epoch}; " if self.trainer.checkpoint_callbacks and self.current_epoch else ""
        raise InputError(
            f"{name}: not finite at step {step + 1} of epoch {self.current_epoch + 1}{samples}; {kept}"
            "look at these samples, or train again with a lower learning rate"
        )

    def _view(self, x: Tensor) -> Tensor:
        return by_layout(self.views(x), self.layout)

    def _views_of(self, extra: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Draw a view of each further modality; classes are left as they are."""
        return {name: self._view(more) if more.ndim > 1 else more for name, more in extra.items()}

    def _steer(self, own: Outputs, out: Outputs, is_target: Tensor) -> dict[str, Tensor]:
        """Register the method's changes to the gradients of its outputs, if any, and return what to log."""
        if not isinstance(self.method, HasSteering):
            return {}
        steering = self.method.steering({name: value.detach() for name, value in out.items()}, is_target)
        for name, change in steering.gradients.items():
            own[name].register_hook(partial(on_the_whole, change))  # type: ignore[no-untyped-call]
        return dict(steering.logged)

    def _critic_turns(self, out: Outputs, is_target: Tensor) -> dict[str, Tensor]:
        """Step the critic on outputs without gradient, and return its last loss by name, for the log."""
        if not self.critic:
            return {}
        method = cast(HasCritic, self.method)
        held = {name: value.detach() for name, value in out.items()}
        optimiser = _listed(self.optimizers())[1].optimizer  # unwrapped: losses are in float32 and need no scaler
        loss = torch.zeros(())
        for _ in range(method.critic_steps):
            optimiser.zero_grad()
            loss = method.critic_loss(held, is_target)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        return {"critic": loss}

    def configure_optimizers(self) -> Any:
        """Return Adam for the method and for its critic, if any, and the schedule of the former."""
        adversary = {id(parameter) for parameter in self.critic}
        free = (parameter for parameter in cast(nn.Module, self.method).parameters() if parameter.requires_grad)
        others = [parameter for parameter in free if id(parameter) not in adversary]
        # Fused on a GPU: one kernel for all parameters. Not on a CPU, to reproduce the numbers in results/.
        optimisers = [torch.optim.Adam(others, lr=self.learning_rate, fused=others[0].is_cuda)]
        if self.critic:
            optimisers.append(torch.optim.Adam(self.critic, lr=cast(HasCritic, self.method).critic_learning_rate))
        if self.schedule == "constant":
            return optimisers
        return optimisers, [warm_up_and_cosine(optimisers[0], int(self.trainer.estimated_stepping_batches))]


def evened(method: Method) -> Sequence[str] | None:
    """Return how batches of a method are drawn, see ``Batches``: None for batches of background and target."""
    return method.evened if isinstance(method, HasDraws) else None


def warm_up_and_cosine(optimiser: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.SequentialLR:
    """Return a schedule that raises the step size linearly over the first tenth of the steps, then lowers it to 0 by half a cosine."""
    rising = max(steps // 10, 1)
    warm_up = torch.optim.lr_scheduler.LinearLR(optimiser, 1 / (rising + 1), total_iters=rising)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps - rising, 1))
    return torch.optim.lr_scheduler.SequentialLR(optimiser, [warm_up, cosine], [rising])


def _seed(drawn: int, *counts: int) -> int:
    """Derive a seed for views or losses from the run's seed and further counts."""
    return int(np.random.SeedSequence(counts, spawn_key=(drawn,)).generate_state(1)[0])


def _listed(several: Any) -> list[Any]:
    """Return a list in every case: Lightning returns a single object alone, and None for no object."""
    return several if isinstance(several, list) else [] if several is None else [several]


def by_layout(x: Tensor, images: torch.memory_format) -> Tensor:
    """Return images or volumes in a memory layout, and other samples unchanged."""
    return x.contiguous(memory_format=images) if x.ndim in (4, 5) else x


def layout(method: Method) -> torch.memory_format:
    """Return the memory layout of a method: channels last, in which convolutions run fastest, where it is safe.

    If the channels are not a multiple of 8, torch 2.13 on a CPU may write past the end of a buffer in the backward pass of a channels-last
    convolution.
    """
    modules = list(cast(nn.Module, method).modules())
    convolutions = [module for module in modules if isinstance(module, nn.Conv2d | nn.Conv3d)]
    if not convolutions or any(convolution.out_channels % 8 for convolution in convolutions):
        return torch.contiguous_format
    volumes = any(isinstance(convolution, nn.Conv3d) for convolution in convolutions)
    return torch.channels_last_3d if volumes else torch.channels_last
