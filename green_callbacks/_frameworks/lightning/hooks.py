"""The body of Lightning's ``EmissionsMonitor``, the same for both import roots."""

from functools import partial
from typing import Any, Final, Unpack

from green_callbacks._frameworks.lightning.accountant_start import start_accountant
from green_callbacks._frameworks.lightning.epoch_samples import EpochSamples
from green_callbacks._frameworks.lightning.import_roots import OfLightning
from green_callbacks._frameworks.lightning.landing_end import LastValidation, say_unsaved
from green_callbacks._frameworks.lightning.run_plan import plan_key, run_plan
from green_callbacks._frameworks.lightning.trainer import (
    FreshMetrics,
    announce_validation,
    learning_rate,
    ran_to_its_end,
    stop_training,
    validates_after,
)
from green_callbacks._frameworks.lightning.trainer_log import TrainerLog, epoch_values
from green_callbacks._frameworks.lightning.trainer_run import FirstPlace, TrainerRun
from green_callbacks.accountant import AccountantOptions, EnergyAccountant
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.accountant.setup.remote_folder import RemoteFolder

_PHASES: Final = {"validate": "validation", "test": "test", "predict": "predict", "fit": "other"}
"""Phases of the accountant by stages of Lightning."""

_FIT_IN_A_FIT: Final = (
    "A second fit has begun inside a fit with the same EmissionsMonitor. Its energy counts for the first, "
    "and its epochs are not recorded. Start it after the first to have it accounted."
)


