"""The accountant of a run."""

import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from green_callbacks.accountant.decisions.budget_checks import BudgetChecks
from green_callbacks.accountant.landing.landing_control import LandingControl
from green_callbacks.accountant.last_calls import LastCalls
from green_callbacks.accountant.loops.epoch_loops import Batch, each_epoch, each_step
from green_callbacks.accountant.ranks.protocol import Ranks
from green_callbacks.accountant.run.epochs import RunEpochs
from green_callbacks.accountant.run.idle_run import IdleRun
from green_callbacks.accountant.run.joining_run import JoiningRun
from green_callbacks.accountant.run.late_reports import LateReports
from green_callbacks.accountant.run.live_runs import LIVE_RUNS
from green_callbacks.accountant.run.notebook_view import AccountantView
from green_callbacks.accountant.run.run import Run
from green_callbacks.accountant.setup.ledger_folder import ledger_folder
from green_callbacks.accountant.setup.options import AccountantOptions, Settings
from green_callbacks.accountant.setup.plan_merging import known_plan
from green_callbacks.accountant.setup.resume import CheckpointState, RunState, encode_state
from green_callbacks.accountant.setup.trainer_context import TrainerContext
from green_callbacks.analysis.totals import totals
from green_callbacks.errors import BudgetSpentError, ConfigurationError
from green_callbacks.ledger.project_ledgers import FOLDER
from green_callbacks.records import Checkpoints, EpochRecord, History, Plan, RunRecord
from green_callbacks.sinks import Reporting
from green_callbacks.text.log import get_logger
from green_callbacks.units import described

logger = get_logger(__name__)


