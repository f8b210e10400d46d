"""The accountant of a run."""

import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import fields, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from green_callbacks.accountant.options import AccountantOptions, Settings
from green_callbacks.accountant.project import FOLDER
from green_callbacks.accountant.ranks import OneRank, Ranks
from green_callbacks.accountant.resume import CheckpointState, RunState, encode_state
from green_callbacks.accountant.run import Run
from green_callbacks.accountant.surroundings import Surroundings
from green_callbacks.accountant.totals import totals
from green_callbacks.carbon import lookup
from green_callbacks.errors import BudgetSpentError
from green_callbacks.records import Checkpoints, EpochRecord, History, Plan, RunRecord
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

Batch = TypeVar("Batch")


class EnergyAccountant:
    """Measures a training run epoch by epoch, turns energy into emissions, and decides whether to go on.

    It owns one run, however many times it is started and closed. A copy, or one that comes out of a pickle, is a new
    run with the same options. In a fork of the process that started it, it does nothing.

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
        self._finalizer: weakref.finalize[[], Self] | None = None
        self._is_resumed = False
        self._resumed_step: int | None = None
        if self._settings.ledger and os.path.exists(self._settings.ledger):  # noqa: PTH110  never raises
            self._state = RunState.from_ledger(self._settings.ledger)
            self._is_resumed = True

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
        is_running: Callable[[], bool] | None = None,
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
            is_running: Says whether training still goes on, for a framework that tells of no exception. Asked on
                another thread every few seconds; the run is closed when it does not.

        Returns:
            The accountant.
        """
        if self._run is not None and not self._run.is_closed:  # in this process, or in the one that it was forked from
            return self
        ours = Path(folder or ".") / FOLDER
        self._settle(ours)
        around = Surroundings(
            folder=ours,
            ranks=ranks or OneRank(),
            plan=_merged(self._settings.plan, plan or Plan()),
            writer=writer,
            streams_scalars=streams_scalars,
            gpu_uuids=gpu_uuids,
            is_running=is_running,
        )
        self._run = Run(self._settings, around, self._state)
        if self._finalizer is not None:
            self._finalizer.detach()
        self._finalizer = weakref.finalize(self, self._run.abandon)
        self._finalizer.atexit = False  # at exit, the run closes itself
        return self

    def _settle(self, folder: Path) -> None:
        """Settle the run's name and file, once; go on where the last stretch in this process ended."""
        last = self._run.ledger if self._run else None
        if last is not None:
            self._state = replace(self._state, ledger=last.path, held=len(self._state.history), predecessor=last)
        new_id = f"{self._settings.clock.now():%Y%m%dT%H%M%S}-{os.urandom(3).hex()}"
        self._state = self._state.settled(new_id, folder, self._settings.ledger)

    @property
    def run_id(self) -> str:
        """Name of the run; empty before its first start."""
        return self._state.run_id

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
        return self._run is not None and self._run.is_live

    def begin_epoch(self, epoch: int) -> None:
        """Begin an epoch; one that is still open is ended as incomplete.

        Args:
            epoch: Its index, from 0.

        Raises:
            BudgetSpentError: It is the first since the start, and a budget has no room for it.
        """
        if self._run is None:
            self.start()
        run = self._run
        if run is None or not run.is_live:
            return
        if run.is_in_epoch:
            run.end_epoch(complete=False)
        if self._is_resumed:
            self._is_resumed = False
            if self.history.lost_rows(epoch, self._resumed_step):
                run.rewind(epoch, self._resumed_step)
        try:
            run.begin_epoch(int(epoch))
        except BudgetSpentError:
            run.close(together=False)
            raise

    def expect(self, plan: Plan) -> None:
        """Tell what has become known ahead since the start.

        Args:
            plan: What the framework knows now; the user's own plan goes before it.
        """
        if self.is_live and self._run:
            self._run.replan(_merged(self._settings.plan, plan))

    def watch(self, metric: str, mode: str) -> None:
        """Tell which metric is of interest besides those that policies watch.

        Where no policy watches one, it stands for the quality of the model, in the summary and elsewhere.

        Args:
            metric: Its key.
            mode: ``max`` or ``min``: which way it improves.
        """
        if self.is_live and self._run:
            self._run.watch(metric, mode)

    def keep_checkpoints(self, metric: str, kept: Checkpoints) -> None:
        """Note which checkpoint files of the front of a metric there are, in the place of those noted before.

        Args:
            metric: Its key.
            kept: All of the files.
        """
        self._state.checkpoints[metric] = kept
        if self.is_live and self._run:
            self._run.keep_checkpoints(metric, kept)

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Begin a phase, in an epoch or outside: ``train``, ``validation``, ``test``, ``predict`` or ``other``.

        Args:
            name: The phase.

        Returns:
            A context at whose end the phase before goes on; may be thrown away.

        Raises:
            ConfigurationError: There is no such phase.
        """
        return _Phase(self._run, name)

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
        if self.is_live and self._run:
            counts = {
                "learning_rate": learning_rate,
                "samples": samples,
                "step": step,
                "tokens": tokens,
                "flops": flops,
            }
            self._run.observe(metrics or {}, counts)

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
        run = self._run
        return run is not None and run.epoch_is_open and run.count_steps(count)

    def end_part(self) -> EpochRecord:
        """End a part of the epoch, which goes on: read the counters, decide, hand the record over.

        Returns:
            The record of the part, with ``closes_epoch=False``. The records of an epoch partition it.
        """
        return self._run.end_part() if self._epoch_is_open() and self._run else self._unmeasured()

    def end_epoch(self, *, complete: bool | None = None) -> EpochRecord:
        """End the epoch: read the counters, decide, hand the record over.

        Args:
            complete: Whether the epoch ran to its end; unless given, if no decision inside it stopped the run.

        Returns:
            The record, with the verdicts on it: of the epoch, or of what is left of it where parts were recorded. If no
            epoch is open, an incomplete one in which nothing was measured.
        """
        return self._run.end_epoch(complete=complete) if self._epoch_is_open() and self._run else self._unmeasured()

    def _epoch_is_open(self) -> bool:
        if self._run is not None and self._run.epoch_is_open:
            return True
        if self._run is None or self._run.is_live:
            logger.warning("An epoch was ended that had not begun; nothing was measured. Call begin_epoch() first.")
        return False

    def epochs(self, count: int) -> Iterator[int]:
        """Go through epochs, from the first that is not recorded yet, until a policy ends the run.

        Args:
            count: Number of epochs of the whole run.

        Yields:
            The index of the epoch; it begins and ends with the body of the loop.
        """
        self.start(plan=Plan(epochs=count))
        self.expect(Plan(epochs=count))
        last = self.history.last_epoch
        for epoch in range(0 if last is None else last + 1, count):
            self.begin_epoch(epoch)
            yield epoch
            self.end_epoch()
            if self.stop_reason is not None:
                return

    def steps(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Go through the batches of an epoch, a step each, until there are no more or a policy ends the run.

        With ``decide_every``, policies are asked inside the epoch; without it, all batches are gone through.

        Args:
            batches: What is trained on.

        Yields:
            The batches.
        """
        done = self.history.steps or 0
        for number, batch in enumerate(batches, start=1):
            yield batch
            self.observe(step=done + number)
            if self.end_step():
                self.end_part()
                if self.stop_reason is not None:
                    return

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint must hold, as plain JSON types; asks no other rank.

        May be called from a signal handler at any moment: it tells of the last complete edge.
        """
        run = self._run
        state = replace(self._state, ledger=run.ledger.path) if run and run.ledger else self._state
        return encode_state(state, run.step if run else self.history.steps)

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
        return totals(self.history, self.run_id, self._state.ledger, self._state.stop_reason)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(together=kind is None)

    def _unmeasured(self) -> EpochRecord:
        return EpochRecord(
            epoch=None,
            started_at=self._settings.clock.now(),
            duration_seconds=0.0,
            devices={},
            intensity=lookup("World"),
            complete=False,
        )


class _Phase(AbstractContextManager[None]):
    """A phase that has begun, and gives way to the one before."""

    def __init__(self, run: Run | None, name: str) -> None:
        self._run = run
        self._before = run.phase(name) if run else name

    def __exit__(self, *_: object) -> None:
        if self._run is not None:
            self._run.phase(self._before)


def _merged(users: Plan, frameworks: Plan) -> Plan:
    """Let what the user said go before what the framework knows."""
    said = {f.name: getattr(users, f.name) for f in fields(Plan) if getattr(users, f.name) != f.default}
    return replace(frameworks, **said)