class LightningHooks(OfLightning):
    """Measures energy and emissions of every fit, per epoch, and of validation, test and predict runs between fits.

    Each epoch logs its numbers under ``green/…`` in the trainer's own stream. Progress bars, loggers and
    ``EarlyStopping`` see them, and so does ``ModelCheckpoint(monitor="green/emissions_total_g",
    save_on_train_epoch_end=True)``. When a policy ends the run, the trainer stops after the epoch, but not before its
    ``min_epochs`` and ``min_steps``. A budget stops the trainer even inside an epoch, and with ``decide_every`` every
    policy does. Then the trainer validates and saves its checkpoints as at the end of an epoch. A landing scales the
    learning rates of all optimizers in every step, and the schedules never see that. So ``LearningRateMonitor`` shows
    the rate of the schedule, and ``green/landing`` the factor. A landing ends with a validation, even if the trainer
    validates only every few epochs.

    Checkpoints contain the state of the run. A fit with ``ckpt_path`` continues its totals, and compares them with the
    budget that is given now. A policy judges a metric in the epoch in which it is fresh. If the module logs a metric in
    its own ``on_train_epoch_end``, the callback sees the metric one epoch late.

    With several processes, each process measures its own GPU, and the first process of a host also measures the host.
    Rank 0 decides and keeps the records. With ``ddp_spawn``, read the records from the ledger, because the training
    process had a copy of the callback.

    Lightning sets ``max_epochs=1000`` by default, so that number is not taken for a plan. If you mean it, pass
    ``plan=Plan(epochs=1000)``.

    Args:
        accountant: An accountant to use. Defaults to a new accountant with the given options.
        **options: Options of the accountant, see :class:`green_callbacks.AccountantOptions`.

    Raises:
        ConfigurationError: An option cannot work. At the first hook, the caller is not a Lightning trainer.

    Example:
        >>> from green_callbacks import CarbonBudget
        >>> from green_callbacks.lightning import EmissionsMonitor
        >>> monitor = EmissionsMonitor(location="DE", policies=[CarbonBudget("500 g")])
        >>> monitor.accountant.is_live
        False
    """

    state_key = "green_callbacks.EmissionsMonitor"

    def __init__(self, accountant: EnergyAccountant | None = None, **options: Unpack[AccountantOptions]) -> None:
        self.accountant = EnergyAccountant.given(accountant, options)
        self._guarded = Guarded()
        self._log = TrainerLog(self._guarded)
        self._samples = EpochSamples(self._guarded)
        self._checkpoint: dict[str, Any] | None = None
        self._metrics = FreshMetrics(self._guarded)
        self._run: TrainerRun | None = None
        self._inner: list[TrainerRun] = []
        self._first_place: FirstPlace | None = None
        self._remote: RemoteFolder | None = None
        self._has_begun = self._in_epoch = False
        self._steps = 0
        self._planned: tuple[object, ...] = ()
        self._last_validation = LastValidation()

    def __getstate__(self) -> dict[str, Any]:
        """Return the state of a copy, which is a new run with the same options, without trainer and module."""
        copied = {name: value for name, value in self.__dict__.items() if name not in ("log", "log_dict")}
        return {**copied, **vars(LightningHooks(self.accountant))}

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Begin a validation, test or predict run. A fit begins later, when its checkpoint is loaded."""
        self._refuse_foreign(trainer)
        if self._run is not None and self._run.is_running:
            self._enter(trainer, stage)
            return
        if self._run is not None:  # another callback raised, so Lightning did not report the end
            self._close(together=False)
        self._run = TrainerRun(trainer, stage)
        if stage == "fit":
            self._first_place = FirstPlace.where_needed(trainer, self)
        elif not trainer.fast_dev_run:
            self._start(trainer)
            self.accountant.phase(_PHASES[stage])

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """End the run. Lightning closes its loggers after this hook."""
        if self._is_mine():
            if stage == "fit":
                self._guarded.tell("Asking for checkpoints", partial(say_unsaved, trainer, self.accountant))
            self._close(together=True)
        else:
            self._leave()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """End the run without the other ranks, which may be anywhere."""
        if self._is_mine():
            self._close(together=False)
        else:
            self._leave()

    def on_fit_start(self, trainer: Any = None, pl_module: Any = None) -> None:
        """Begin the fit, unless the strategy loads its checkpoint later."""
        self._refuse_foreign(trainer)
        if self._is_mine() and not trainer.strategy.restore_checkpoint_after_setup:
            self._start_fit(trainer)

    def on_sanity_check_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin the fit if its checkpoint could only be loaded now. The validation hooks label the sanity check."""
        if self._is_mine():
            self._start_fit(trainer)

    def on_train_start(self, trainer: Any = None, pl_module: Any = None) -> None:
        """Begin the fit if there was no sanity check either. From here on, the loaders are known."""
        self._refuse_foreign(trainer)
        if not self._is_mine():
            return
        self._start_fit(trainer)
        if self._first_place is not None:
            self._first_place.leave()
        self._guarded.tell("Asking how the trainer validates", partial(announce_validation, trainer, self.accountant))

    def on_train_epoch_start(self, trainer: Any = None, pl_module: Any = None) -> None:
        """Begin an epoch."""
        self._refuse_foreign(trainer)
        if self._is_mine():
            self._begin_epoch(trainer)

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Continue an epoch in which a checkpoint was saved, because Lightning does not begin it again."""
        if not self._in_epoch and self._is_mine():
            self._begin_epoch(trainer, is_resumed=True, batches=batch_idx)
        elif self.accountant.may_land and self.accountant.landing is not None and self._is_mine():
            self.accountant.at_step(trainer.global_step)  # other callbacks may have replaced the optimizers

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Count the batch. Stop if a budget is spent, and end a part of the epoch if it is due."""
        if self._inner and not self._is_mine():
            return
        self._samples.see(batch)
        if self.accountant.may_land:
            self._end_landing(trainer)
        if self.accountant.look():
            stop_training(trainer, self.accountant)
        if self.accountant.decides_inside_epochs:
            self._end_step(trainer)

    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin the validation phase."""
        if self._is_fitting():
            if not trainer.sanity_checking:
                self._begin_epoch(trainer, is_resumed=True)
            self.accountant.phase("validation")

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Observe the fresh metrics, and end the validation phase. Metrics of the sanity check are dropped."""
        if self._is_fitting():
            fresh = self._metrics.fresh(trainer)
            if not trainer.sanity_checking:
                self._last_validation.has_seen_one = True
                self.accountant.observe(fresh)
            self.accountant.phase("other" if trainer.sanity_checking else "train")

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """End the epoch, log its numbers, and stop if a policy decides so."""
        if not self._is_mine():
            return
        was_open, self._in_epoch = self._in_epoch, False
        if not (was_open and self.accountant.is_live):
            return  # a checkpoint from the validation leaves no batches in its epoch
        self._observe(trainer)
        complete = ran_to_its_end(trainer)
        if complete is not False and self._samples.batches < (validates_after(trainer) or 0):
            self.accountant.expect_validation(None)  # the loader ended before the validation was due
        record = self.accountant.end_epoch(complete=complete)
        if not trainer.barebones:
            self._log.epoch(trainer, pl_module, trainer.strategy.broadcast(epoch_values(self.accountant, record)))
        if self.accountant.stop_reason is not None:
            stop_training(trainer, self.accountant)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for the checkpoint."""
        if self._checkpoint is not None:
            return self._checkpoint
        state = self.accountant.state_dict()
        return {**state, "step": self._run.trainer.global_step} if self._run and self._in_epoch else state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the state of a checkpoint until a fit continues it. A test with an old checkpoint changes nothing.

        A search for a learning rate restores a checkpoint during the fit. This takes back no energy, and repeated
        epochs become rows outside epochs.
        """
        if not self._is_mine():
            return
        if not self._has_begun:
            self._checkpoint = state_dict
        elif self._run and self._run.trainer.is_global_zero and state_dict.get("run_id") == self.accountant.run_id:
            self.accountant.load_state_dict(state_dict)

    def _is_mine(self) -> bool:
        """Return whether a hook belongs to the accounted run, and not to a run inside it."""
        while self._inner and not self._inner[-1].is_running:
            self._leave()
        return not self._inner

    def _is_fitting(self) -> bool:
        return self._is_mine() and self._run is not None and self._run.stage == "fit"

    def _enter(self, trainer: Any, stage: str) -> None:
        """Account a run inside the present run as a phase of it."""
        if stage == "fit" and trainer.is_global_zero:
            self.accountant.warn("a fit in a fit", _FIT_IN_A_FIT)
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
        elif trainer.is_global_zero:  # rank 0 keeps the history for all ranks
            self.accountant.load_state_dict(self._checkpoint)
        self._checkpoint = None
        self._metrics, self._in_epoch, self._planned = FreshMetrics(self._guarded), False, ()
        self._last_validation = LastValidation()
        self._start(trainer)

    def _start(self, trainer: Any) -> None:
        self._has_begun = True
        self._remote = start_accountant(self.accountant, trainer, self._guarded)

    def _close(self, *, together: bool) -> None:
        self._checkpoint = None
        if self._in_epoch and self._run is not None and self.accountant.is_live:
            self._count(self._run.trainer)
        if self._run is not None:
            self._last_validation.put_back(self._run.trainer)
        self._samples.end()
        if self._first_place is not None:
            self._first_place.leave()
        self._has_begun, self._in_epoch, self._run, self._first_place = False, False, None, None
        self.accountant.close(together=together)
        if self._remote is not None:
            self._remote.keep()
            self._remote = None

    def _begin_epoch(self, trainer: Any, *, is_resumed: bool = False, batches: int = 0) -> None:
        if self._has_begun and not self.accountant.is_live and trainer.world_size == 1:
            self._start(trainer)  # another run has closed this run in between
        if self.accountant.is_live and not self._in_epoch:
            self._in_epoch = True
            self._steps = trainer.global_step
            self._last_validation.put_back(trainer)  # of a trainer whose minimum has won
            if self.accountant.may_land:
                self.accountant.at_step(trainer.global_step)
            self.accountant.begin_epoch(trainer.current_epoch, step=trainer.global_step)
            self._samples.begin(trainer, self.accountant.data_waits, is_resumed=is_resumed)
            self._plan(trainer, batches)

    def _end_landing(self, trainer: Any) -> None:
        """Stop after the last batch of a landing. Only a trainer that is to stop validates at once."""
        if self.accountant.at_step(trainer.global_step) or self._last_validation.is_due(trainer, self.accountant):
            self._last_validation.ask(trainer, self.accountant)
            stop_training(trainer, self.accountant)

    def _plan(self, trainer: Any, batches: int) -> None:
        """Pass the plan to the accountant, at the first epoch and when it has changed."""
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
            self._log.part(trainer, epoch_values(self.accountant, self.accountant.end_part()))
            if self.accountant.stop_reason is not None:
                stop_training(trainer, self.accountant)

    def _observe(self, trainer: Any) -> None:
        rate = self._guarded.ask("The learning rate", partial(learning_rate, trainer), None)
        self.accountant.observe(self._metrics.fresh(trainer), learning_rate=rate)
        self._count(trainer)

    def _count(self, trainer: Any) -> None:
        """Report steps, samples and operations, unless the user observes them."""
        samples, flops = self._samples.take(), self._samples.take_flops()
        self.accountant.count(step=trainer.global_step, samples=samples, flops=flops)
