"""What every sink promises."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from green_callbacks.records import Checkpoints, EpochRecord, History, Plan, RunRecord


@dataclass(slots=True, kw_only=True)
class RunContext:
    """What a sink is told of a run before its first record.

    Attributes:
        run_id: Name of the run; unique, and fit for a file name.
        folder: Where the run's files lie; may not exist yet.
        before: The records of earlier processes of the run, where it is being continued.
        history: All records. Grows on another thread while the run goes on: read it only in ``finish``.
        plan: What is known ahead; may become known after the start, so that only ``finish`` can rely on it.
        monitor: Key of the metric that is watched; None if none is. May become known after the start, like the plan.
        mode: ``max`` or ``min``: which way that metric improves.
        pue_source: Where the PUE comes from, in words.
        writer: The framework's own TensorBoard writer (an object with the methods of torch's ``SummaryWriter``);
            None where there is none.
        streams_scalars: Whether the framework itself writes the scalars of every epoch through that writer.
        is_resumed: Whether the run goes on from a checkpoint or a ledger, and does again what was done after that.
        checkpoints: The checkpoint files that are kept, by the metric whose front they are of; changes while the run
            goes on, like the history.
    """

    run_id: str
    folder: Path
    before: History
    history: History
    plan: Plan = field(default_factory=Plan)
    monitor: str | None = None
    mode: str = "max"
    pue_source: str = "argument"
    writer: Any | None = None
    streams_scalars: bool = False
    is_resumed: bool = False
    checkpoints: Mapping[str, Checkpoints] = field(default_factory=dict)


class Sink(ABC):
    """A place where records go.

    All methods run on the worker's thread, one after the other. The constructor takes options and creates nothing
    live. What a sink raises is logged once; training and the other sinks go on.
    """

    def open(self, context: RunContext) -> None:
        """Get ready for a run, or for the continuation of one.

        Args:
            context: What is known of the run.
        """

    @abstractmethod
    def write(self, record: EpochRecord) -> None:
        """Take one record.

        Args:
            record: The record, with its verdicts.
        """

    def rewind(self, before: History) -> None:
        """Take note that the next records are of epochs that are done again.

        Args:
            before: All records so far, in which those that are done again lie outside epochs.
        """

    def finish(self, run: RunRecord) -> None:
        """Take the totals, after the last record.

        Args:
            run: The run's totals.
        """

    def close(self) -> None:
        """Let go of everything live; safe to call again."""
