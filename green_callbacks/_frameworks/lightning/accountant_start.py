"""Starts an accountant with everything that a Lightning trainer knows of its run."""

from typing import Any

from green_callbacks._frameworks.lightning.landing_rates import trainer_rates
from green_callbacks._frameworks.lightning.run_plan import run_limits
from green_callbacks._frameworks.lightning.trainer import (
    LightningRanks,
    log_folder,
    tensorboard_writer,
    tracker_loggers,
)
from green_callbacks._frameworks.torch.gpus import gpu_name, gpu_uuids
from green_callbacks.accountant import EnergyAccountant, OneRank, Ranks
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.accountant.setup.remote_folder import RemoteFolder, is_remote
from green_callbacks.sinks import Reporting


def start_accountant(accountant: EnergyAccountant, trainer: Any, guarded: Guarded) -> RemoteFolder | None:
    """Start an accountant for a run of a trainer.

    Args:
        accountant: The accountant.
        trainer: The trainer.
        guarded: Guards the calls of the trainer, which may call loggers of the user.

    Returns:
        The remote folder that gets a copy of the ledger at the end. None for a log folder on this machine.
    """
    writer = tensorboard_writer(trainer, guarded)
    ranks: Ranks = LightningRanks(trainer) if trainer.world_size > 1 else OneRank()
    folder = log_folder(trainer, guarded)
    accountant.start_scaling(trainer_rates(trainer))
    accountant.start(
        folder=None if is_remote(folder) else folder,
        ranks=ranks,
        plan=run_limits(trainer, guarded),
        writer=writer,
        reporting=Reporting(streams_scalars=writer is not None, loggers=tracker_loggers(trainer)),
        gpu_uuids=guarded.ask("The device", lambda: gpu_uuids(trainer.strategy.root_device), None),
        gpu_name=guarded.ask("The device", lambda: gpu_name(trainer.strategy.root_device), None),
    )
    return RemoteFolder.beside(folder, accountant)
