"""The body of the Lightning callback, the same for both import roots."""

from functools import partial
from typing import Any, Final, Unpack

from green_callbacks._lightning_trainer import (
    LightningRanks,
    batch_size,
    gpu_uuids,
    learning_rate,
    log_folder,
    run_plan,
    tensorboard_writer,
)
from green_callbacks.accountant import AccountantOptions, EnergyAccountant, OneRank, Ranks
from green_callbacks.accountant.guarded import Guarded
from green_callbacks.records import EpochRecord, Plan
from green_callbacks.sinks import scalars
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_IN_PROGRESS_BAR: Final = "green/emissions_total_kg"


class LightningHooks:
    """Accounts every fit, and validation, test and predict runs as what lies outside epochs.

    What an epoch took appears under ``green/…`` in the trainer's own stream: progress bars, loggers,
    ``EarlyStopping`` and ``ModelCheckpoint(monitor="green/emissions_total_kg", save_on_train_epoch_end=True)`` see it.
    Where a policy ends the run, the trainer stops after the epoch, but not before its ``min_epochs`` and ``min_steps``.
    With ``decide_every`` it stops inside the epoch, and validates and saves its checkpoints as at the end of one; a fit
    with such a checkpoint goes on.
    Checkpoints hold the account: a fit with ``ckpt_path`` goes on with its totals, against the budget given now.

    Metrics that a policy watches count where they are fresh. One that the module logs in its own
    ``on_train_epoch_end`` is seen one epoch late, as by any callback but EarlyStopping and checkpoints.
    Of several processes each measures its own GPU, the first of a host also the host, and rank 0 decides and keeps the
    records; with ``ddp_spawn`` they are in the ledger only, since the callback that trained was a copy.

    ``max_epochs=1000`` is what Lightning takes by default, so it is no plan; say ``plan=Plan(epochs=1000)`` if it is.

    Args:
        accountant: An accountant to drive, instead of one made from the options.
        **options: See :class:`green_callbacks.AccountantOptions`.

    Raises:
        ConfigurationError: An option that cannot work.
    """

    state_key: Final = "green_callbacks.EmissionsMonitor"

    def __init__(self, accountant: EnergyAccountant | None = None, **options: Unpack[AccountantOptions]) -> None:
        self.accountant = accountant or EnergyAccountant(**options)
        self._checkpoint: dict[str, Any] | None = None
        self._seen: dict[str, Any] = {}
        self._in_epoch = self._has_started = False
        self._steps = 0
        self._guarded = Guarded()

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Begin a validation, test or predict run; a fit begins once its checkpoint is loaded."""
        if self._has_started:  # what another callback raised kept Lightning from telling of the end of the one before
            self._close(together=False)
        if stage != "fit" and not trainer.fast_dev_run:
            self._start(trainer)
            self.accountant.phase({"validate": "validation"}.get(stage, stage))

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """End whatever ran; Lightning closes its loggers after this."""
        self._checkpoint = None
        self._close(together=True)

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """End whatever ran; the other ranks may be anywhere."""
        self._checkpoint = None
        self._close(together=False)

    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin, unless the strategy loads its checkpoint later."""
        if not trainer.strategy.restore_checkpoint_after_setup:
            self._start_fit(trainer)

    def on_sanity_check_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin where the checkpoint could only be loaded now; the validation hooks label the sanity check."""
        self._start_fit(trainer)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin where there was no sanity check either; the number of batches is known from here on."""
        self._start_fit(trainer)
        self.accountant.expect(self._plan(trainer))

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin an epoch."""
        self._begin_epoch(trainer)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Go on with an epoch that a checkpoint was saved in: Lightning does not begin it again."""
        self._begin_epoch(trainer)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count samples and steps; end a part of the epoch if it is time, and stop if a policy says so."""
        samples = self._guarded.ask("The size of a batch", partial(batch_size, batch), None)
        self.accountant.observe(samples=samples, step=trainer.global_step)
        steps, self._steps = trainer.global_step - self._steps, trainer.global_step
        if steps and self.accountant.end_step(steps):
            self._observe(trainer)
            self._log_part(trainer, self.accountant.end_part())
            if self.accountant.stop_reason is not None:
                self._stop(trainer)

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin validating."""
        if trainer.state.fn == "fit":
            if not trainer.sanity_checking:
                self._begin_epoch(trainer)
            self.accountant.phase("validation")

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Observe the metrics that were just computed, and go on; those of the sanity check say nothing."""
        if trainer.state.fn == "fit":
            fresh = self._fresh_metrics(trainer)
            if not trainer.sanity_checking:
                self.accountant.observe(fresh)
            self.accountant.phase("other" if trainer.sanity_checking else "train")

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """End the epoch, log what it took, and stop if a policy says so."""
        if not (self._in_epoch and self.accountant.is_live):
            return  # a checkpoint that was saved in the validation leaves nothing of its epoch to do
        self._in_epoch = False
        self._observe(trainer)
        self._log(trainer, pl_module, self.accountant.end_epoch(complete=trainer.is_last_batch or None))
        if self.accountant.stop_reason is not None:
            self._stop(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Return what the checkpoint must hold."""
        return self._checkpoint or self.accountant.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep what the checkpoint holds, until a fit goes on with it; a test of an old checkpoint changes nothing."""
        self._checkpoint = state_dict

    def _start_fit(self, trainer: Any) -> None:
        if trainer.fast_dev_run or self.accountant.is_live:
            return
        if self._checkpoint is not None and trainer.is_global_zero:  # it keeps the history for all ranks
            self.accountant.load_state_dict(self._checkpoint)
        self._checkpoint = None
        self._seen, self._in_epoch = {}, False
        self._start(trainer)

    def _start(self, trainer: Any) -> None:
        self._has_started = True
        writer = tensorboard_writer(trainer, self._guarded)
        ranks: Ranks = LightningRanks(trainer) if trainer.world_size > 1 else OneRank()
        self.accountant.start(
            folder=log_folder(trainer, self._guarded),
            ranks=ranks,
            plan=self._plan(trainer),
            writer=writer,
            streams_scalars=writer is not None,
            gpu_uuids=self._guarded.ask("The device", lambda: gpu_uuids(trainer.strategy.root_device), None),
        )

    def _close(self, *, together: bool) -> None:
        self._has_started = False
        self.accountant.close(together=together)

    def _plan(self, trainer: Any) -> Plan:
        return run_plan(trainer, self.accountant.history.duration_seconds, self._guarded)

    def _begin_epoch(self, trainer: Any) -> None:
        if self.accountant.is_live and not self._in_epoch:
            self._in_epoch = True
            self._steps = trainer.global_step
            self.accountant.begin_epoch(trainer.current_epoch)

    def _observe(self, trainer: Any) -> None:
        rate = self._guarded.ask("The learning rate", partial(learning_rate, trainer), None)
        self.accountant.observe(self._fresh_metrics(trainer), learning_rate=rate, step=trainer.global_step)

    def _log_part(self, trainer: Any, record: EpochRecord) -> None:
        """Log what a part of an epoch took; Lightning's own log would leave out what is not due by its count."""
        if trainer.is_global_zero:
            values = scalars(record, self.accountant.history.emissions_kg)
            for each in trainer.loggers:
                log = partial(each.log_metrics, values, step=max(trainer.global_step - 1, 0))
                self._guarded.tell(f"Logging to {type(each).__name__}", log)

    def _log(self, trainer: Any, pl_module: Any, record: EpochRecord) -> None:
        """Log what rank 0 knows, the same on every rank, so that each can monitor it."""
        total_kg = self.accountant.history.emissions_kg or record.emissions_kg  # which is None if nothing was measured
        values: dict[str, float] = trainer.strategy.broadcast(scalars(record, total_kg))
        if trainer.barebones:
            return
        for key, value in values.items():
            in_bar = key == _IN_PROGRESS_BAR
            # Both flags together: it is agreed upon already, so nothing to reduce, and nothing to be warned of.
            log = partial(pl_module.log, key, value, prog_bar=in_bar, sync_dist=True, rank_zero_only=True)
            self._guarded.tell("Logging with the module's self.log", log)

    def _stop(self, trainer: Any) -> None:
        too_few_epochs = trainer.current_epoch + 1 < (trainer.min_epochs or 0)
        too_few_steps = trainer.global_step < (trainer.min_steps or 0)
        if (too_few_epochs or too_few_steps) and trainer.is_global_zero and not trainer.should_stop:
            limit = f"min_epochs={trainer.min_epochs}" if too_few_epochs else f"min_steps={trainer.min_steps}"
            logger.warning("The trainer's %s wins: it goes on until then. Lower it to stop earlier.", limit)
        trainer.should_stop = True

    def _fresh_metrics(self, trainer: Any) -> dict[str, float]:
        """Return the metrics that were computed since the last call: Lightning keeps the old ones beside them.

        It makes a new tensor whenever it computes a metric, and hands out the same one as long as it does not.
        """
        metrics = {
            name: value
            for name, value in trainer.callback_metrics.items()
            if not (isinstance(name, str) and name.startswith("green/"))
        }
        fresh = {name: value for name, value in metrics.items() if self._seen.get(name) is not value}
        self._seen = metrics
        return self._guarded.numbers(fresh)
