"""The common part of the sinks for experiment trackers."""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from green_callbacks.errors import ConfigurationError
from green_callbacks.records import EpochRecord, RunRecord
from green_callbacks.sinks.base import RunContext, Sink
from green_callbacks.sinks.cumulative_emissions import CumulativeEmissions
from green_callbacks.sinks.scalars import scalars
from green_callbacks.sinks.trackers.run_facts import origin, totals
from green_callbacks.sinks.trackers.tracker_run import Place, TrackerRun
from green_callbacks.text.log import get_logger
from green_callbacks.units import described

logger = get_logger(__name__)

_EVALUATIONS: Final = frozenset({"validation", "test", "predict"})
"""Phases that train nothing."""


@dataclass(slots=True)
class _Session:
    """What a sink knows of one run, from its start to its close.

    Attributes:
        context: The run.
        spent: Its emissions so far.
        streamed: The tracker's runs that the framework writes to.
        told: The tracker's runs that know the facts about the run.
        last: Position of the last record inside an epoch. None before the first.
        whole: The last record, if the run has no epochs but may be a whole training. Else None.
        is_evaluation: Whether a record outside epochs holds an evaluation.
        failed: Kinds of exceptions that were raised.
    """

    context: RunContext
    spent: CumulativeEmissions
    streamed: tuple[TrackerRun, ...]
    told: tuple[TrackerRun, ...] = ()
    last: Place | None = None
    whole: EpochRecord | None = None
    is_evaluation: bool = False
    failed: set[type[Exception]] = field(default_factory=set)


class TrackerSink(Sink):
    """Writes to a run that the user or the framework has open in a tracker. It never opens a run.

    Args:
        ledger_artifact: Whether to upload the ledger at the end.

    Raises:
        ConfigurationError: ``ledger_artifact`` is not True or False.
    """

    tracker: ClassVar[str]
    """Name of the tracker, for messages."""

    def __init__(self, *, ledger_artifact: bool) -> None:
        if not isinstance(ledger_artifact, bool):
            msg = f"ledger_artifact= takes True or False, not {described(ledger_artifact)}."
            raise ConfigurationError(msg)
        self._ledger_artifact = ledger_artifact
        self._is_optional = False
        self._found: TrackerRun | None = None
        self._session: _Session | None = None

    @classmethod
    def if_open(cls) -> Self:
        """Return a sink that does nothing, and says nothing, where no run is open."""
        sink = cls()  # type: ignore[call-arg]  # every option of a tracker's sink has a default
        sink._is_optional = True
        return sink

    @property
    @abstractmethod
    def remedy(self) -> str:
        """How to open a run, and how to name one, as a sentence."""

    @abstractmethod
    def _open_run(self) -> TrackerRun | None:
        """Return the run that is open, as the training thread sees it."""

    @abstractmethod
    def _run_of(self, logger_of_framework: Any) -> TrackerRun | None:  # noqa: ANN401  of any framework
        """Return the run of a framework's logger. None if it logs to something else."""

    def at_edge(self) -> None:
        """Look for an open run, until one is found. The first that is found stays until the end."""
        if self._found is None:
            self._found = self._open_run()

    def open(self, context: RunContext) -> None:
        """Begin a run.

        Args:
            context: Facts about the run.
        """
        runs = [run for each in context.reporting.loggers if (run := self._run_of(each)) is not None]
        self._session = _Session(context, CumulativeEmissions.of(context.before), tuple(runs))

    def write(self, record: EpochRecord) -> None:
        """Add the numbers of a record inside an epoch to the curves, unless the framework has added them.

        Args:
            record: The record, with its verdicts.
        """
        session = self._session
        if session is None:
            return
        session.spent.add(record)
        if record.epoch is None:
            session.is_evaluation |= not _EVALUATIONS.isdisjoint(record.phases)
            session.whole = record if session.last is None and not session.is_evaluation else None
            return
        session.whole = None
        session.last = place = _place(record, record.epoch, session.context.reporting.step_metric)
        runs = tuple(self._runs(session))
        spent = session.spent
        values = scalars(record, spent.kg, spent.low_kg, spent.high_kg, spent.effort) if runs else {}
        for run, is_streamed in runs:
            with self._raising_once(session):
                if not any(run.is_same(each) for each in session.told):
                    session.told = (*session.told, run)
                    _introduce(run, record, session.context)
                if not is_streamed:
                    run.add(values, place)

    def finish(self, run: RunRecord) -> None:
        """Set the totals of a run that has trained. A run with nothing but an evaluation leaves those of the training.

        Args:
            run: Totals of the run.
        """
        session = self._session
        if session is None:
            return
        whole, place = session.whole, session.last
        if whole is not None:
            place = _place(whole, max(run.epochs - 1, 0), session.context.reporting.step_metric)
        if place is None:
            return
        runs = tuple(self._runs(session))
        facts = origin(session.context, run.intensity, run.pue) | totals(run)
        for each, is_streamed in runs:
            with self._raising_once(session):
                if whole is not None:
                    _introduce(each, whole, session.context)
                each.sum_up(facts, None if is_streamed else place)
                if self._ledger_artifact and run.ledger is not None:
                    each.keep(run.ledger)
        self._say_what_is_missing(run, has_run=bool(runs))

    def close(self) -> None:
        """Let go of the tracker's run, which stays open."""
        self._found = self._session = None

    def _say_what_is_missing(self, run: RunRecord, *, has_run: bool) -> None:
        if not has_run and not self._is_optional:
            logger.warning(
                "%s found no open run, so %s shows nothing of run %s. The ledger holds its records. %s",
                type(self).__name__,
                self.tracker,
                run.run_id,
                self.remedy,
            )
        elif has_run and self._ledger_artifact and run.ledger is None:
            logger.warning(
                "%s can upload no ledger of run %s, because there is none. Leave out ledger=False.",
                type(self).__name__,
                run.run_id,
            )

    @contextmanager
    def _raising_once(self, session: _Session) -> Iterator[None]:
        """Raise the first exception of each kind. A server that is away would raise one in every epoch."""
        try:
            yield
        except Exception as failure:
            if type(failure) not in session.failed:
                session.failed.add(type(failure))
                raise
            logger.debug("%s has failed again.", type(self).__name__, exc_info=failure)

    def _runs(self, session: _Session) -> Iterator[tuple[TrackerRun, bool]]:
        """Yield the runs to write to, and whether the framework writes their curves."""
        found = self._found
        for run in session.streamed:
            yield run, True
        if found is not None and not any(found.is_same(run) for run in session.streamed):
            yield found, False


def _place(record: EpochRecord, epoch: int, step_metric: str | None) -> Place:
    ended_at = record.started_at.timestamp() + record.duration_seconds
    return Place(epoch=epoch, step=record.step, step_metric=step_metric, seconds=ended_at)


def _introduce(run: TrackerRun, record: EpochRecord, context: RunContext) -> None:
    """Set the facts that are known at the first record. Warn if the tracker's run serves two trainings."""
    holder = run.holder()
    if holder is not None and holder != context.run_id:
        logger.warning(
            "%s holds the numbers of run %s already, so the points of two runs are mixed, and its totals are those of "
            "run %s. Open a run of its own for each training.",
            run.name,
            holder,
            context.run_id,
        )
    run.tell(origin(context, record.intensity, record.pue))
