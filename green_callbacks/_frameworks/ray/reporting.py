"""A report to Ray Tune at the end of an epoch."""

from collections.abc import Mapping
from typing import Any

from ray import tune

from green_callbacks._frameworks.ray.reported import totals
from green_callbacks.accountant import EnergyAccountant


def report(
    accountant: EnergyAccountant, metrics: Mapping[str, Any], *, checkpoint: tune.Checkpoint | None = None
) -> None:
    """End the open epoch, and report its metrics and the totals of the run to Ray Tune.

    Metrics that are numbers also go to the record of the epoch, where policies see them. The state of a checkpoint
    contains the epoch only if ``accountant.end_epoch()`` was called before ``accountant.state_dict()``.

    Args:
        accountant: The accountant of the trial.
        metrics: The metrics of the epoch.
        checkpoint: The checkpoint of the epoch. Defaults to None.

    Example:
        >>> def train(config):
        ...     with trial_accountant(location="DE") as accountant:
        ...         for epoch in accountant.epochs(10):
        ...             report(accountant, {"loss": 1 / (1 + epoch)})
    """
    accountant.observe({key: value for key, value in metrics.items() if isinstance(value, int | float)})
    accountant.end_epoch()
    tune.report({**metrics, **totals(accountant)}, checkpoint=checkpoint)
