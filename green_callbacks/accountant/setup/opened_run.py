"""The parts of a run, opened in order."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Self

from green_callbacks.accountant.decisions.policy_board import PolicyBoard
from green_callbacks.accountant.delivery.run_delivery import Delivery
from green_callbacks.accountant.energy.run_measurement import RunMeasurement
from green_callbacks.accountant.landing.run_landing import LandingBefore
from green_callbacks.accountant.presence.identities import host_identities
from green_callbacks.accountant.ranks.protocol import leave
from green_callbacks.accountant.setup.options import Settings
from green_callbacks.accountant.setup.parent_run import parents_of_run
from green_callbacks.accountant.setup.resume import RunState
from green_callbacks.accountant.setup.trainer_context import TrainerContext, head_of
from green_callbacks.ledger import Head, RunLedger
from green_callbacks.records import DeviceInfo
from green_callbacks.sinks import MlflowSink, RunContext, Sink, TensorBoardSink, WandbSink
from green_callbacks.summary import Summary
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedRun:
    """The parts of a run that has been opened.

    Attributes:
        settings: The checked options.
        trainer: The context that the adapter knows.
        state: The run's name, file and records so far.
        measurement: The sources, and the parts that turn readings into records.
        board: The policies.
        context: The run as sinks know it. It changes when more becomes known.
        delivery: The ledger and the sinks.
        head: The head of the ledger, also without a ledger. None on other ranks, and for a provisional run.
    """

    settings: Settings
    trainer: TrainerContext
    state: RunState
    measurement: RunMeasurement
    board: PolicyBoard
    context: RunContext
    delivery: Delivery
    head: Head | None

    @classmethod
    def open(
        cls,
        settings: Settings,
        trainer: TrainerContext,
        state: RunState,
        make_room: Callable[[Collection[str]], bool],
        before: RunMeasurement | None = None,
    ) -> Self:
        """Open the sources of a run, and prepare its policies, ledger and sinks.

        Args:
            settings: The checked options.
            trainer: The context that the adapter knows.
            state: The run's name, file and records so far.
            make_room: Closes the runs that must give up some devices. Returns whether there were any.
            before: The measurement of a provisional run, which goes on. Defaults to a new measurement.
        """
        measurement = RunMeasurement(settings, trainer, state.notices, before)
        board = _board(settings, trainer, state)
        try:
            measurement.begin(make_room)
            infos = {slot.name: slot.info for slot in measurement.slots.slots if slot.info != DeviceInfo()}
            context = replace(_context(settings, trainer, state, board), devices=infos)
            head = _head(settings, trainer, state, context, measurement)
            ledger = _ledger(head, state, measurement)
            threads, shown = measurement.meter.threads, len(state.history)
            delivery = Delivery(ledger, _sinks(settings, trainer), threads, state.notices, shown=shown)
        except BaseException:
            leave(trainer.ranks)
            measurement.close()
            raise
        return cls(
            settings=settings, trainer=trainer, state=state, measurement=measurement, board=board, context=context,
            delivery=delivery, head=head,
        )  # fmt: skip


def _board(settings: Settings, trainer: TrainerContext, state: RunState) -> PolicyBoard:
    is_ours = trainer.ranks.rank == 0 and not trainer.is_provisional
    if is_ours and settings.configured is not None and state.notices.is_new("configured budget"):
        logger.warning("%s", settings.configured.origin)
    return PolicyBoard(
        settings.policies,
        trainer.plan,
        state.history,
        state.notices,
        settings.decide_every,
        strict=settings.strict,
        before=LandingBefore(state.landing, state.step),
    )


def _context(settings: Settings, trainer: TrainerContext, state: RunState, board: PolicyBoard) -> RunContext:
    return RunContext(
        run_id=state.run_id,
        folder=trainer.folder,
        before=state.history.copy(),
        history=state.history,
        plan=trainer.plan,
        monitor=board.monitor,
        mode=board.mode,
        pue_source=settings.pue.source,
        writer=trainer.writer,
        is_resumed=trainer.is_resumed,
        checkpoints=state.checkpoints,
        ledger=state.ledger,
        reporting=trainer.reporting,
    )


def _head(
    settings: Settings, trainer: TrainerContext, state: RunState, context: RunContext, measurement: RunMeasurement
) -> Head | None:
    """Return the head of the run on rank 0, which alone keeps and shows the run. None elsewhere."""
    if trainer.ranks.rank != 0 or trainer.is_provisional:
        return None
    slots, hosts = measurement.slots.slots, host_identities(measurement.slots.hosts)
    return head_of(
        context,
        settings.labels,
        slots,
        settings.policies,
        parents=parents_of_run(slots, state.notices),
        earlier=state.sessions,
        hosts={**hosts, **{name: identity for name, identity in state.hosts.items() if name not in hosts}},
    )


def _ledger(head: Head | None, state: RunState, measurement: RunMeasurement) -> RunLedger | None:
    if state.ledger is None or head is None:
        return None
    return RunLedger(
        state.ledger,
        head,
        state.history,
        held=state.held,
        checkpoints=state.checkpoints,
        threads=measurement.meter.threads,
        predecessor=state.predecessor,
        notices=lambda: state.notices.by_key,
    )


def _sinks(settings: Settings, trainer: TrainerContext) -> Sequence[Sink]:
    if trainer.ranks.rank != 0 or trainer.is_provisional:
        return ()
    if settings.sinks is not None:
        return settings.sinks
    return [TensorBoardSink(), Summary(), MlflowSink.if_open(), WandbSink.if_open()]
