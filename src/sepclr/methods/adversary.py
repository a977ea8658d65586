"""Settings that every method with a critic has."""

from __future__ import annotations

from sepclr.types import InputError


def check_critic(steps: int, learning_rate: float) -> None:
    """Check the settings of a critic.

    Raises:
        InputError: no step, or a step size that is not positive.
    """
    if steps < 1:
        raise InputError(f"critic_steps: {steps} is not at least 1")
    if not learning_rate > 0:
        raise InputError(f"critic_learning_rate: {learning_rate} is not positive")
