"""The body of the Lightning callback, the same for both import roots."""

from functools import partial
from typing import Any, Final, Unpack

from green_callbacks._frameworks.lightning.epoch_samples import EpochSamples
from green_callbacks._frameworks.lightning.import_roots import OfLightning
from green_callbacks._frameworks.lightning.run_plan import plan_key, run_limits, run_plan
from green_callbacks._frameworks.lightning.trainer import (
    FreshMetrics,
    LightningRanks,
    announce_validation,
    gpu_name,
    gpu_uuids,
    learning_rate,
    least_that_wins,
    log_folder,
    ran_to_its_end,
    tensorboard_writer,
    validates_after,
)
from green_callbacks._frameworks.lightning.trainer_log import TrainerLog
from green_callbacks._frameworks.lightning.trainer_run import FrontRow, TrainerRun
from green_callbacks.accountant import AccountantOptions, EnergyAccountant, OneRank, Ranks
from green_callbacks.accountant.beginning.remote_folder import RemoteFolder, is_remote
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.records import EpochRecord
from green_callbacks.sinks import scalars
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_PHASES: Final = {"validate": "validation", "test": "test", "predict": "predict", "fit": "other"}


class LightningHooks(OfLightning):
    """Accounts every fit, and validation, test and predict runs as what lies outside epochs.

    What an epoch took appears under ``green/…`` in the trainer's own stream: progress bars, loggers,
    ``EarlyStopping`` and ``ModelCheckpoint(monitor="green/emissions_total_g", save_on_train_epoch_end=True)`` see it.
    Where a policy ends the run, the trainer stops after the epoch, but not before its ``min_epochs`` and ``min_steps``.
    A budget that is spent inside an epoch, and any policy with ``decide_every``, stop it there; it validates and saves
    its checkpoints as at the end of one, and a fit with such a checkpoint goes on.
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
        ConfigurationError: An option that cannot work; at the first hook, that no trainer of Lightning has called it.
    """

    state_key: Final = "green_callbacks.EmissionsMonitor"

    def __init__(self, accountant: EnergyAccountant | None = None, **options: Unpack[AccountantOptions]) -> None:
        self.accountant = EnergyAccountant.given(accountant, options)
        self._guarded = Guarded()
        self._log = TrainerLog(self._guarded)
        self._samples = EpochSamples(self._guarded)
        self._checkpoint: dict[str, Any] | None = None
        self._metrics = FreshMetrics(self._guarded)
        self._run: TrainerRun | None = None
        self._inner: list[TrainerRun] = []
        self._row: FrontRow | None = None
        self._remote: RemoteFolder | None = None
        self._has_begun = self._in_epoch = False
        self._steps = 0
        self._planned: tuple[object, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        """Copy and pickle as a new run with the same options, without trainer and module."""
        copied = {name: value for name, value in self.__dict__.items() if name not in ("log", "log_dict")}
        return {**copied, **vars(LightningHooks(self.accountant))}

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Begin a validation, test or predict run; a fit begins once its checkpoint is loaded."""
        self._refuse_foreign(trainer)
        if self._run is not None and self._run.is_running:
            self._enter(trainer, stage)
            return
        if self._run is not None:  # what another callback raised kept Lightning from telling of the end of it
            self._close(together=False)
        self._run = TrainerRun(trainer, stage)
        if stage == "fit":
            self._row = FrontRow.where_needed(trainer, self)
        elif not trainer.fast_dev_run:
            self._start(trainer)
            self.accountant.phase(_PHASES[stage])

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """End whatever ran; Lightning closes its loggers after this."""
        if self._is_mine():
            self._close(together=True)
        else:
            self._leave()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """End whatever ran; the other ranks may be anywhere."""
        if self._is_mine():
            self._close(together=False)
        else:
            self._leave()

    def on_fit_start(self, trainer: Any = None, pl_module: Any = None) -> None:
        """Begin, unless the strategy loads its checkpoint later."""
        self._refuse_foreign(trainer)
        if self._is_mine() and not trainer.strategy.restore_checkpoint_after_setup:
            self._start_fit(trainer)

    def on_sanity_check_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin where the checkpoint could only be loaded now; the validation hooks label the sanity check."""
        if self._is_mine():
            self._start_fit(trainer)

    def on_train_start(self, trainer: Any = None, pl_module: Any = None) -> None:
        """Begin where there was no sanity check either; the loaders are known from here on."""
        self._refuse_foreign(trainer)
        if not self._is_mine():
            return
        self._start_fit(trainer)
        if self._row is not None:
            self._row.leave()
        self._guarded.tell("Asking how the trainer validates", partial(announce_validation, trainer, self.accountant))

    def on_train_epoch_start(self, trainer: Any = None, pl_module: Any = None) -> None:
        """Begin an epoch."""
        self._refuse_foreign(trainer)
        if self._is_mine():
            self._begin_epoch(trainer)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Go on with an epoch that a checkpoint was saved in: Lightning does not begin it again."""
        if not self._in_epoch and self._is_mine():
            self._begin_epoch(trainer, is_resumed=True, batches=batch_idx)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count the batch; stop if a budget is spent, or end a part of the epoch if it is time."""
        if self._inner and not self._is_mine():
            return
        self._samples.see(batch)
        if self.accountant.look():
            self._stop(trainer)
        if self.accountant.decides_inside_epochs:
            self._end_step(trainer)

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin validating."""
        if self._is_fitting():
            if not trainer.sanity_checking:
                self._begin_epoch(trainer, is_resumed=True)
            self.accountant.phase("validation")

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Observe the metrics that were just computed, and go on; those of the sanity check say nothing."""
        if self._is_fitting():
            fresh = self._metrics.fresh(trainer)
            if not trainer.sanity_checking:
                self.accountant.observe(fresh)
            self.accountant.phase("other" if trainer.sanity_checking else "train")

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """End the epoch, log what it took, and stop if a policy says so."""
        if not self._is_mine():
            return
        was_open, self._in_epoch = self._in_epoch, False
        if not (was_open and self.accountant.is_live):
            return  # a checkpoint that was saved in the validation leaves nothing of its epoch to do
        self._observe(trainer)
        complete = ran_to_its_end(trainer)
        if complete is not False and self._samples.batches < (validates_after(trainer) or 0):
            self.accountant.expect_validation(None)  # the loader ended before the batch after which a validation is due
        record = self.accountant.end_epoch(complete=complete)
        if not trainer.barebones:
            self._log.epoch(trainer, pl_module, trainer.strategy.broadcast(self._values(record)))
        if self.accountant.stop_reason is not None:
            self._stop(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Return what the checkpoint must hold."""
        if self._checkpoint is not None:
            return self._checkpoint
        state = self.accountant.state_dict()
        return {**state, "step": self._run.trainer.global_step} if self._run and self._in_epoch else state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep what the checkpoint holds, until a fit goes on with it; a test of an old checkpoint changes nothing.

        One that is restored while the fit goes on, as searches for a learning rate do, takes back no energy. Epochs
        that are done again become lost work.
        """
        if not self._is_mine():
            return
        if not self._has_begun:
            self._checkpoint = state_dict
        elif self._run and self._run.trainer.is_global_zero and state_dict.get("run_id") == self.accountant.run_id:
            self.accountant.load_state_dict(state_dict)

    def _is_mine(self) -> bool:
        """Tell whether a hook is of the run that is accounted, and not of one inside it."""
        while self._inner and not self._inner[-1].is_running:
            self._leave()
        return not self._inner

    def _is_fitting(self) -> bool:
        return self._is_mine() and self._run is not None and self._run.stage == "fit"

    def _enter(self, trainer: Any, stage: str) -> None:
        """Account a run inside the one that is under way as a phase of it."""
        if stage == "fit" and trainer.is_global_zero:
            self.accountant.warn(
                "a fit in a fit",
                "A second fit has begun inside a fit with the same EmissionsMonitor. Its energy counts for the first, "
                "and its epochs are not recorded. Start it after the first to have it accounted.",
            )
        self._is_mine()
        self._inner.append(TrainerRun(trainer, stage, self.accountant.phase(_PHASES[stage])))

    def _leave(self) -> None:
        phase = self._inner.pop().phase
        if phase is not None:
            phase.__exit__(None, None, None)

    def _start_fit(self, trainer: Any) -> None:
        if trainer.fast_dev_run or self._has_begun:
            return
        if self._checkpoint is None:
            self._log.go_on(trainer)
        elif trainer.is_global_zero:  # it keeps the history for all ranks
            self.accountant.load_state_dict(self._checkpoint)
        self._checkpoint = None
        self._metrics, self._in_epoch, self._planned = FreshMetrics(self._guarded), False, ()
        self._start(trainer)

    def _start(self, trainer: Any) -> None:
        self._has_begun = True
        writer = tensorboard_writer(trainer, self._guarded)
        ranks: Ranks = LightningRanks(trainer) if trainer.world_size > 1 else OneRank()
        folder = log_folder(trainer, self._guarded)
        self.accountant.start(
            folder=None if is_remote(folder) else folder,
            ranks=ranks,
            plan=run_limits(trainer, self._guarded),
            writer=writer,
            streams_scalars=writer is not None,
            gpu_uuids=self._guarded.ask("The device", lambda: gpu_uuids(trainer.strategy.root_device), None),
            gpu_name=self._guarded.ask("The device", lambda: gpu_name(trainer.strategy.root_device), None),
        )
        self._remote = RemoteFolder.beside(folder, self.accountant)

    def _close(self, *, together: bool) -> None:
        self._checkpoint = None
        if self._in_epoch and self._run is not None and self.accountant.is_live:
            self._count(self._run.trainer)
        if self._row is not None:
            self._row.leave()
        self._has_begun = self._in_epoch = False
        self._run = self._row = None
        self.accountant.close(together=together)
        if self._remote is not None:
            self._remote.keep()
            self._remote = None

    def _begin_epoch(self, trainer: Any, *, is_resumed: bool = False, batches: int = 0) -> None:
        if self._has_begun and not self.accountant.is_live and trainer.world_size == 1:
            self._start(trainer)  # a run in between has closed this one
        if self.accountant.is_live and not self._in_epoch:
            self._in_epoch = True
            self._steps = trainer.global_step
            self._samples.begin(trainer, is_resumed=is_resumed)
            self.accountant.begin_epoch(trainer.current_epoch)
            self._plan(trainer, batches)

    def _plan(self, trainer: Any, batches: int) -> None:
        """Tell what is known ahead, at the first epoch and where it has changed."""
        unknown: tuple[object, ...] = ("unknown",)
        key = self._guarded.ask("The horizon of the trainer", partial(plan_key, trainer), unknown)
        if key != self._planned:
            self._planned = key
            past_seconds = self.accountant.seconds_before(trainer.current_epoch)
            self.accountant.expect(run_plan(trainer, past_seconds, self._guarded, batches))

    def _end_step(self, trainer: Any) -> None:
        done: int = trainer.global_step
        steps, self._steps = done - self._steps, done
        if steps > 0 and self.accountant.end_step(steps):
            self._observe(trainer)
            self._log.part(trainer, self._values(self.accountant.end_part()))
            if self.accountant.stop_reason is not None:
                self._stop(trainer)

    def _observe(self, trainer: Any) -> None:
        rate = self._guarded.ask("The learning rate", partial(learning_rate, trainer), None)
        self.accountant.observe(self._metrics.fresh(trainer), learning_rate=rate)
        self._count(trainer)

    def _count(self, trainer: Any) -> None:
        """Observe steps, and samples unless the user observes them."""
        samples = self._samples.take()
        self.accountant.observe(step=trainer.global_step, samples=None if self.accountant.samples else samples)

    def _values(self, record: EpochRecord) -> dict[str, float]:
        history = self.accountant.history
        total_kg = history.emissions_kg or record.emissions_kg  # which is None if nothing was measured
        return scalars(record, total_kg, history.emissions_low_kg, history.emissions_high_kg)

    def _stop(self, trainer: Any) -> None:
        limit = least_that_wins(trainer)
        if limit is not None and trainer.is_global_zero and not trainer.should_stop:
            message = "The trainer's %s wins: it goes on until then. Lower it to stop earlier."
            self.accountant.warn("the trainer's minimum", message, limit)
        trainer.should_stop = True
