"""What a run is made of, opened in order."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Self

from green_callbacks.accountant.beginning.options import Settings
from green_callbacks.accountant.beginning.project_spending import with_project_spending
from green_callbacks.accountant.beginning.resume import RunState
from green_callbacks.accountant.beginning.trainer_context import Surroundings, head_of
from green_callbacks.accountant.decisions.policy_board import PolicyBoard
from green_callbacks.accountant.delivery.run_delivery import Delivery
from green_callbacks.accountant.energy.run_measurement import RunMeasurement
from green_callbacks.ledger import RunLedger
from green_callbacks.sinks import RunContext, Sink, TensorBoardSink
from green_callbacks.summary import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedRun:
    """The parts of a run that has been opened.

    Attributes:
        settings: The checked options.
        around: What the adapter knows.
        state: The run's name, file and records so far.
        measurement: The sources and what turns their readings into records.
        board: The policies.
        context: What sinks know of the run; changes with what becomes known.
        delivery: The ledger and the sinks.
    """

    settings: Settings
    around: Surroundings
    state: RunState
    measurement: RunMeasurement
    board: PolicyBoard
    context: RunContext
    delivery: Delivery

    @classmethod
    def open(
        cls,
        settings: Settings,
        around: Surroundings,
        state: RunState,
        make_room: Callable[[Collection[str]], bool],
    ) -> Self:
        """Open the sources of a run, and prepare its policies, ledger and sinks.

        Args:
            settings: The checked options.
            around: What the adapter knows.
            state: The run's name, file and records so far.
            make_room: Closes the runs on some devices that cannot go on; returns whether there were any.
        """
        measurement = RunMeasurement(settings, around, state.notices)
        board = _board(settings, around, state)
        try:
            measurement.begin(make_room)
            context = _context(settings, around, state, board)
            ledger = _ledger(settings, around, state, context, measurement)
            sinks = _sinks(settings, around)
            threads, shown = measurement.meter.threads, len(state.history)
            delivery = Delivery(ledger, sinks, threads, state.notices, shown=shown)
        except BaseException:
            measurement.close()
            raise
        return cls(
            settings=settings,
            around=around,
            state=state,
            measurement=measurement,
            board=board,
            context=context,
            delivery=delivery,
        )


def _board(settings: Settings, around: Surroundings, state: RunState) -> PolicyBoard:
    policies = settings.policies
    if around.ranks.rank == 0:
        policies = with_project_spending(policies, state.ledger, state.run_id, state.notices)
    return PolicyBoard(
        policies, around.plan, state.history, state.notices, settings.decide_every, strict=settings.strict
    )


def _context(settings: Settings, around: Surroundings, state: RunState, board: PolicyBoard) -> RunContext:
    return RunContext(
        run_id=state.run_id,
        folder=around.folder,
        before=state.history.copy(),
        history=state.history,
        plan=around.plan,
        monitor=board.monitor,
        mode=board.mode,
        pue_source=settings.pue.source,
        writer=around.writer,
        streams_scalars=around.streams_scalars,
        is_resumed=around.is_resumed,
        checkpoints=state.checkpoints,
    )


def _ledger(
    settings: Settings, around: Surroundings, state: RunState, context: RunContext, measurement: RunMeasurement
) -> RunLedger | None:
    if state.ledger is None or around.ranks.rank != 0:
        return None
    return RunLedger(
        state.ledger,
        head_of(context, settings.labels, measurement.slots.slots),
        state.history,
        held=state.held,
        checkpoints=state.checkpoints,
        threads=measurement.meter.threads,
        predecessor=state.predecessor,
        notices=lambda: state.notices.by_key,
    )


def _sinks(settings: Settings, around: Surroundings) -> Sequence[Sink]:
    if around.ranks.rank != 0:
        return ()
    return [TensorBoardSink(), Summary()] if settings.sinks is None else settings.sinks
