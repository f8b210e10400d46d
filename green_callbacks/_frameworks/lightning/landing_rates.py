"""The learning rates of a Lightning trainer, for a landing."""

import weakref
from collections.abc import Sequence
from typing import Any, Final

from green_callbacks._frameworks.lightning.import_roots import root_of
from green_callbacks.accountant.landing import OptimizerRates

_SWA: Final = (
    "StochasticWeightAveraging replaces the schedule at the end of the plan, and a landing would end before it. Use "
    "WeightAveraging with recent_average() in its place, or leave landing out."
)


def trainer_rates(trainer: Any) -> OptimizerRates:
    """Return the learning rates of a trainer. They keep no trainer alive.

    Args:
        trainer: The trainer.
    """
    reference = weakref.ref(trainer)

    def optimizers() -> Sequence[Any]:
        known = reference()
        return () if known is None else known.optimizers

    def refusal() -> str | None:
        known = reference()
        callbacks = () if known is None else known.callbacks
        return _SWA if any(root_of(each, "StochasticWeightAveraging") for each in callbacks) else None

    return OptimizerRates(optimizers, refusal)
