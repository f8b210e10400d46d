"""The body of the Lightning callback, the same for both import roots."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Unpack

import torch

from green_callbacks._torch_schedules import schedule_plan
from green_callbacks.accountant import AccountantOptions, EnergyAccountant, OneRank, Ranks
from green_callbacks.records import Plan
from green_callbacks.sinks import scalars

logger = logging.getLogger(__name__)

_DEFAULT_MAX_EPOCHS: Final = 1000
"""What Lightning takes when neither epochs, steps nor time were asked for: no plan of the user's."""


class LightningRanks:
    """The processes of a trainer.

    Args:
        trainer: The trainer.
    """

    def __init__(self, trainer: Any) -> None:
        self._strategy = trainer.strategy
        self.rank: int = trainer.global_rank
        self.size: int = trainer.world_size

    def gather(self, value: Any) -> list[Any]:
        """Return the values of all ranks, in their order."""
        return [self._strategy.broadcast(value if rank == self.rank else None, src=rank) for rank in range(self.size)]

    def sum(self, vector: Sequence[float]) -> list[float]:
        """Return the sum of the vectors of all ranks, in float64."""
        # A fresh tensor: Lightning reduces in place, and returns plain numbers unreduced.
        tensor = torch.tensor(vector, dtype=torch.float64, device=self._strategy.root_device)
        total: list[float] = self._strategy.reduce(tensor, reduce_op="sum").tolist()
        return total


