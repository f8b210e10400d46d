"""The accountant of a run."""

import os
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from green_callbacks.accountant.beginning.option_checks import unknown_variables
from green_callbacks.accountant.beginning.options import AccountantOptions, Settings
from green_callbacks.accountant.beginning.plan_merging import known_plan
from green_callbacks.accountant.beginning.project_spending import FOLDER
from green_callbacks.accountant.beginning.resume import CheckpointState, RunState, encode_state
from green_callbacks.accountant.beginning.trainer_context import Surroundings
from green_callbacks.accountant.decisions.budget_checks import Looks
from green_callbacks.accountant.idle_run import IdleRun
from green_callbacks.accountant.loops.epoch_loops import Batch, each_epoch, each_step
from green_callbacks.accountant.ranks import OneRank, Ranks
from green_callbacks.accountant.run import Run
from green_callbacks.accountant.run_epochs import RunEpochs
from green_callbacks.analysis.totals import totals
from green_callbacks.errors import BudgetSpentError, ConfigurationError
from green_callbacks.records import Checkpoints, EpochRecord, History, Plan, RunRecord
from green_callbacks.records.plan import seconds_before
from green_callbacks.text.log import get_logger
from green_callbacks.units import described

logger = get_logger(__name__)


class EnergyAccountant:
    """Measures a training run epoch by epoch, turns energy into emissions, and decides whether to go on.

    It owns one run, however many times it is started and closed. A copy, or one that comes out of a pickle, is a new
    run with the same options. In a fork of the process that started it, it does nothing. Runs that train at the same
    time on threads of one process share the devices they have in common: see :class:`DeviceEnergy`. A run that starts
    on the thread of one that goes on takes its place.

    ::

        with EnergyAccountant(location="FR", policies=[CarbonBudget("500 g")]) as accountant:
            for epoch in accountant.epochs(100):
                accountant.observe({"val_acc": train_one_epoch()})

    Args:
        **options: See :class:`AccountantOptions`.

    Raises:
        ConfigurationError: An option that cannot work.
        LedgerError: ``ledger`` names a file that is not a ledger.
    """

    def __init__(self, **options: Unpack[AccountantOptions]) -> None:
        self._options = options
        self._settings = Settings.check(options)
        self._state = RunState()
        self._run: Run | None = None
        self._looks: Looks | None = None
        self._finalizer: weakref.finalize[[], EnergyAccountant] | None = None
        self._is_resumed = False
        self._resumed_step: int | None = None
        if self._settings.ledger and os.path.exists(self._settings.ledger):  # noqa: PTH110  never raises
            self._state = RunState.from_ledger(self._settings.ledger)
            self._is_resumed = True
        for name, sentence in unknown_variables(os.environ).items():
            self.warn(name, "%s", sentence)

    @classmethod
    def given(cls, accountant: object, options: Mapping[str, Any]) -> "EnergyAccountant":
        """Return what an adapter is to drive: the accountant that it was given, or a new one made of its options.

        Args:
            accountant: An accountant; None for a new one.
            options: Its options.

        Raises:
            ConfigurationError: It is none, or options were given beside one; or an option cannot work.
        """
        if accountant is None:
            return cls(**options)
        if not isinstance(accountant, EnergyAccountant):
            msg = f"accountant= takes an EnergyAccountant, not {described(accountant)}: name the option that you mean."
            raise ConfigurationError(msg)
        said = ", ".join(f"{name}=" for name, value in options.items() if value is not None)
        if said:
            msg = f"{said} says nothing beside accountant=: write it in the EnergyAccountant(...) that was given."
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
        streams_scalars: bool = False,
        gpu_uuids: tuple[str, ...] | None = None,
        gpu_name: str | None = None,
        is_running: Callable[[], bool] | None = None,
        on_spent: Callable[[], object] | None = None,
    ) -> Self:
        """Begin to measure; does nothing while the run goes on already.

        Args:
            folder: Log folder of the framework; the working folder unless given.
            ranks: The processes of the run; this one alone unless given. All of them call this.
            plan: What the framework knows ahead; the user's own plan goes before it.
            writer: The framework's TensorBoard writer.
            streams_scalars: Whether the framework itself writes the scalars of every epoch through that writer.
            gpu_uuids: The GPUs that this process trains on, where the framework says; those that
                ``CUDA_VISIBLE_DEVICES`` leaves unless given.
            gpu_name: What this process trains on besides its processors, as the framework calls it, e.g. ``cuda:0``,
                ``mps:0`` or ``xla:0``; empty for nothing. The frameworks are asked unless this or ``gpu_uuids`` is
                given.
            is_running: Says whether training still goes on, for a framework that tells of no exception. Asked on
                another thread every few seconds; the run is closed when it does not.
            on_spent: Called once, on another thread, when a budget is spent inside an epoch, for a framework that calls
                nothing after a batch; :meth:`look` does the same where it is called.

        Returns:
            The accountant.
        """
        if self._run is not None and not self._run.is_closed:  # in this process, or in the one that it was forked from
            self._run.say_if_it_trains_elsewhere()
            return self
        settings = self._settings
        around = Surroundings(
            folder=self._settle(folder),
            ranks=ranks or OneRank(),
            plan=known_plan(settings.plan, plan or Plan(), settings.policies, self._state.notices),
            writer=writer,
            streams_scalars=streams_scalars,
            is_resumed=self._is_resumed,
            gpu_uuids=gpu_uuids,
            gpu_name=gpu_name,
            is_running=is_running,
            on_spent=on_spent,
        )
        return self._hold(Run.started(settings, around, self._state))

    def _hold(self, run: Run) -> Self:
        """Hold a run that has started. It is closed when nobody holds this accountant any more."""
        self._run = run
        self._looks = run.epochs.looks
        if self._finalizer is not None:
            self._finalizer.detach()
        self._finalizer = weakref.finalize(self, run.abandon)
        self._finalizer.atexit = False  # at exit, the run closes itself
        return self

    @property
    def _live(self) -> Run | IdleRun:
        """The run while it is measured, in this process; otherwise an object that ignores what it is told."""
        run = self._run
        if run is not None and run.is_live:
            return run
        return IdleRun(self._settings.clock, has_started=run is not None)

    def _settle(self, log_folder: str | Path | None) -> Path:
        """Settle the run's name and file, once. Go on where the run was last closed in this process.

        Args:
            log_folder: Log folder of the framework; None for the working folder.

        Returns:
            The folder of the run's files.
        """
        folder = Path(log_folder or ".") / FOLDER
        last = self._run.ledger if self._run else None
        if last is not None:
            self._state = replace(self._state, ledger=last.path, held=len(self._state.history), predecessor=last)
        new_id = f"{self._settings.clock.now():%Y%m%dT%H%M%S}-{os.urandom(3).hex()}"
        self._state = self._state.settled(new_id, folder, self._settings.ledger)
        return folder

    @property
    def run_id(self) -> str:
        """Name of the run; empty before its first start."""
        return self._state.run_id

    @property
    def ledger(self) -> Path | None:
        """The file of the records of the present stretch, or of the last one; None if there is none."""
        return self._run.ledger.path if self._run and self._run.ledger else None

    @property
    def history(self) -> History:
        """Every record so far; on other ranks than 0 it is empty."""
        return self._state.history

    @property
    def checkpoints(self) -> Mapping[str, Checkpoints]:
        """The checkpoint files that are kept, by the metric whose front they are of."""
        return self._state.checkpoints

    @property
    def stop_reason(self) -> str | None:
        """Why a policy wants the run to end, as a sentence; None while none does."""
        return self._run.board.stop_reason if self._run else self._state.stop_reason

    @property
    def is_live(self) -> bool:
        """Whether the run is being measured, in this process."""
        return self._live.is_live

    def begin_epoch(self, epoch: int) -> None:
        """Begin an epoch; one that is still open is ended as incomplete. Starts the run, also after it was closed.

        Args:
            epoch: Its index, from 0.

        Raises:
            BudgetSpentError: It is the first since the start, and a budget has no room for it.
        """
        if self._run is None or self._run.can_go_on:
            self.start()
        run = self._run
        if run is None or not run.is_live:  # in a fork
            return
        run.epochs.end_open(int(epoch))
        if self._is_resumed:
            self._is_resumed = False
            if self.history.lost_rows(epoch, self._resumed_step):
                run.rewind(epoch, self._resumed_step)
        try:
            run.epochs.begin(int(epoch))
        except BudgetSpentError:
            run.close(together=False)
            raise

    def expect(self, plan: Plan) -> None:
        """Tell what has become known ahead since the start.

        Args:
            plan: What the framework knows now; the user's own plan goes before it.
        """
        self._live.expect(plan)

    def seconds_before(self, epoch: int) -> float:
        """Return the time in s that the present fit has taken until an epoch; 0 if a new fit begins with it.

        A limit of time that a framework tells of begins with its fit, too.

        Args:
            epoch: Index of the epoch, which has just begun.
        """
        return seconds_before(self.history, epoch, self._live.epochs.unrecorded_seconds)

    def watch(self, metric: str, mode: str) -> None:
        """Tell which metric is of interest besides those that policies watch.

        Where no policy watches one, it stands for the quality of the model, in the summary and elsewhere.

        Args:
            metric: Its key.
            mode: ``max`` or ``min``: which way it improves.
        """
        self._live.knowledge.watch(metric, mode)

    def expect_validation(self, every_epochs: int | None) -> None:
        """Tell how often the framework validates, so that a metric that cannot come is missed in time.

        Args:
            every_epochs: After every so many epochs; None for never.
        """
        self._live.knowledge.expect_validation(every_epochs)

    def expect_no_epochs(self) -> None:
        """Tell that the training goes by steps, over data of no known end, so that epochs may never end."""
        self._live.knowledge.expect_no_epochs()

    def explain_missing(self, metrics: Collection[str], why: str, remedy: str) -> None:
        """Say of metrics why they do not come, as far as they are watched and have not come.

        Args:
            metrics: Their keys.
            why: Half a sentence.
            remedy: A sentence.
        """
        self._live.knowledge.explain_missing(metrics, why, remedy)

    def warn(self, key: str, message: str, *arguments: object) -> None:
        """Say once that something of this run cannot act, be measured or be kept; the summary repeats it.

        Args:
            key: What it is about: of one key, only the first is said.
            message: The sentence or two, with the remedy, for the ``%`` operator.
            *arguments: What to fill in.
        """
        self._state.notices.say(key, message, *arguments)

    def keep_checkpoints(self, metric: str, kept: Checkpoints) -> None:
        """Note which checkpoint files of the front of a metric there are, in the place of those noted before.

        Args:
            metric: Its key.
            kept: All of the files.
        """
        self._state.checkpoints[metric] = kept
        self._live.knowledge.keep_checkpoints(metric, kept)

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Begin a phase, in an epoch or outside: ``train``, ``validation``, ``test``, ``predict`` or ``other``.

        Args:
            name: The phase.

        Returns:
            A context at whose end the phase before goes on; may be thrown away.

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
        """Tell what is fresh; may be called any number of times before the end of the epoch.

        What is no number is not recorded, and said once.

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
        """Training samples that were observed in the open interval; None if none were."""
        return self._live.epochs.samples

    @property
    def decides_inside_epochs(self) -> bool:
        """Whether ``decide_every`` was given."""
        return self._settings.decide_every is not None

    def end_step(self, count: int = 1) -> bool:
        """Tell that optimiser steps were done; every rank calls this after the same ones.

        Args:
            count: How many since the last call.

        Returns:
            Whether it is time, by ``decide_every``, to call :meth:`end_part`; observe what is fresh before that.
        """
        return self._live.epochs.count_steps(count)

    def look(self) -> bool:
        """Look whether a budget is spent, if it may be by now; every rank calls this after the same batches.

        Makes no record. Costs next to nothing while no budget can be spent.

        Returns:
            Whether the run is to stop inside the epoch; :attr:`stop_reason` then says why.
        """
        looks = self._looks  # a loop asks after every batch: no more than a reading of the clock
        return looks is not None and looks.is_due() and self._live.epochs.look()

    def end_part(self) -> EpochRecord:
        """End a part of the epoch, which goes on: read the counters, decide, hand the record over.

        Returns:
            The record of the part, with ``closes_epoch=False``. The records of an epoch partition it.
        """
        return self._live.epochs.end_part()

    def end_epoch(self, *, complete: bool | None = None) -> EpochRecord:
        """End the epoch: read the counters, decide, hand the record over.

        Args:
            complete: Whether the epoch ran to its end; unless given, if no decision inside it stopped the run.

        Returns:
            The record, with the verdicts on it: of the epoch, or of what is left of it where parts were recorded. If no
            epoch is open, an incomplete one in which nothing was measured.
        """
        return self._live.epochs.end(complete=complete)

    def epochs(self, count: int) -> Iterator[int]:
        """Go through epochs, from the first that is not recorded yet, until a policy ends the run.

        An epoch that the loop is left in with ``break`` or ``return`` counts as whole, unless the traces of it tell
        otherwise: batches that :meth:`steps` has not gone through, metrics that the epochs before had, or a time much
        shorter than theirs. One that an exception breaks off does not.

        Args:
            count: Number of epochs of the whole run.

        Yields:
            The index of the epoch; it begins and ends with the body of the loop.
        """
        return each_epoch(self, lambda: self._run, count)

    def steps(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Go through the batches of an epoch, a step each, until there are no more or a policy ends the run.

        Budgets are looked at inside the epoch; with ``decide_every``, all policies are asked there.

        Args:
            batches: What is trained on.

        Yields:
            The batches.
        """
        return each_step(self, lambda: self._run, batches)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold, as plain JSON types; asks no other rank.

        May be called from a signal handler at any moment: it tells of the last complete edge.
        """
        run = self._run
        state = replace(self._state, ledger=run.ledger.path) if run and run.ledger else self._state
        return encode_state(state, run.epochs.step if run else self.history.steps)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the run of a checkpoint; what was done after it counts as lost work once it is done again.

        Args:
            state: What :meth:`state_dict` returned.

        Raises:
            ConfigurationError: The state is of another version, or damaged.
        """
        checkpoint = CheckpointState.decode(state)
        self._is_resumed, self._resumed_step = True, checkpoint.step
        if checkpoint.run_id == self.run_id and self.history.recorded_rows >= checkpoint.history.recorded_rows:
            return
        self.close()
        self._run = None
        self._state = checkpoint.resumed(self._settings.ledger)

    def close(self, *, together: bool = True) -> RunRecord:
        """End the run, with an open epoch as incomplete; safe to call again. It can be started again.

        Args:
            together: Whether all ranks call this; after an exception on one of them they do not, and what the others
                used since the last record is lost.

        Returns:
            The totals so far.
        """
        if self._run is not None:
            return self._run.close(together=together)
        state = self._state
        return totals(self.history, self.run_id, state.ledger, state.stop_reason, state.notices.texts)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(together=kind is None)


class _Phase(AbstractContextManager[None]):
    """A phase that has begun, and gives way to the one before."""

    def __init__(self, epochs: RunEpochs | IdleRun, name: str) -> None:
        self._epochs = epochs
        self._before = epochs.phase(name)

    def __exit__(self, *_: object) -> None:
        self._epochs.phase(self._before)
