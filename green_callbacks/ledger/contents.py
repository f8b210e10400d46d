"""The contents of a ledger, as a reader returns them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from green_callbacks.ledger.head import Head
from green_callbacks.records import Checkpoints, DeviceInfo, History, Plan


@dataclass(frozen=True, slots=True)
class LedgerContents:
    """The contents of a ledger.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from green_callbacks.ledger import Head, LedgerContents, Lines, read_ledger
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "digits.jsonl")
        ...     _ = path.write_bytes(Lines().head(Head(run_id="digits", version="0.1.0")))
        ...     contents: LedgerContents = read_ledger(path)
        >>> contents.run_id, contents.is_closed, len(contents.history)
        ('digits', False, 0)

    Attributes:
        run_id: Name of the run. Empty if its process was killed before it could write the name.
        history: All its records, without their verdicts. The first tries of repeated epochs, and the last heartbeat,
            are rows outside epochs.
        stop_reason: Why a policy ended the run. None if no policy did, or if the run was never closed.
        is_closed: Whether the run was closed. Otherwise it was killed or is still running.
        plan: The last plan of the run.
        monitor: Key of the watched metric. None for no metric.
        mode: Direction in which that metric improves, ``max`` or ``min``.
        pue_source: Where the PUE comes from, in words.
        checkpoints: The checkpoint files that were kept, by metric.
        recorded: Number of records in the file, without the last heartbeat. Defaults to 0.
        version: Version of the package that wrote the last head. Defaults to an empty text, for an unknown version.
        host: Name of the machine. Defaults to an empty text, for an unknown name.
        devices: Properties of the devices, such as their product names, by device. Defaults to empty.
        labels: Labels that the user gave the run. Defaults to empty.
        versions: Versions of Python and of the frameworks, by name. Defaults to empty.
        plans: All plans of the run, each with the number of records after which it held. Defaults to none.
        notices: Sentences about everything that could not act, be measured or be kept, by key. Defaults to empty.
        head: The head of the last session. Defaults to an empty head.
    """

    run_id: str
    history: History
    stop_reason: str | None
    is_closed: bool
    plan: Plan
    monitor: str | None
    mode: Literal["max", "min"]
    pue_source: str
    checkpoints: Mapping[str, Checkpoints]
    recorded: int = 0
    version: str = ""
    host: str = ""
    devices: Mapping[str, DeviceInfo] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    plans: tuple[tuple[int, Plan], ...] = ()
    notices: Mapping[str, str] = field(default_factory=dict)
    head: Head = field(default_factory=lambda: Head(run_id="", version=""))
