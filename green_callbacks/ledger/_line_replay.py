"""Builds the contents of a ledger line by line, even if the ledger is damaged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, cast

from green_callbacks.errors import LedgerError
from green_callbacks.ledger._head_codec import decode_head, decode_plan
from green_callbacks.ledger._json_line import fields_of
from green_callbacks.ledger._row_decoding import Rows
from green_callbacks.ledger.contents import LedgerContents
from green_callbacks.ledger.format import HEAD, VERDICTS
from green_callbacks.ledger.head import Head
from green_callbacks.ledger.ledger_files import not_a_ledger, shown
from green_callbacks.ledger.limits import MAX_LINES, MAX_NOTICES, MAX_PASSED_BYTES, MAX_REWOUND_ROWS
from green_callbacks.records import Checkpoints, EpochRecord, History, Plan
from green_callbacks.records.checked import MAX_TEXT, count, optional_count, optional_text, text

_TYPE: Final = b'"type"'
_TRAINED: Final = ("record", "heartbeat")

_REWIND_ROWS: Final = 1_000
"""Number of rows that a rewind counts for at least, because even a rewind without rows takes time."""

_BATCH: Final = 64
"""Number of records added to the history at once. By experiment, other numbers take up to a tenth longer."""


@dataclass(slots=True)
class LineReplay:
    """Builds the contents of a ledger line by line. It may be asked for them at any line, and go on after it.

    A heartbeat counts only once no record of its process can follow. A landing stays known in later sessions that
    train no epoch, such as a final test.
    """

    path: Path
    head: Head | None = None
    history: History = field(default_factory=History)
    stop_reason: str | None = None
    is_closed: bool = False
    plan: Plan = field(default_factory=Plan)
    plans: list[tuple[int, Plan]] = field(default_factory=list)
    checkpoints: dict[str, Checkpoints] = field(default_factory=dict)
    notices: dict[str, str] = field(default_factory=dict)
    last_words: EpochRecord | None = None
    inherits_landing: bool = False
    number: int = 0
    device_numbers: int = 0
    """Number of devices in all records so far, each counted in every record."""
    _waiting: list[EpochRecord] = field(default_factory=list)
    _rows: Rows = field(default_factory=Rows)
    _passed: list[str] = field(default_factory=list)
    _passed_lines: int = 0
    _passed_bytes: int = 0
    _rewound_rows: int = 0
    _files_passed: int = 0
    _refused: list[str] = field(default_factory=list)
    """Why the last heartbeat could not be added."""

    def take(self, line: bytes | int) -> None:
        """Read the next line, or skip it if it is damaged."""
        self.number += 1
        if self.number > MAX_LINES:
            msg = f"{shown(self.path)} has more than {MAX_LINES:,} lines, which no run writes. Name another ledger."
            raise LedgerError(msg)
        if isinstance(line, int):
            self._pass(line, "longer than 1 MiB")
        elif self.head is None and not _may_begin(line):
            raise self._headless()
        elif line and not (line.startswith(VERDICTS) and line.count(_TYPE) == 1):
            try:
                self._follow(fields_of(line))
            except ValueError as reason:
                self._pass(len(line), str(reason))

    def _pass(self, size: int, reason: str) -> None:
        self._count_passed(size, reason)
        self._rows.doubt()

    def _count_passed(self, size: int, reason: str) -> None:
        self._passed_lines += 1
        self._passed_bytes += size
        if not self._passed:
            self._passed.append(f"line {self.number}: {reason}")
        if self._passed_bytes > MAX_PASSED_BYTES:
            msg = f"{shown(self.path)} is damaged from line {self.number} on. Restore it, or name another ledger."
            raise LedgerError(msg)

    def _headless(self) -> LedgerError:
        """Return the error for a file whose head is missing or damaged."""
        if not self._passed or self._passed_bytes < len(HEAD):
            return not_a_ledger(self.path)
        return LedgerError(f"The head of {shown(self.path)} cannot be read ({self._passed[0]}). Name another ledger.")

    def _follow(self, fields: Mapping[str, Any]) -> None:
        kind = fields.get("type")
        if self.inherits_landing and kind in _TRAINED and fields.get("epoch") is not None:
            self.plan, self.inherits_landing = replace(self.plan, landing=None), False
        if kind == "record":
            self._wait(self._rows.record(fields))
            self.last_words = None
            if len(self._waiting) == _BATCH:
                self._add_waiting()
        elif kind == "heartbeat":
            self.last_words = self._rows.record(fields)
        elif kind == "devices":
            self._rows.devices(fields)
        elif kind == "run":
            self._begin(fields)
        elif kind == "plan":
            self._replan(decode_plan(fields.get("plan")))
        elif kind == "rewind":
            self._rewind(fields)
        elif kind == "end":
            self.stop_reason, self.is_closed = optional_text(fields.get("stop_reason"), MAX_TEXT), True
        else:
            self._follow_others(kind, fields)

    def _follow_others(self, kind: object, fields: Mapping[str, Any]) -> None:
        if kind == "checkpoints":
            self.checkpoints[text(fields.get("monitor"))] = Checkpoints.decode(fields)
        elif kind == "notice":
            self._notice(fields)
        else:
            text(kind)  # a type of a later version

    def _notice(self, fields: Mapping[str, Any]) -> None:
        key, said = text(fields.get("key")), optional_text(fields.get("text"), MAX_TEXT)
        if said is None:
            self.notices.pop(key, None)
        elif key in self.notices or len(self.notices) < MAX_NOTICES:
            self.notices[key] = said

    def _begin(self, fields: Mapping[str, Any]) -> None:
        head = decode_head(fields, f"Line {self.number} of {shown(self.path)}")
        self._count_last_words()
        self.last_words, self.stop_reason, self.is_closed = None, None, False
        self.head, self.inherits_landing = head, True
        self._replan(head.plan)

    def _replan(self, plan: Plan) -> None:
        landing = self.plan.landing if self.inherits_landing else None
        self.inherits_landing &= plan.landing is None
        self.plan = replace(plan, landing=plan.landing or landing)
        rows = len(self.history) + len(self._waiting)
        if self.plans and self.plans[-1][0] == rows:
            self.plans.pop()
        self.plans.append((rows, self.plan))

    def _count_last_words(self) -> None:
        if self.last_words is not None:
            self._wait(self.last_words)

    def _wait(self, record: EpochRecord) -> None:
        self._waiting.append(record)
        self.device_numbers += len(record.devices)

    def _add_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for reason in _added(self.history, waiting):
            self._count_passed(0, reason)

    def _rewind(self, fields: Mapping[str, Any]) -> None:
        epoch, step = count(fields.get("epoch")), optional_count(fields.get("step"))
        self._add_waiting()
        self._rewound_rows += len(self.history) + _REWIND_ROWS
        if self._rewound_rows > MAX_REWOUND_ROWS:
            msg = (
                f"{shown(self.path)} repeats epochs more often than any run (line {self.number}). Name another ledger."
            )
            raise LedgerError(msg)
        self.history.rewind(epoch, step)

    def contents(self) -> LedgerContents:
        """Return the contents after the last line so far. The history must not be changed. Later lines make it grow."""
        history, recorded = self._history_so_far(), len(self.history)
        head = self.head or Head(run_id="", version="")
        checkpoints = self._found_checkpoints(len(history))
        monitor, mode = head.monitor, head.mode
        if monitor is None and checkpoints:  # the metric was not known yet when the head was written
            monitor, mode = next((name, kept.mode) for name, kept in checkpoints.items())
        return LedgerContents(
            run_id=head.run_id,
            recorded=recorded,
            history=history,
            stop_reason=self.stop_reason,
            is_closed=self.is_closed,
            plan=self.plan,
            plans=tuple(self.plans),
            monitor=monitor,
            mode=cast("Literal['max', 'min']", mode),
            pue_source=head.pue_source,
            checkpoints=checkpoints,
            version=head.version,
            host=head.host,
            devices=head.devices,
            labels=head.labels,
            versions=head.versions,
            notices=dict(self.notices),
            head=head,
        )

    def _history_so_far(self) -> History:
        """Return the records so far. The last heartbeat is in a copy, because a record may still follow it."""
        self._add_waiting()
        self._refused = []
        if self.last_words is None:
            return self.history
        history = self.history.copy()
        self._refused = _added(history, [self.last_words])
        return history

    def _found_checkpoints(self, rows: int) -> dict[str, Checkpoints]:
        found, folder = {}, self.path.parent
        self._files_passed = 0
        for name, kept in self.checkpoints.items():
            stays = kept.within(folder, rows)
            self._files_passed += len(kept.rows) - len(stays.rows)
            found[name] = stays.found_from(folder)
        return found

    def remark(self) -> str | None:
        """Return sentences about skipped lines and files, after :meth:`contents`. None if nothing was skipped."""
        said = []
        passed = self._passed_lines + len(self._refused)
        if passed:
            lines = "1 line" if passed == 1 else f"{passed} lines"
            first = self._passed[0] if self._passed else f"line {self.number}: {self._refused[0]}"
            said.append(
                f"{lines} of {shown(self.path)} cannot be read, as after a kill or a disk error "
                f"({first}). Their content does not count. Restore the file from a copy if you need it."
            )
        if self._files_passed:
            said.append(
                f"{self._files_passed} checkpoint files of {shown(self.path)} are skipped, because their paths lead "
                "elsewhere or their records are missing. Keep the files beside the ledger."
            )
        return " ".join(said) or None


def _may_begin(line: bytes) -> bool:
    """Return whether a ledger may begin with a line, which is a head or the first bytes of a head."""
    return line.startswith(HEAD) or HEAD.startswith(line.rstrip(b"\r"))


def _added(history: History, records: Sequence[EpochRecord]) -> list[str]:
    """Add records to a history. Return why some of them could not be added."""
    reasons = []
    try:
        history.extend(records)
    except ValueError:  # the sums of one of them exceed all bounds, so add them one by one
        for record in records:
            try:
                history.append(record)
            except ValueError as reason:
                reasons.append(str(reason))
    return reasons
