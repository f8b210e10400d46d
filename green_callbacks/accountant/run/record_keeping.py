"""The end of an interval, with a record, its verdicts, and a decision of all ranks."""

from collections.abc import Sequence

from green_callbacks.accountant.decisions.open_epoch import OpenEpoch
from green_callbacks.accountant.decisions.policy_board import PolicyBoard
from green_callbacks.accountant.delivery.run_delivery import Delivery
from green_callbacks.accountant.energy.interval_edges import Edges
from green_callbacks.accountant.energy.lap_vectors import Lap
from green_callbacks.accountant.energy.open_interval import OpenInterval
from green_callbacks.accountant.energy.remainder import with_remainder
from green_callbacks.accountant.energy.run_measurement import RunMeasurement
from green_callbacks.accountant.guarded_calls import Guarded
from green_callbacks.accountant.ranks.protocol import Ranks
from green_callbacks.accountant.shared_budgets.shared_budgets import SharedBudgets
from green_callbacks.records import EpochRecord, History


class RecordKeeping:
    """Ends the open interval, records it, asks the policies, and shows the record to the sinks.

    Args:
        measurement: Makes the record.
        edges: Gives the record to the history and to the ledger.
        delivery: The ledger and the sinks.
        history: All records of the run. It grows.
        board: The policies.
        open_epoch: The open epoch.
        ranks: The processes of the run.
        guarded: Knows which metrics were refused.
        strict: Whether to raise what a sink raises.
        shared: Knows what other runs spend of the same budgets.
    """

    def __init__(
        self,
        measurement: RunMeasurement,
        edges: Edges,
        delivery: Delivery,
        history: History,
        *,
        board: PolicyBoard,
        open_epoch: OpenEpoch,
        ranks: Ranks,
        guarded: Guarded,
        strict: bool,
        shared: SharedBudgets,
    ) -> None:
        self._measurement = measurement
        self._edges = edges
        self._delivery = delivery
        self._history = history
        self._board = board
        self._open_epoch = open_epoch
        self._ranks = ranks
        self._guarded = guarded
        self._strict = strict
        self._shared = shared

    def record(self, *, complete: bool, together: bool, goes_on: bool = False) -> EpochRecord:
        """End the open interval, keep its record and the record of the interval before it, and decide.

        Args:
            complete: Whether the interval ran to its end.
            together: Whether all ranks call this.
            goes_on: Whether only a part of the epoch has ended. Defaults to False.

        Returns:
            The record, with its verdicts.
        """
        made: list[EpochRecord] = []
        is_going_on = self._edges.at(self._end, made, complete, together, goes_on)
        record = made[-1]
        if self._ranks.rank == 0 and is_going_on and _is_worth_keeping(record):
            record = self._decided(made)
        if together and record.epoch is not None:
            self._board.agree(self._ranks)
        return record

    def _end(self, made: list[EpochRecord], complete: bool, together: bool, goes_on: bool) -> None:  # noqa: FBT001
        """End the open interval. Put its record, and the record of the interval before it, into a list."""
        measurement = self._measurement

        def rows(intervals: Sequence[tuple[OpenInterval, Lap]]) -> Sequence[EpochRecord]:
            laps = [measurement.gpus.added(lap) for _, lap in intervals]
            slots = measurement.slots
            laps = slots.total(laps) if together else [slots.local(lap) for lap in laps]
            if len(laps) == 2 and self._ranks.size > 1:  # noqa: PLR2004  what lies outside epochs, and an epoch
                laps = with_remainder(*laps)
            made.extend(
                measurement.pricing.row(interval, lap, complete=complete, closes_epoch=not goes_on)
                for (interval, _), lap in zip(intervals, laps, strict=True)
            )
            is_kept = self._ranks.rank == 0
            return [row for row in made if _is_worth_keeping(row)] if is_kept else ()

        measurement.timeline.end(rows, len(self._history), goes_on=goes_on)
        if not goes_on:
            self._open_epoch.end()

    def _decided(self, made: Sequence[EpochRecord]) -> EpochRecord:
        """Ask the policies about the last record, and show it to the sinks. The ledger has it already."""
        *outside, record = made
        last = len(self._history) - 1
        if record.epoch is not None:
            self._shared.look()
            record = self._with_verdicts(record)
            self._shared.tell()
        delivery = self._delivery
        delivery.settle()  # a sink that is shown a record finds it in the ledger
        kept = [row for row in outside if _is_worth_keeping(row)]
        delivery.show_until(self._history, last - len(kept))
        for number, row in enumerate((*kept, record), start=last - len(kept)):
            delivery.show(number, row)
        if self._strict:
            delivery.raise_failure()
        return record

    def _with_verdicts(self, record: EpochRecord) -> EpochRecord:
        """Return a record with the verdicts of the policies. The ledger gets the verdicts too."""
        self._measurement.gpus.check_record(record)
        verdicts = self._board.decide(
            self._history,
            record,
            has_counted=self._open_epoch.parts.has_counted,
            is_unasked=self._open_epoch.is_unasked and record.closes_epoch,
            refused=self._guarded.refused,
        )
        if not verdicts:
            return record
        if self._delivery.ledger:
            self._delivery.ledger.verdicts(verdicts)
        return record._replace(verdicts=verdicts)


def _is_worth_keeping(record: EpochRecord) -> bool:
    """Return whether a record says anything. An interval between two epochs is often empty."""
    return record.epoch is not None or bool(record.duration_seconds or record.energy_joules or record.metrics)
