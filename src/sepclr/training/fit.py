"""Train a method with Lightning, and record its progress."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric.plugins.environments import SLURMEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint, RichProgressBar
from torch import Tensor, nn

from sepclr.data import Batches, Cohort, Stream
from sepclr.extras import need_loggers
from sepclr.parts import FIRST, Settings
from sepclr.training.checkpoints import LAST, Checkpoints
from sepclr.training.encode import encode
from sepclr.training.gather import is_first, part, processes
from sepclr.training.loggers import opened
from sepclr.training.module import Training, evened, layout
from sepclr.training.records import EpochLines, JsonLines
from sepclr.training.stopping import Stopping
from sepclr.types import HasCounts, HasModality, InputError, Method


def fit(
    method: Method,
    views: Callable[[Tensor], Tensor],
    cohort: Cohort | Stream,
    settings: Settings,
    *,
    seed: int,
    folder: Path | None = None,
    progress: bool | str = False,
    callbacks: Sequence[Callback] = (),
    noted: Mapping[str, Any] | None = None,
) -> None:
    """Train a method in place; one whose part for another modality comes first trains and freezes that before.

    With several processes, each trains the same method on its part of every batch, and only the first writes files. A process group that
    was opened for training is closed at the end.

    Args:
        method: the method, a ``torch.nn.Module``.
        views: draws a random view of each sample of a batch.
        cohort: the training samples, of both groups, or batches of them, for which ``batch_size`` does not matter.
        settings: training settings.
        seed: random seed of batches and views; torch's global generator is left unchanged.
        folder: folder for ``metrics.jsonl``, the logs that the settings name and ``checkpoints/last.ckpt``; None writes nothing. If it
            has a checkpoint, training resumes from it, or from the one before if it is damaged.
        progress: show a progress bar with the loss terms on a terminal, print a line per epoch elsewhere; a string labels each line and
            replaces the bar.
        callbacks: additional Lightning callbacks; of two stages, for the second.
        noted: hyperparameters to log, such as those of a recipe.

    Raises:
        InputError: if the cohort or the batch size does not allow batches of both groups, the package of a logger is not installed, no
            checkpoint is whole, or a term is not finite.
        Stopped: if a signal asks the process to end, after the current step; not without a folder.
    """
    if isinstance(cohort, Cohort):
        Batches(cohort, settings.batch_size, seed=seed, epoch=0, evened=evened(method))  # raises InputError before anything starts
    if isinstance(method, HasCounts):
        method.count(cohort.extra, cohort.is_target)
    how: dict[str, Any] = {"seed": seed, "progress": progress, "noted": noted or {}}
    if isinstance(cohort, Cohort) and isinstance(method, HasModality) and method.other_first:
        seen = replace(cohort, x=cohort.extra[method.other_sees], extra={})
        # Callbacks belong to the second stage: their state, such as that of early stopping, must not carry over from one to the other.
        _fit(method.other, views, seen, settings, folder=folder / FIRST if folder is not None else None, **how, callbacks=())
        cast(nn.Module, method.other).requires_grad_(False)
    _fit(method, views, cohort, settings, folder=folder, **how, callbacks=callbacks)


def _fit(
    method: Method,
    views: Callable[[Tensor], Tensor],
    cohort: Cohort | Stream,
    settings: Settings,
    *,
    seed: int,
    folder: Path | None,
    progress: bool | str,
    callbacks: Sequence[Callback],
    noted: Mapping[str, Any],
) -> None:
    """Train one stage of a method; see ``fit``."""
    together = processes()  # more than one if the caller opened a process group: then the caller closes it
    cast(nn.Module, method).train()  # Lightning does not change the mode
    if cohort.x.ndim in (4, 5):
        cast(nn.Module, method).to(memory_format=layout(method))  # type: ignore[call-overload]
    training = Training(
        method,
        views,
        cohort,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        schedule=settings.schedule,
        seed=seed,
        workers=settings.workers,
    )
    bar = progress is True and sys.stdout.isatty()
    lines = [EpochLines("" if progress is True else progress)] if progress and not bar else []
    callbacks = [*callbacks, *([_TermsBar(leave=False)] if bar else lines)]
    stopping = Stopping()
    checkpoints = Checkpoints(folder / "checkpoints") if folder is not None else None
    checkpoint = checkpoints.found() if checkpoints is not None else None
    if checkpoints is not None and checkpoints.damaged and is_first():
        print(f"{checkpoints.folder / LAST}: damaged; training resumes from the checkpoint before it")
    accelerator = resolve_accelerator(settings.accelerator)
    precision = precision_of(method, views, cohort, settings)
    listening = stopping.listening() if folder is not None else nullcontext()
    with quiet_lightning(), torch.random.fork_rng(), listening, opened(settings.logger_names, folder, noted) as loggers:
        trainer = _trainer(
            settings,
            precision,
            max_epochs=settings.max_epochs,
            callbacks=[*callbacks, *([*_records(checkpoints), stopping] if checkpoints is not None else [])],
            logger=loggers,
            plugins=[*([checkpoints] if checkpoints is not None else []), *_environments()],
            enable_checkpointing=folder is not None,
            enable_progress_bar=bar,
            log_every_n_steps=1_000_000,  # epoch means are logged; a line per step would cost a synchronisation
            use_distributed_sampler=False,  # Batches selects the samples of each process
            reload_dataloaders_every_n_epochs=1,  # each epoch has its own Batches
            # torch supports it on a GPU only; with a single process it has no effect.
            sync_batchnorm=accelerator == "cuda",
        )
        trainer.fit(training, ckpt_path=checkpoint, weights_only=True)
    if processes() > together:
        part()
    if stopping.asked is not None:
        raise stopping.stopped(f"after epoch {settings.max_epochs} of {settings.max_epochs}")
    if checkpoints is not None and is_first():
        checkpoints.finish()


def _records(checkpoints: Checkpoints) -> list[Callback]:
    """Return what writes the metrics of an epoch, then its checkpoint: with a checkpoint, there are its metrics."""
    if is_first():  # another process may be here before the first has found the folder of the run empty
        checkpoints.folder.mkdir(parents=True, exist_ok=True)
    saving = ModelCheckpoint(checkpoints.folder, Path(LAST).stem, save_on_train_epoch_end=True, enable_version_counter=False)
    return [JsonLines(checkpoints.folder.parent / "metrics.jsonl"), saving]


def _environments() -> list[SLURMEnvironment]:
    """Return that of SLURM, if this is a job of it, without Lightning's own checkpoints within epochs, to the working directory."""
    return [SLURMEnvironment(auto_requeue=False)] if SLURMEnvironment.detect() else []