class LightningHooks:
    """Hooks in, verdicts out. Accounts every fit, and validation, test and predict runs as what lies outside epochs.

    Metrics of the run appear under ``green/…`` in the trainer's own stream: progress bars, loggers and
    ``ModelCheckpoint(monitor=…)`` see them. Metrics that a policy watches count where they are fresh; one that the
    module logs in its own ``on_train_epoch_end`` is seen one epoch late, as by any callback but EarlyStopping.

    Args:
        accountant: An accountant to drive, instead of one made from the options.
        **options: See :class:`green_callbacks.AccountantOptions`.
    """

    state_key: Final = "green_callbacks.EmissionsMonitor"

    def __init__(self, accountant: EnergyAccountant | None = None, **options: Unpack[AccountantOptions]) -> None:
        self.accountant = accountant or EnergyAccountant(**options)
        self._checkpoint: dict[str, Any] | None = None
        self._seen: dict[str, Any] = {}

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Begin a validation, test or predict run; a fit begins once its checkpoint is loaded."""
        if stage != "fit" and not trainer.fast_dev_run:
            self._start(trainer)
            self.accountant.phase({"validate": "validation"}.get(stage, stage))

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """End whatever ran."""
        self.accountant.close()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """End whatever ran; the other ranks may be anywhere."""
        self.accountant.close(together=False)

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin, unless the strategy loads its checkpoint later."""
        if not trainer.strategy.restore_checkpoint_after_setup:
            self._start_fit(trainer)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin, where the checkpoint could only be loaded now."""
        self._start_fit(trainer)

    def on_sanity_check_start(self, trainer: Any, pl_module: Any) -> None:
        """Label the sanity check."""
        self.accountant.phase("validation")

    def on_sanity_check_end(self, trainer: Any, pl_module: Any) -> None:
        """End the sanity check; its metrics are of an untrained model."""
        self._fresh_metrics(trainer)
        self.accountant.phase("other")

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin an epoch."""
        if self.accountant.is_live:
            self.accountant.begin_epoch(trainer.current_epoch)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count samples."""
        self.accountant.observe(samples=_batch_size(batch))

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin validating."""
        if trainer.training or trainer.state.fn == "fit":
            self._fresh_metrics(trainer)
            self.accountant.phase("validation")

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Observe the metrics that were just computed, and go on training."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self.accountant.observe(self._fresh_metrics(trainer))
            self.accountant.phase("train")

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """End the epoch, log what it took, and stop if a policy says so."""
        if not self.accountant.is_live:
            return
        self.accountant.observe(
            self._fresh_metrics(trainer), learning_rate=_learning_rate(trainer), step=trainer.global_step
        )
        record = self.accountant.end_epoch()
        pl_module.log_dict(scalars(record, self.accountant.history.emissions_kg), rank_zero_only=True)
        if self.accountant.stop_reason is not None:
            self._stop(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Return what the checkpoint must hold."""
        return self.accountant.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep what the checkpoint holds, until a fit goes on with it; a test of an old checkpoint changes nothing."""
        self._checkpoint = state_dict

    def _start_fit(self, trainer: Any) -> None:
        if trainer.fast_dev_run or self.accountant.is_live:
            return
        if self._checkpoint is not None:
            self.accountant.load_state_dict(self._checkpoint)
            self._checkpoint = None
        self._start(trainer)

    def _start(self, trainer: Any) -> None:
        writer = _tensorboard_writer(trainer)
        ranks: Ranks = LightningRanks(trainer) if trainer.world_size > 1 else OneRank()
        self.accountant.start(
            folder=trainer.log_dir or trainer.default_root_dir,
            ranks=ranks,
            plan=_plan(trainer),
            writer=writer,
            gpu_uuids=_gpu_uuids(trainer.strategy.root_device),
        )

    def _stop(self, trainer: Any) -> None:
        trainer.should_stop = True
        planned = trainer.current_epoch + 1
        if trainer.min_epochs and planned < trainer.min_epochs:
            logger.warning("min_epochs=%d of the trainer wins: training goes on until then.", trainer.min_epochs)

    def _fresh_metrics(self, trainer: Any) -> dict[str, float]:
        """Return the metrics that were computed since the last call: Lightning keeps the old ones beside them."""
        metrics = {name: value for name, value in trainer.callback_metrics.items() if not name.startswith("green/")}
        fresh = {name: float(value) for name, value in metrics.items() if self._seen.get(name) is not value}
        self._seen = metrics
        return fresh


def _plan(trainer: Any) -> Plan:
    has_default_horizon = trainer.max_epochs == _DEFAULT_MAX_EPOCHS and trainer.max_steps == -1
    epochs = trainer.max_epochs if trainer.max_epochs and trainer.max_epochs > 0 and not has_default_horizon else None
    timers = [callback for callback in trainer.callbacks if hasattr(callback, "time_remaining")]
    remaining = [seconds for timer in timers if (seconds := timer.time_remaining()) is not None]
    plan = Plan(
        epochs=epochs,
        min_epochs=trainer.min_epochs or None,
        steps=trainer.max_steps if trainer.max_steps > 0 else None,
        seconds=min(remaining, default=None),
    )
    schedules = [config.scheduler for config in trainer.lr_scheduler_configs if config.interval == "epoch"]
    by_step = len(schedules) < len(trainer.lr_scheduler_configs)
    return (
        replace(schedule_plan(schedules, plan), schedule_unreadable=True) if by_step else schedule_plan(schedules, plan)
    )


def _tensorboard_writer(trainer: Any) -> Any | None:
    if not trainer.is_global_zero:
        return None
    loggers = [each for each in trainer.loggers if type(each).__name__ == "TensorBoardLogger"]
    return loggers[0].experiment if loggers else None


def _gpu_uuids(device: torch.device) -> tuple[str, ...]:
    """Return the UUID of the GPU that this rank trains on, as the driver writes it."""
    if device.type != "cuda":
        return ()
    return (f"GPU-{torch.cuda.get_device_properties(device).uuid}",)


def _learning_rate(trainer: Any) -> float | None:
    for optimizer in trainer.optimizers:
        for group in optimizer.param_groups:
            return float(group["lr"])
    return None


def _batch_size(batch: Any) -> int | None:
    """Return the length of the first tensor in a batch; None if there is none."""
    if isinstance(batch, torch.Tensor):
        return batch.shape[0] if batch.ndim else 1
    parts = batch.values() if isinstance(batch, Mapping) else batch if isinstance(batch, list | tuple) else ()
    return next((size for part in parts if (size := _batch_size(part)) is not None), None)
