"""Encodes the lines of a ledger. Each line holds only the changes since the line before."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import SystemRandom
from typing import Any, Final

from green_callbacks.ledger._columns import PLAIN_DEVICES, runs_of
from green_callbacks.ledger._head_codec import encode_head, encode_plan
from green_callbacks.ledger._rounding import few_digits
from green_callbacks.ledger._row_encoding import row_text
from green_callbacks.ledger.closing_line import Closing, encode_closing
from green_callbacks.ledger.format import ALTERABLE, SETS_PER_SESSION
from green_callbacks.ledger.head import Head
from green_callbacks.ledger.limits import MAX_END_BYTES, MAX_LINE_BYTES, MAX_POINTS
from green_callbacks.records import Checkpoints, EpochRecord, Intensity, Plan, Verdict
from green_callbacks.records.checked import MAX_FLAGS, MAX_TEXT, short
from green_callbacks.records.codec import encode_intensity
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

_SESSIONS: Final = 10_000
"""Number of session numbers to draw from. Two processes that share a file rarely draw the same number."""

_KNOWN_SETS: Final = 64
"""Number of sets of devices that are remembered. An older set is named again when it returns."""

_FEWER_POINTS: Final = (MAX_POINTS, 70, 50, 35, 25, 18, 12, 8, 5, 3)
"""Numbers of points that are tried, one after the other, until a closing line is short enough."""

_Label = tuple[str, str, str, float, tuple[str, ...]]
_Said = tuple[str, bool, tuple[str, ...]]
_draw = SystemRandom().randrange  # a generator that the user has seeded would draw the same number in every process
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class Lines:
    """Encodes the lines of a ledger, one after the other.

    Remembers the lines before, so that a line holds only the changes. The caller must write all lines in order, or
    begin again with :meth:`head`. Only one thread may use it at a time.

    Example:
        >>> from green_callbacks.ledger import Head, Lines
        >>> Lines().head(Head(run_id="digits", version="0.1.0"))[:37]
        b'{"type":"run","schema":2,"run_id":"di'
    """

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        """Begin a new session, which inherits nothing from the lines before."""
        self._first_set = _draw(_SESSIONS) * SETS_PER_SESSION
        self._named = 0
        self._sets: dict[tuple[_Label, ...], int] = {}
        self._base: tuple[_Label, ...] = ()
        self._intensity: Intensity | None = None
        self._pue: float | None = None
        self._verdicts: dict[int, _Said] = {}
        self._values: list[list[float | str]] = []

    def head(self, head: Head) -> bytes:
        """Begin a session, and return its head.

        The lines after it inherit nothing from earlier sessions, so they can be read even if those are damaged.

        Args:
            head: Describes the run.
        """
        self._forget()
        line = _line(encode_head(head))
        if len(line) > MAX_LINE_BYTES:  # readers would refuse the whole ledger
            logger.warning(
                "The products of %d devices do not fit into the head of the ledger, so the ledger tells none. "
                "Look into `nvidia-smi` for them.",
                len(head.devices),
            )
            line = _line(encode_head(replace(head, devices={})))
        return line

    def record(self, record: EpochRecord) -> bytes:
        """Return the line of a record without its verdicts, after a line of its devices if they changed.

        Args:
            record: The record.
        """
        return self._row("record", record)

    def heartbeat(self, record: EpochRecord) -> bytes:
        """Return the line of a heartbeat.

        Args:
            record: Everything used since the last record, as a record.
        """
        return self._row("heartbeat", record)

    def verdicts(self, verdicts: Sequence[Verdict]) -> bytes:
        """Return the line of the verdicts on the last record.

        Args:
            verdicts: The verdicts, in the order of the policies.

        Returns:
            A line. Empty if nothing has changed since the last verdicts.
        """
        changed: list[dict[str, Any]] = []
        values: list[list[float | str]] = []
        for place, verdict in enumerate(verdicts):
            numbers = {short(str(name)): few_digits(value) for name, value in verdict.values.items()}
            values.append(list(numbers.values()))
            said = (short(str(verdict.code)), bool(verdict.stop), tuple(numbers))
            before = self._verdicts.get(place)
            if said != before:
                self._verdicts[place] = said
                changed.append(_changed(place, said, before, verdict.reason))
        if not changed and values == self._values:
            return b""
        self._values = values
        return _line({"type": "verdicts", "values": values, **({"changed": changed} if changed else {})})

    def rewind(self, epoch: int, step: int | None) -> bytes:
        """Return the line which says that an epoch and all later epochs are repeated.

        Args:
            epoch: Index of the first repeated epoch.
            step: Optimizer steps of the checkpoint. None if unknown.
        """
        return _line({"type": "rewind", "epoch": int(epoch), "step": None if step is None else int(step)})

    def plan(self, plan: Plan) -> bytes:
        """Return the line of a new or changed plan.

        Args:
            plan: The plan.
        """
        return _line({"type": "plan", "plan": encode_plan(plan)})

    def checkpoints(self, metric: str, kept: Checkpoints, folder: Path) -> bytes:
        """Return the line of the checkpoint files that are kept for a metric from now on.

        Args:
            metric: Key of the metric.
            kept: All its checkpoint files.
            folder: The folder of the ledger.
        """
        return _line({"type": "checkpoints", "monitor": short(metric), **kept.seen_from(folder).encode()})

    def notice(self, key: str, text: str | None) -> bytes:
        """Return the line of a notice.

        Args:
            key: Subject of the notice.
            text: One or two sentences. None if the notice no longer holds.
        """
        said = {} if text is None else {"text": text[:MAX_TEXT]}
        return _line({"type": "notice", "key": short(key), **said})

    def end(self, stop_reason: str | None, closing: Closing | None, offset: int) -> bytes:
        """Return the last line of a closed run.

        Args:
            stop_reason: Why a policy ended the run. None if no policy did.
            closing: The totals. None where the file may hold records that they do not count.
            offset: Offset of the line in the file, in bytes.
        """
        reason = None if stop_reason is None else str(stop_reason)[:MAX_TEXT]
        fields: dict[str, Any] = {"type": "end", "stop_reason": reason}
        if closing is not None:
            for points in _FEWER_POINTS:
                line = _line({**fields, "offset": offset, "closing": encode_closing(closing, points)})
                if len(line) <= MAX_END_BYTES:
                    return line
        return _line(fields)

    def _row(self, kind: str, record: EpochRecord) -> bytes:
        labels = tuple([(name, d.component, d.method, d.tolerance, d.flags) for name, d in record.devices.items()])
        number, devices = self._set_of(labels)
        surroundings = self._surroundings(record)
        line = row_text(kind, number, record, surroundings)
        if len(line) > MAX_LINE_BYTES:
            logger.warning(
                "A record has more metrics than fit into a line of the ledger. The ledger leaves its metrics out. "
                "Log fewer metrics per epoch."
            )
            line = row_text(kind, number, record, surroundings, has_metrics=False)
        self._remember(labels, number, record)  # only now, because a line that cannot be encoded states nothing
        return devices + line.encode() + b"\n"

    def _set_of(self, labels: tuple[_Label, ...]) -> tuple[int, bytes]:
        """Return the number of a set of devices, and the line that names it unless an earlier line did."""
        known = self._sets.get(labels)
        if known is not None:
            return known, b""
        if self._named == SETS_PER_SESSION:
            self._forget()
        number = self._first_set + self._named
        if self._is_like_base(labels):
            return number, self._altered(number, labels)
        return number, _line({"type": "devices", "set": number, "devices": [_described(label) for label in labels]})

    def _is_like_base(self, labels: tuple[_Label, ...]) -> bool:
        """Return whether many devices are those of the last set that a line described in full."""
        base = self._base
        if len(labels) <= PLAIN_DEVICES or len(labels) != len(base) or base not in self._sets:
            return False
        pairs = zip(labels, base, strict=True)
        return all(name == base_name and part == base_part for (name, part, *_), (base_name, base_part, *_) in pairs)

    def _altered(self, number: int, labels: tuple[_Label, ...]) -> bytes:
        """Return the line of many devices that are known, with what differs from the last full description.

        It never refers to another such line, so that a damaged line costs only its own records.
        """
        columns = zip(*[_described(label)[2:] for label in labels], strict=True)
        before = zip(*[_described(label)[2:] for label in self._base], strict=True)
        changed = {
            name: runs_of(column)
            for name, column, known in zip(ALTERABLE, columns, before, strict=True)
            if column != known
        }
        return _line({"type": "devices", "set": number, "like": self._sets[self._base], **changed})

    def _remember(self, labels: tuple[_Label, ...], number: int, record: EpochRecord) -> None:
        if labels not in self._sets:
            self._named += 1
            if not self._is_like_base(labels):
                self._base = labels
            if len(self._sets) == _KNOWN_SETS:
                del self._sets[next(iter(self._sets))]
            self._sets[labels] = number
        self._intensity, self._pue = record.intensity, record.pue

    def _surroundings(self, record: EpochRecord) -> str:
        """Return the encoded intensity and PUE where they differ from the line before."""
        text = ""
        if record.intensity is not self._intensity and record.intensity != self._intensity:
            text += f',"intensity":{_encode(encode_intensity(record.intensity))}'
        if record.pue != self._pue:
            text += f',"pue":{float(record.pue)!r}'
        return text


def _line(fields: Mapping[str, Any]) -> bytes:
    return _encode(fields).encode() + b"\n"


def _described(label: _Label) -> list[Any]:
    name, component, method, tolerance, flags = label
    return [short(name), short(component), method, float(tolerance), [short(flag) for flag in flags[:MAX_FLAGS]]]


def _changed(place: int, said: _Said, before: _Said | None, reason: str) -> dict[str, Any]:
    code, stop, names = said
    fields: dict[str, Any] = {"policy": place, "code": code, "stop": stop, "names": names}
    if before is None or before[:2] != said[:2]:
        fields["reason"] = str(reason)[:MAX_TEXT]
    return fields
