"""Starts an accountant with everything that Hugging Face's ``Trainer`` tells of a training."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import torch

from green_callbacks._frameworks.torch.gpus import all_uuids, gpu_name
from green_callbacks._frameworks.transformers.devices import devices_of
from green_callbacks._frameworks.transformers.fit import KEY, Fit
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

_REPORTING: Final = Reporting(step_metric="train/global_step")


def go_on(accountant: EnergyAccountant, args: Any, state: Any) -> int | None:
    """Continue the account of the checkpoint that a trainer has loaded. Rank 0 keeps the account for all ranks.

    Args:
        accountant: The accountant.
        args: The arguments of the training.
        state: The state of the trainer.

    Returns:
        Index of the epoch that the checkpoint continues. None without a checkpoint of this package.

    Raises:
        ConfigurationError: The account is of another version, or damaged.
    """
    saved = state.stateful_callbacks.get(KEY)
    is_ours = isinstance(saved, Mapping) and bool(saved)
    if args.process_index == 0 and is_ours:
        accountant.load_state_dict(saved)
    elif args.process_index == 0 and state.global_step and not len(accountant.history):
        accountant.warn("no account", _NO_ACCOUNT)
    epoch = saved.get("epoch") if is_ours else None
    return epoch if type(epoch) is int and epoch >= 0 else None


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
