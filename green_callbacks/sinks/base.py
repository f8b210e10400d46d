"""The contract of every sink."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from green_callbacks.records import Checkpoints, DeviceInfo, EpochRecord, History, Plan, RunRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """How a framework itself reports metrics, to its TensorBoard writer and to experiment trackers.

    Attributes:
        streams_scalars: Whether the framework writes the scalars of every epoch through its TensorBoard writer.
            Defaults to False.
        loggers: Loggers of the framework that get the scalars of every epoch from the adapter. Defaults to none.
        step_metric: Metric under which the framework reports the optimizer steps, such as ``train/global_step``.
            Defaults to None, for a framework whose users count epochs.

    Example:
        >>> Reporting(step_metric="train/global_step").loggers
        ()
    """

    streams_scalars: bool = False
    loggers: tuple[Any, ...] = ()
    step_metric: str | None = None


@dataclass(slots=True, kw_only=True)
class RunContext:
    """The facts about a run that a sink gets before the first record.

    Attributes:
        run_id: Name of the run. It is unique and can be a file name.
        folder: Folder for the files of the run. It may not exist yet.
        before: Records of earlier processes of the run, if the run is continued.
        history: All records. It grows on another thread while the run goes on, so read it only in ``finish``.
        plan: Planned length of the run. It may become known after the start, so only ``finish`` can rely on it.
        monitor: Key of the watched metric. None if there is none. It may become known after the start, like the plan.
        mode: Whether the watched metric improves upwards (``max``) or downwards (``min``).
        pue_source: Origin of the PUE, in words.
        writer: TensorBoard writer of the framework, with the methods of torch's ``SummaryWriter``. It may also be the
            folder of the framework's TensorBoard run, as a path. None without either.
        is_resumed: Whether the run continues from a checkpoint or a ledger, and repeats the epochs after it.
        checkpoints: Kept checkpoint files by the metric of their Pareto front. It changes while the run goes on, like
            the history.
        ledger: The ledger of the run. None if there is none.
        reporting: How the framework itself reports metrics.
        devices: Properties of the devices, such as the default of their power limits, by device.

    Example:
        >>> context = RunContext(run_id="my-run", folder=Path(), before=History(), history=History())
        >>> context.monitor is None, context.mode
        (True, 'max')
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
    is_resumed: bool = False
    checkpoints: Mapping[str, Checkpoints] = field(default_factory=dict)
    ledger: Path | None = None
    reporting: Reporting = field(default_factory=Reporting)
    devices: Mapping[str, DeviceInfo] = field(default_factory=dict)


class Sink(ABC):
    """A destination of records.

    All methods but :meth:`at_edge` run on the worker's thread, one after the other. The constructor takes options and
    creates nothing live. An exception of a sink is logged once, and training and the other sinks go on.

    Example:
        >>> class Printer(Sink):
        ...     def write(self, record):
        ...         print(f"epoch {record.epoch} emitted {record.emissions_kg} kg")
        >>> Printer().write(EpochRecord.scripted(epoch=0, emissions_kg=0.1))
        epoch 0 emitted 0.1 kg
    """

    def at_edge(self) -> None:
        """Look at what only the training thread can see, such as the open run of a library.

        The training thread calls this when the run starts, before :meth:`open`, and when a record is made, before
        :meth:`write`. It must not wait for anything, such as a lock, a file or a server.
        """

    def open(self, context: RunContext) -> None:
        """Prepare for a run or for its continuation.

        Args:
            context: Facts about the run.
        """

    @abstractmethod
    def write(self, record: EpochRecord) -> None:
        """Take one record.

        Args:
            record: The record, with its verdicts.
        """

    def rewind(self, before: History) -> None:
        """Prepare for repeated epochs. The next records replace earlier records.

        Args:
            before: All records so far. The records that will be repeated lie outside epochs.
        """

    def finish(self, run: RunRecord) -> None:
        """Take the totals, after the last record.

        Args:
            run: Totals of the run.
        """

    def close(self) -> None:
        """Release everything live. A second call does nothing."""