class EnergyAccountant(JoiningRun, LandingControl, LateReports, AccountantView):
    """Measures a training run epoch by epoch, turns energy into emissions, and decides whether to go on.

    An accountant owns one run, which may be started and closed several times. A copy of the accountant is a new run
    with the same options. In a fork of the process that started the run, the accountant does nothing. Runs on several
    threads of one process share their common devices, as described in :class:`DeviceEnergy`. A run that starts on the
    thread of a live run replaces the live run.

    The processes of a group of ``torch.distributed`` find one another at the start, and account for one run. All of
    them make the same calls. Rank 0 keeps the records and decides for all.

    ::

        with EnergyAccountant(location="FR", policies=[CarbonBudget("500 g")]) as accountant:
            for epoch in accountant.epochs(100):
                accountant.observe({"val_acc": train_one_epoch()})

    Args:
        **options: ``sources``, ``location``, ``carbon_intensity``, ``pue``, ``policies``, ``decide_every``, ``sinks``,
            ``ledger``, ``plan``, ``samples_per_epoch``, ``tokens_per_sample``, ``flops_per_sample``, ``labels``,
            ``strict`` and ``clock``. None is required. Call ``help(AccountantOptions)`` for the meaning, unit and
            default of each.

    Raises:
        ConfigurationError: An option cannot work.
        LedgerError: ``ledger`` names a file that is not a ledger.

    Examples:
        >>> from green_callbacks.clock import ScriptedClock
        >>> from green_callbacks.sources import ScriptedSource
        >>> clock = ScriptedClock()
        >>> source = ScriptedSource(300.0, clock=clock)
        >>> options = {"carbon_intensity": 400.0, "pue": 1.2, "sinks": [], "ledger": False}
        >>> with EnergyAccountant(sources=[source], clock=clock, **options) as accountant:
        ...     for epoch in accountant.epochs(2):
        ...         clock.advance(3600.0)
        >>> round(accountant.history.emissions_kg, 3)
        0.288
    """

    def __init__(self, **options: Unpack[AccountantOptions]) -> None:
        self._options = options
        self._settings = Settings.check(options)
        self._agree_on(self._settings)
        self._state = RunState()
        self._run: Run | None = None
        self._budget_checks: BudgetChecks | None = None
        self._finalizer: weakref.finalize[[], EnergyAccountant] | None = None
        self._is_resumed = False
        self._resumed_step: int | None = None
        self._last_calls = LastCalls()
        if self._settings.ledger and os.path.exists(self._settings.ledger):  # noqa: PTH110  never raises
            self._state = RunState.from_ledger(self._settings.ledger)
            self._is_resumed = True
        for sentence in self._settings.faults:
            self.warn(sentence, "%s", sentence)

    @classmethod
    def given(cls, accountant: object, options: Mapping[str, Any]) -> "EnergyAccountant":
        """Return the accountant that an adapter was given, or a new accountant with the adapter's options.

        Args:
            accountant: An accountant, or None for a new one.
            options: Its options.

        Raises:
            ConfigurationError: The value is no accountant, options were given beside it, or an option cannot work.
        """
        if accountant is None:
            return cls(**options)
        if not isinstance(accountant, EnergyAccountant):
            msg = f"accountant= takes an EnergyAccountant, not {described(accountant)}. Name the option that you mean."
            raise ConfigurationError(msg)
        said = ", ".join(f"{name}=" for name, value in options.items() if value is not None)
        if said:
            msg = f"{said} has no effect beside accountant=. Write it in the EnergyAccountant(...) that was given."
            raise ConfigurationError(msg)
        return accountant

    def __getstate__(self) -> dict[str, Any]:
        return {"options": self._options}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state["options"])  # type: ignore[misc]  # a copy is a new run with the same options

    def start(
        self,
        *,
        folder: str | Path | None = None,
        ranks: Ranks | None = None,
        plan: Plan | None = None,
        writer: Any | None = None,  # noqa: ANN401  a SummaryWriter of any library
        reporting: Reporting | None = None,
        gpu_uuids: tuple[str, ...] | None = None,
        gpu_name: str | None = None,
        is_running: Callable[[], bool] | None = None,
        on_spent: Callable[[], object] | None = None,
    ) -> Self:
        """Begin to measure. Does nothing while the run is live.

        Args:
            folder: Log folder of the framework. Defaults to the working folder.
            ranks: The processes of the run, all of which call this. Defaults to the process group of
                ``torch.distributed``, if there is one, and else to this process alone.
            plan: The plan that the framework knows. The user's own plan overrides it. Defaults to no plan.
            writer: The framework's TensorBoard writer, or the folder of its TensorBoard run. Defaults to none.
            reporting: How the framework itself reports metrics. Defaults to not at all.
            gpu_uuids: The GPUs on which this process trains. Defaults to the GPUs in ``CUDA_VISIBLE_DEVICES``.
            gpu_name: The accelerator on which this process trains, in the framework's words, such as ``cuda:0``,
                ``mps:0`` or ``xla:0``. Empty for none. Defaults to what the frameworks answer, unless ``gpu_uuids``
                is given.
            is_running: Returns whether training still goes on, for a framework that does not report exceptions. A
                thread calls it every few seconds, and closes the run when it returns False. Defaults to none.
            on_spent: Called once, on another thread, when a budget is spent inside an epoch. It is for a framework
                that cannot call :meth:`look` after every batch. Defaults to none.

        Returns:
            The accountant.
        """
        if self._run is not None and not self._run.is_closed:  # in this process, or in the one that it was forked from
            self._run.say_if_it_trains_elsewhere()
            return self
        settings = self._settings
        trainer = TrainerContext(
            folder=self._settle(folder),
            plan=known_plan(settings.plan, plan or Plan(), settings.policies, self._state.notices),
            writer=writer,
            reporting=reporting or Reporting(),
            is_resumed=self._is_resumed,
            gpu_uuids=gpu_uuids,
            gpu_name=gpu_name,
            is_running=is_running,
            on_spent=on_spent,
        )
        return self._hold(Run.started(settings, self._in_company(trainer, ranks), self._state))

    def _hold(self, run: Run) -> Self:
        """Hold a run that has started. It is closed when nobody holds this accountant any more."""
        self._run = run
        self._budget_checks = run.epochs.budget_checks
        self._agree_on(run.settings)
        run.landing.use(self._rates)
        if self._finalizer is not None:
            self._finalizer.detach()
        self._finalizer = weakref.finalize(self, run.abandon)
        self._finalizer.atexit = False  # at exit, the run closes itself
        self._last_calls.also_at_exit()
        return self

    @property
    def _live(self) -> Run | IdleRun:
        """The run while it is live in this process. Otherwise an object that ignores every call."""
        run = self._run
        if run is not None and run.is_live:
            return run
        return IdleRun(self._settings.clock, has_started=run is not None)

    def _settle(self, log_folder: str | Path | None) -> Path:
        """Settle the run's name and file, once. Go on where the run was last closed in this process.

        Args:
            log_folder: Log folder of the framework, or None for the working folder.

        Returns:
            The folder of the run's files.
        """
        folder = Path(log_folder or ".") / FOLDER
        self._go_on()
        new_id = f"{self._settings.clock.now():%Y%m%dT%H%M%S}-{os.urandom(3).hex()}"
        self._state = self._state.settled(
            new_id, ledger_folder(self._settings, folder, self._state.notices), self._settings.ledger
        )
        return folder

    @property
    def run_id(self) -> str:
        """Name of the run. Empty before its first start."""
        return self._state.run_id

    @property
    def ledger(self) -> Path | None:
        """The ledger file of the run, or None if there is none."""
        return self._run.ledger.path if self._run and self._run.ledger else None

    @property
    def history(self) -> History:
        """Every record so far. Only rank 0 has records."""
        return self._state.history

    @property
    def checkpoints(self) -> Mapping[str, Checkpoints]:
        """The Pareto checkpoints that are kept, by the metric of their Pareto front."""
        return self._state.checkpoints

    @property
    def stop_reason(self) -> str | None:
        """Why a policy wants the run to end, as a sentence, or None while none does."""
        return self._run.board.stop_reason if self._run else self._state.stop_reason

    @property
    def is_live(self) -> bool:
        """Whether the run is being measured, in this process."""
        return self._live.is_live

    def begin_epoch(self, epoch: int, *, step: int | None = None) -> None:
        """Begin an epoch. Ends an epoch that is still open as incomplete, and starts a run that is not live.

        Args:
            epoch: Its index, from 0.
            step: Optimizer steps so far. Defaults to the steps at the end of the epoch before, if they are known.

        Raises:
            BudgetSpentError: No budget is left for the first epoch since the start.
        """
        if self._run is None or self._run.can_go_on:
            self.start()
        run = self._run
        if run is None or not run.is_live:  # in a fork
            return
        run.epochs.end_open(int(epoch))
        run = self._begin_with_others(run, int(epoch))
        if self._is_resumed:
            self._is_resumed = False
            if self.history.lost_rows(epoch, self._resumed_step):
                run.rewind(epoch, self._resumed_step)
        try:
            self._begin_in(run, int(epoch), step)
        except BudgetSpentError:
            run.close(together=False)
            raise

    def expect(self, plan: Plan) -> None:
        """Update the plan after the start.

        Args:
            plan: The plan that the framework knows now. The user's own plan overrides it.
        """
        self._live.expect(plan)

    def seconds_before(self, epoch: int) -> float:
        """Return the duration of the present fit until an epoch, in s, or 0 if a new fit begins with the epoch.

        The time limit of a framework begins with its fit, too.

        Args:
            epoch: Index of the epoch, which has just begun.
        """
        return self.history.fit_seconds(epoch, self._live.epochs.unrecorded_seconds)

    def warn(self, key: str, message: str, *arguments: object) -> None:
        """Warn once that a part of this run cannot act, be measured or be kept. The summary repeats the warning.

        Args:
            key: The subject. Only the first warning about a subject is logged.
            message: A format string for the ``%`` operator, with the remedy.
            *arguments: The values for the format string.
        """
        self._state.notices.say(key, message, *arguments)

    def before_close(self, call: Callable[[], object]) -> None:
        """Call a method whenever this run closes, before its summary is written. A failure is reported once.

        Args:
            call: A method. Its object is not kept alive.
        """
        self._last_calls.add(call)

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Begin a phase, inside or outside an epoch.

        Args:
            name: ``train``, ``validation``, ``test``, ``predict`` or ``other``.

        Returns:
            A context that restores the previous phase when it ends. It may be ignored.

        Raises:
            ConfigurationError: There is no such phase.
        """
        return _Phase(self._live.epochs, name)

    def observe(
        self,
        metrics: Mapping[str, float] | None = None,
        *,
        learning_rate: float | None = None,
        samples: int | None = None,
        step: int | None = None,
        tokens: int | None = None,
        flops: float | None = None,
    ) -> None:
        """Report metrics and counts of the open epoch. It may be called any number of times.

        A value that is not a number is not recorded, and is reported once.

        Args:
            metrics: Metrics that were computed in this epoch.
            learning_rate: The learning rate.
            samples: Training samples seen since the last call.
            step: Optimizer steps so far.
            tokens: Training tokens seen since the last call.
            flops: Floating-point operations done since the last call.
        """
        counts = {"learning_rate": learning_rate, "samples": samples, "step": step, "tokens": tokens, "flops": flops}
        self._live.epochs.note(metrics, counts)

    @property
    def may_stop(self) -> bool:
        """Whether policies were given."""
        return bool(self._settings.policies)

    @property
    def samples(self) -> int | None:
        """Training samples that were observed in the open interval, or None if none were."""
        return self._live.epochs.samples

    @property
    def decides_inside_epochs(self) -> bool:
        """Whether ``decide_every`` was given."""
        return self._agreed.decide_every is not None

    def end_step(self, count: int = 1) -> bool:
        """Count optimizer steps. Every rank calls this after the same steps.

        Args:
            count: Number of steps since the last call. Defaults to 1.

        Returns:
            Whether the interval ``decide_every`` has passed. If so, observe fresh metrics and call :meth:`end_part`.
        """
        return self._live.epochs.count_steps(count)

    def look(self) -> bool:
        """Check whether a budget is spent, or a landing is over. Every rank calls this after the same batches.

        The check makes no record. While no budget can be spent yet, it only reads the clock. A budget with a landing
        begins it here.

        Returns:
            Whether the run is to stop inside the epoch. If so, :attr:`stop_reason` says why.
        """
        budget_checks = self._budget_checks  # a loop asks after every batch, so this must be fast
        if budget_checks is not None and budget_checks.is_due():
            return self._live.epochs.check_budgets()
        return self.may_land and self.stop_reason is not None

    def end_part(self) -> EpochRecord:
        """Record a part of the open epoch and decide. The epoch goes on.

        Returns:
            The record of the part, with ``closes_epoch=False``. The records of an epoch partition it.
        """
        return self._live.epochs.end_part()

    def end_epoch(self, *, complete: bool | None = None) -> EpochRecord:
        """End the epoch, record it, and decide.

        Args:
            complete: Whether the epoch ran to its end. Defaults to True, unless a decision inside it stopped the run.

        Returns:
            The record, with its verdicts. After :meth:`end_part`, it is the record of the rest of the epoch. If no
            epoch is open, an incomplete record in which nothing was measured.
        """
        return self._live.epochs.end(complete=complete)

    def epochs(self, count: int) -> Iterator[int]:
        """Go through epochs, from the first that is not recorded yet, until a policy ends the run.

        An epoch that the loop leaves with ``break`` or ``return`` counts as complete, with three exceptions. Batches
        of :meth:`steps` are left, a metric of the earlier epochs is missing, or the epoch was much shorter than they
        were. An epoch that an exception interrupts is incomplete.

        Args:
            count: Number of epochs of the whole run.

        Yields:
            The index of the epoch. The epoch begins and ends with the body of the loop. The body may end it sooner with
            :meth:`end_epoch`, so that a checkpoint that it saves contains the record.
        """
        return each_epoch(self, lambda: self._run, count)

    def steps(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Go through the batches of an epoch, one step each, until a policy ends the run.

        Budgets are checked inside the epoch. With ``decide_every``, all policies are asked inside the epoch. Records
        tell how long the loop waited for batches. In another phase than ``train``, budgets are checked as well, but no
        step is counted.

        Args:
            batches: The training data.

        Yields:
            The batches.
        """
        return each_step(self, lambda: self._run, batches)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint, as plain JSON types. Asks no other rank.

        A signal handler may call this at any moment. The state is that at the end of the last complete record.
        """
        run = self._run
        state = replace(self._state, ledger=run.ledger.path) if run and run.ledger else self._state
        state = replace(state, landing=run.landing.kept if run else state.landing)
        return encode_state(state, run.epochs.step if run else self.history.steps)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue the run of a checkpoint. Work after the checkpoint counts as lost once it is repeated.

        Args:
            state: The value that :meth:`state_dict` returned.

        Raises:
            ConfigurationError: The state is of another version, or damaged.
        """
        checkpoint = CheckpointState.decode(state)
        self._is_resumed, self._resumed_step = True, checkpoint.step
        if checkpoint.run_id == self.run_id and self.history.recorded_rows >= checkpoint.history.recorded_rows:
            self._state = replace(self._state, landing=checkpoint.landing, step=checkpoint.step)
            return
        self.close()
        self._run = None
        LIVE_RUNS.end_cut_short(checkpoint.run_id)
        self._state = checkpoint.resumed(self._settings.ledger)

    def close(self, *, together: bool = True) -> RunRecord:
        """End the run, and an open epoch as incomplete. It may be called again, and the run may be started again.

        Args:
            together: Whether all ranks call this. After an exception on one rank the others do not, and their energy
                since the last record is lost. Defaults to True.

        Returns:
            The totals so far.
        """
        if self._run is not None:
            try:
                self._last_calls.make()
            finally:
                run = self._definitive(self._run).close(together=together)
            return run
        state = self._state
        return totals(self.history, self.run_id, state.ledger, state.stop_reason, state.notices.texts, state.landed)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(together=kind is None)


class _Phase(AbstractContextManager[None]):
    """A phase that has begun. Its end restores the previous phase."""

    def __init__(self, epochs: RunEpochs | IdleRun, name: str) -> None:
        self._epochs = epochs
        self._before = epochs.phase(name)

    def __exit__(self, *_: object) -> None:
        self._epochs.phase(self._before)
