"""Starts an accountant with everything that Hugging Face's ``Trainer`` tells of a training."""

import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import torch

from green_callbacks._frameworks.torch.gpus import all_uuids, gpu_name
from green_callbacks._frameworks.transformers.devices import devices_of
from green_callbacks._frameworks.transformers.fit import KEY, Fit, SavedAccount
from green_callbacks._frameworks.transformers.logs import board_folder
from green_callbacks._frameworks.transformers.run_plan import announce_evaluation, run_limits
from green_callbacks.accountant import EnergyAccountant
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.accountant.landing import OptimizerRates
from green_callbacks.sinks import Reporting

_NO_ACCOUNT: Final = (
    "The checkpoint holds no account, because it was saved without EmissionsMonitor. The totals begin with this "
    "training. To continue an account, name its file with ledger=…."
)
_DAMAGED: Final = (
    "The account in the checkpoint is damaged, so it cannot be continued. The totals begin with this training. To "
    "continue an account, name its file with ledger=…."
)
_NESTED: Final = (
    "A training has begun inside another training with the same EmissionsMonitor. Its energy counts for the first, "
    "and its epochs are not recorded. Give it an EmissionsMonitor of its own."
)
_JOINED: Final = (
    "EmissionsMonitor joined a training after its step %d, so the energy before is not measured. Pass it in "
    "callbacks=[…] when you make the trainer."
)
_AWAY: Final = (
    "EmissionsMonitor was removed from its trainer and added again, so it was not told where epochs began. The epoch "
    "in which it was removed holds all energy since. Leave it in the trainer."
)
_TWICE: Final = "EmissionsMonitor is in callbacks=[…] twice. It counts once."
_REPORTING: Final = Reporting(step_metric="train/global_step")


def go_on(accountant: EnergyAccountant, args: Any, state: Any, *, has_begun: bool = False) -> int | None:
    """Continue the account of the checkpoint that a trainer has loaded. Rank 0 keeps the account for all ranks.

    Args:
        accountant: The accountant.
        args: The arguments of the training.
        state: The state of the trainer.
        has_begun: Whether the training has begun before. A missing account is then no surprise. Defaults to False.

    Returns:
        Index of the epoch that the checkpoint continues. None without a checkpoint of this package.

    Raises:
        ConfigurationError: The account is of another version, or damaged.
    """
    saved = state.stateful_callbacks.get(KEY)
    is_ours = isinstance(saved, Mapping) and bool(saved)
    if args.process_index == 0 and is_ours:
        accountant.load_state_dict(saved)
    elif args.process_index == 0 and state.global_step and not has_begun and not len(accountant.history):
        is_missing = not saved or isinstance(saved, SavedAccount)  # another monitor of this trainer has taken it
        accountant.warn("no account", _NO_ACCOUNT if is_missing else _DAMAGED)
    epoch = saved.get("epoch") if is_ours else None
    return epoch if type(epoch) is int and epoch >= 0 else None


def say_within(accountant: EnergyAccountant, state: Any, *, is_same: bool) -> None:
    """Say that a training begins inside a training.

    Args:
        accountant: The accountant.
        state: The state of the trainer.
        is_same: Whether it is the same training, whose trainer has the callback twice.
    """
    if state.is_world_process_zero:
        key, message = ("twice", _TWICE) if is_same else ("a fit in a fit", _NESTED)
        accountant.warn(key, message)


def say_late(accountant: EnergyAccountant, state: Any) -> None:
    """Say that the monitor has joined a training that had begun.

    Args:
        accountant: The accountant.
        state: The state of the trainer.
    """
    if state.is_world_process_zero:
        accountant.warn("joined late", _JOINED, state.global_step)


def find_epoch(accountant: EnergyAccountant, fit: Fit, state: Any) -> None:
    """Find the present epoch of a monitor that was removed from its trainer and added again, and say so.

    Args:
        accountant: The accountant.
        fit: The training.
        state: The state of the trainer.
    """
    if state.is_world_process_zero:
        accountant.warn("away", _AWAY)
    fit.forget_epoch()


def optimizers_of(hooks: Any) -> Callable[[], tuple[Any, ...]]:
    """Return a function that returns the present optimizer. It keeps nothing alive.

    Args:
        hooks: An object whose ``optimizer`` is the present optimizer, or None.
    """
    reference = weakref.ref(hooks)

    def optimizers() -> tuple[Any, ...]:
        known = reference()
        return () if known is None or known.optimizer is None else (known.optimizer,)

    return optimizers


def start_fit(
    accountant: EnergyAccountant,
    fit: Fit,
    args: Any,
    kwargs: Mapping[str, Any],
    optimizers: Callable[[], tuple[Any, ...]],
    guarded: Guarded,
) -> None:
    """Start an accountant for a training.

    Args:
        accountant: The accountant.
        fit: The training.
        args: Its arguments.
        kwargs: What the trainer passes to its hooks.
        optimizers: Returns the present optimizer.
        guarded: Guards the reading of models and writers.
    """
    unknown: list[torch.device] = []
    devices = guarded.ask("The devices of the model", partial(devices_of, args, kwargs.get("model")), unknown)
    accountant.start_scaling(OptimizerRates(optimizers))
    accountant.start(
        folder=args.output_dir,
        plan=run_limits(fit, guarded),
        writer=guarded.ask("The folder of TensorBoard", board_folder, None),
        reporting=_REPORTING,
        gpu_uuids=guarded.ask("The GPUs of the model", partial(all_uuids, devices), None) if devices else None,
        gpu_name=gpu_name(devices[0]) if devices else None,
        is_running=None if fit.call is None else fit.call.is_running,
    )
    guarded.tell("Asking how the trainer evaluates", partial(announce_evaluation, args, fit, accountant))
