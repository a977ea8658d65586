"""The training step of every method: two views, the method's outputs, weights × terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from time import perf_counter
from typing import Any, cast

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn

from sepclr.data import Batches, Cohort
from sepclr.types import Batch, Method, Outputs, Scalar


class Training(LightningModule):
    """What Lightning drives.

    Args:
        method: any method, a ``torch.nn.Module``.
        views: draws a random view of each sample of a batch.
        cohort: the training samples; they move to the device once.
        batch_size: samples a step, over all processes.
        learning_rate: Adam's step size.
        schedule: ``constant``, or ``cosine`` with a linear warm-up over the first tenth of the steps.
        seed: of batches and views; each epoch starts from its own, so that a resumed run equals one that was never cut.
    """

    def __init__(
        self,
        method: Method,
        views: Callable[[Tensor], Tensor],
        cohort: Cohort,
        *,
        batch_size: int,
        learning_rate: float,
        schedule: str,
        seed: int,
    ) -> None:
        super().__init__()
        self.method = method
        self.layout = layout(method)
        self.views = views
        self.cohort = cohort
        self.batch_size, self.learning_rate, self.schedule, self.seed = batch_size, learning_rate, schedule, seed

    def on_fit_start(self) -> None:
        """Move the samples to the device."""
        device = cast(torch.device, self.device)
        self.cohort = replace(self.cohort, x=self.cohort.x.to(device), is_target=self.cohort.is_target.to(device))

    def train_dataloader(self) -> Batches:
        """Draw the batches of the epoch that begins."""
        return Batches(
            self.cohort,
            self.batch_size,
            seed=self.seed,
            epoch=self.current_epoch,
            rank=self.trainer.global_rank,
            world_size=self.trainer.world_size,
        )

    def on_train_epoch_start(self) -> None:
        """Seed the views of this epoch, differently on every process."""
        epoch_seed = np.random.SeedSequence([self.seed, self.current_epoch, self.trainer.global_rank]).generate_state(1)[0]
        torch.manual_seed(int(epoch_seed))
        self.epoch_began = perf_counter()

    def on_train_epoch_end(self) -> None:
        """Log how long the epoch took."""
        self.log("seconds", perf_counter() - self.epoch_began)

    def training_step(self, batch: Batch) -> Scalar:
        """Sum weights × terms on the batch of all processes."""
        one, two = (Batch(by_layout(self.views(batch.x), self.layout), batch.is_target) for _ in range(2))
        out = self._gathered(self.method.outputs(one, two))
        is_target = self._gathered({"is_target": batch.is_target})["is_target"]
        with torch.autocast(batch.x.device.type, enabled=False):  # losses run in float32 whatever the networks do
            terms = self.method.terms(out, is_target)
        weights = asdict(cast(Any, self.method.weights))
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        self.log_dict(terms, prog_bar=True, on_step=False, on_epoch=True, batch_size=len(is_target))
        self.log("loss", loss, prog_bar=True, on_step=False, on_epoch=True, batch_size=len(is_target))
        return loss

    def _gathered(self, out: Outputs) -> Outputs:
        """Join the samples of all processes, with gradient: every process computes the loss of the whole batch.

        The gradient that flows back is the sum over processes, and DDP averages parameters' gradients: together they give exactly the
        gradient on the whole batch.
        """
        if self.trainer.world_size == 1:
            return out
        return {name: cast(Tensor, self.all_gather(value, sync_grads=True)).flatten(0, 1) for name, value in out.items()}

    def configure_optimizers(self) -> Any:
        """Set up Adam and its schedule."""
        optimiser = torch.optim.Adam(cast(nn.Module, self.method).parameters(), lr=self.learning_rate)
        if self.schedule == "constant":
            return optimiser
        steps = int(self.trainer.estimated_stepping_batches)
        cosine = torch.optim.lr_scheduler.OneCycleLR(optimiser, self.learning_rate, total_steps=max(steps, 2), pct_start=0.1)
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": cosine, "interval": "step"}}


def by_layout(x: Tensor, images: torch.memory_format) -> Tensor:
    """Store images in a layout, that in which the method computes; leave other samples as they are."""
    return x.contiguous(memory_format=images) if x.ndim == 4 else x


def layout(method: Method) -> torch.memory_format:
    """Choose channels last, in which 2-D convolutions run fastest, where it is safe.

    With fewer than 8 channels, torch 2.13 on a CPU writes past the end of a buffer in the backward pass of a channels-last convolution.
    """
    convolutions = [module for module in cast(nn.Module, method).modules() if isinstance(module, nn.Conv2d)]
    safe = all(convolution.out_channels % 8 == 0 for convolution in convolutions)
    return torch.channels_last if safe else torch.contiguous_format