def resolve_accelerator(accelerator: str) -> str:
    """Return ``cuda`` or ``cpu``; for ``auto``, ``cuda`` if torch finds a GPU.

    Raises:
        InputError: if the accelerator is unknown, or there is no GPU.
    """
    if accelerator == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if accelerator not in ("cpu", "cuda", "gpu"):
        # Some losses compute in float64, which mps does not support.
        raise InputError(f"accelerator: {accelerator!r} cannot be used; choose auto, cpu or cuda")
    if accelerator != "cpu" and not torch.cuda.is_available():
        raise InputError(f"accelerator: {accelerator!r}, but torch finds no GPU with CUDA; choose auto or cpu")
    return "cpu" if accelerator == "cpu" else "cuda"


def check(settings: Settings) -> None:
    """Check that Lightning can use the settings, before anything is written.

    Raises:
        InputError: if the accelerator, devices, strategy or precision cannot be used here, or the package of a logger is not installed.
    """
    need_loggers(settings.logger_names)
    precision = resolve_precision(settings.precision, resolve_accelerator(settings.accelerator))
    try:
        with quiet_lightning():
            _trainer(settings, precision, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    except (MisconfigurationException, ValueError, TypeError, RuntimeError) as error:
        given = ", ".join(f"{name} {getattr(settings, name)!r}" for name in ("accelerator", "devices", "nodes", "strategy", "precision"))
        raise InputError(f"{given}: Lightning cannot use these: {str(error).splitlines()[0]}") from None


def _trainer(settings: Settings, precision: str, **options: Any) -> Trainer:
    """Make a trainer from the settings, with further options of Lightning's."""
    return Trainer(
        accelerator=resolve_accelerator(settings.accelerator),
        devices=settings.devices,
        num_nodes=settings.nodes,
        strategy=settings.strategy,
        precision=cast(Any, precision),
        enable_model_summary=False,
        **options,
    )


def resolve_precision(precision: str, accelerator: str) -> str:
    """Return Lightning's precision; for ``auto``, bfloat16 if the device supports it natively, otherwise float32."""
    if precision != "auto":
        return precision
    if accelerator == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    # Without these instructions bfloat16 on a CPU is emulated, and slower than float32.
    has_bfloat16 = bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
    return "bf16-mixed" if has_bfloat16 else "32-true"


def precision_of(method: Method, views: Callable[[Tensor], Tensor], cohort: Cohort | Stream, settings: Settings) -> str:
    """Return the precision that ``fit`` uses for a method and its samples: float32 where bfloat16 gradients are unreliable.

    Args:
        method: the method.
        views: draws a random view of each sample; torch's global generator is left unchanged.
        cohort: the training samples.
        settings: training settings.

    Returns:
        The precision of the settings or, for ``auto``, the one chosen for this machine.
    """
    accelerator = resolve_accelerator(settings.accelerator)
    precision = resolve_precision(settings.precision, accelerator)
    if accelerator == "cpu" and settings.precision == "auto" and precision == "bf16-mixed":
        with torch.random.fork_rng():
            if _spoils_bfloat16(method, views(cohort.x[:2])):
                return "32-true"
    return precision


def _spoils_bfloat16(method: Method, x: Tensor) -> bool:
    """Return whether a convolution sees so few pixels of these views that its bfloat16 gradient is unreliable.

    On a CPU, torch 2.13 leaves parts of a weight's gradient uninitialised when a strided 2-D convolution sees a single pixel, or a 3-D
    convolution sees a side of two voxels.
    """
    found: list[nn.Module] = []

    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        sides = inputs[0].shape[2:]
        if isinstance(module, nn.Conv2d) and max(module.stride) > 1 and max(sides) == 1:
            found.append(module)
        if isinstance(module, nn.Conv3d) and max(module.kernel_size) > 1 and min(sides) <= 2:
            found.append(module)

    hook = nn.modules.module.register_module_forward_pre_hook(look)
    try:
        encode(method, x)
    finally:
        hook.remove()
    return bool(found)


class _TermsBar(RichProgressBar):
    """Progress bar without a version number, because a folder holds one run."""

    def get_metrics(self, *arguments: Any) -> dict[str, Any]:
        return {name: value for name, value in super().get_metrics(*arguments).items() if name != "v_num"}


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence Lightning's messages (devices found, advice); errors are still shown."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pytorch_lightning|lightning")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
