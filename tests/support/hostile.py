"""Ledgers as nobody writes them: of wrong types and values, torn, glued together, and full of noise.

``python tests/support/hostile.py 10000`` reads as many of them, says what each came to, and ends with 1 where any
raised what is not ours.
"""

import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from green_callbacks.errors import GreenCallbacksError
from green_callbacks.ledger import Head, Lines, closing_of, is_ledger, read_closing, read_ledger
from green_callbacks.ledger.project_totals import closings_of
from green_callbacks.records import (
    Checkpoints,
    DeviceEnergy,
    DeviceInfo,
    EpochRecord,
    History,
    Intensity,
    PhaseEnergy,
    Plan,
    Verdict,
)

LONG = "x" * 70_000
NASTY: list[Any] = [
    None,
    True,
    False,
    -1,
    0,
    1,
    2,
    2**53 + 1,
    2**63,
    2**64,
    -(2**63),
    10**400,
    1.5,
    -0.0,
    -1e-9,
    1e308,
    5e-324,
    "",
    "text",
    "nan",
    "-inf",
    "Infinity",
    "1e5",
    "2026-03-01",
    "2026-03-01T00:00:00",
    "9999-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    "nul\0byte",
    "\x1b[31mred\x07",
    "a\nb\r=c",
    "\ud800",
    "\N{SNOWMAN}" * 301,
    LONG,
    [],
    {},
    [[]],
    [1, 2, 3],
    [None] * 9,
    ["a", {}, []],
    {"a": 1},
    {"": None},
    {"type": "record"},
    [0.0] * 5_000,
    {str(n): n for n in range(5_000)},
]
"""Values that no field, or few fields, may have."""

JUNK = [
    b"",
    b"\n\n\n",
    b"\r",
    b"\0" * 100,
    b"\xff\xfe\xfa",
    b"\xef\xbb\xbf",
    b"17",
    b"null",
    b'"text"',
    b"[1]",
    b"{}",
    b"{",
    b"}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"[" * 30 + b"]" * 30,
    b'{"type":"record","set":' + b"9" * 5_000 + b"}",
    b'{"type":"record","seconds":1e999}',
    b'{"type":"rewind","epoch":NaN}',
    b'{"type":"rewind","epoch":-Infinity}',
    b'{"type":"run","schema":1,"run_id":"a","version":"1"}',
    b'{"type":"run","schema":3,"run_id":"a","version":"1"}',
    b'{"type":"run","schema":2,"run_id":"../../pwned","version":"1"}',
    b'{"type":"run","schema":2}',
    b'{"type":"run","schema":"2","run_id":"a"}',
    b'{"type":["record"]}',
    b'{"type":{"a":1}}',
    b'{"type":17}',
    b'{"type":"remark"}',
    b'{"type":"verdicts","values":[[',
    b'{"type":"end","offset":0}',
    b'{"type":"checkpoints","monitor":"a","mode":"max","files":{"../../../../x":0,"b":1e9}}',
    b'{"type":"rewind","epoch":0}\n' * 50,
    b"x" * 1_100_000,
]
"""Lines that are none of a ledger, or of no ledger that can be read."""


def record(epoch: int | None, place: int) -> EpochRecord:
    """A record with everything in it."""
    joules = 1000.0 / 3 + place
    return EpochRecord(
        epoch=epoch,
        started_at=datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=10.1 * place),
        duration_seconds=10.1,
        devices={
            "gpu:0": DeviceEnergy(joules, "gpu", "counter", 10.1, joules - 1, joules + 1, 0.5, 0.05, ("shared",)),
            "cpu:0": DeviceEnergy(None, "cpu", "modelled", 10.1),
        },
        intensity=Intensity(
            g_per_kwh=300.0 + place // 3, zone="DE", year=2025, source="a table", found_by="argument", flags=("stale",)
        ),
        pue=1.2,
        step=None if epoch is None else 100 * epoch,
        complete=epoch is not None,
        phases={"train": PhaseEnergy(joules / 2, 5.0), "other": PhaseEnergy(None, 5.1)},
        metrics={} if epoch is None else {"val_acc": 1 - 0.5**place, "val_loss": float("inf")},
        learning_rate=0.1,
        samples=1000,
        tokens=17,
        flops=1e18,
        data_wait_seconds=0.25,
    )


def whole_ledger(epochs: int = 4) -> list[bytes]:
    """The lines of a ledger in which every kind occurs."""
    lines, history = Lines(), History()
    head = Head(
        run_id="run-1",
        version="1.0",
        plan=Plan(epochs=9, learning_rate_drops=(3, 6)),
        monitor="val_acc",
        host="node-1",
        devices={"gpu:0": DeviceInfo("GPU-1", "A GPU", 400.0)},
        labels={"project": "p"},
        versions={"python": "3.11"},
    )
    written = lines.head(head)
    for place in range(2 * epochs):
        each = record(place // 2 if place % 2 else None, place)
        history.append(each)
        written += lines.record(each)
        verdict = Verdict(
            stop=False, code="active", reason="Going on.", values={"green/budget_left_kg": 1.0 / (place + 1)}
        )
        written += lines.verdicts((verdict,))
    written += lines.plan(Plan(steps=900, anneals=True))
    written += lines.checkpoints("val_acc", Checkpoints("max", {"/logs/a.ckpt": 1, "s3://b/c.ckpt": 3}), Path("/logs"))
    written += lines.rewind(epochs - 1, 5)
    history.rewind(epochs - 1, 5)
    written += lines.heartbeat(record(None, 2 * epochs))
    history.append(record(epochs, 2 * epochs + 1))
    written += lines.record(history[-1])
    closing = closing_of("run-1", history, monitor="val_acc", mode="max")
    written += lines.end("Enough.", closing, len(written))
    return written.splitlines(keepends=True)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """All places in a JSON value, the whole left out."""
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*path, key)
            yield from _places(inner, (*path, key))


def _changed_line(chance: random.Random, line: bytes, change: Callable[[Any, Any], None]) -> tuple[str, bytes]:
    """Change the JSON of a line at some place within it."""
    fields = json.loads(line)
    path = chance.choice(list(_places(fields)))
    holder = fields
    for key in path[:-1]:
        holder = holder[key]
    change(holder, path[-1])
    return "/".join(map(str, path)), json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def _value(chance: random.Random, lines: list[bytes]) -> str:
    at, value = chance.randrange(len(lines)), chance.choice(NASTY)
    place, lines[at] = _changed_line(chance, lines[at], lambda holder, key: holder.__setitem__(key, value))
    return f"{place} of line {at} is {str(value)[:20]!r}"


def _absence(chance: random.Random, lines: list[bytes]) -> str:
    at = chance.randrange(len(lines))
    place, lines[at] = _changed_line(chance, lines[at], lambda holder, key: holder.__delitem__(key))
    return f"no {place} in line {at}"


def _literal(chance: random.Random, lines: list[bytes]) -> str:
    """A number as no encoder writes it."""
    at = chance.randrange(len(lines))
    literal = chance.choice([b"NaN", b"-Infinity", b"1e999", b"-1e999", b"9" * 5_000, b"1" + b"0" * 400, b"01", b"0x1"])
    place, line = _changed_line(chance, lines[at], lambda holder, key: holder.__setitem__(key, "@"))
    lines[at] = line.replace(b'"@"', literal)
    return f"{place} of line {at} is {literal[:9]!r}"


def _key(chance: random.Random, lines: list[bytes]) -> str:
    at = chance.randrange(len(lines))
    first, colon, rest = lines[at].partition(b":")
    name = chance.choice([b'"type"', b'"set"', b'"new"', b'"' + b"k" * 400 + b'"', b'"\\ud800"'])
    lines[at] = chance.choice(
        [first + colon + b"0," + name + colon + rest, first + b',"x":' + rest, b"{" + name + rest]
    )
    return f"keys of line {at}"


def _order(chance: random.Random, lines: list[bytes]) -> str:
    how = chance.choice(["shuffled", "doubled", "missing", "glued", "reversed", "again"])
    at = chance.randrange(len(lines))
    if how == "shuffled":
        chance.shuffle(lines)
    elif how == "doubled":
        lines.insert(chance.randrange(len(lines) + 1), lines[at])
    elif how == "missing":
        del lines[at : at + chance.randrange(1, 4)]
    elif how == "glued":
        lines[at] = lines[at].rstrip(b"\n")
    elif how == "again":
        lines += lines[chance.choice([0, at]) :]
    else:
        lines.reverse()
    return f"lines {how} at {at}"


def _junk(chance: random.Random, lines: list[bytes]) -> str:
    at, junk = chance.randrange(len(lines) + 1), chance.choice(JUNK)
    lines.insert(at, junk + b"\n")
    return f"line {at} is {junk[:20]!r}"


def _noise(chance: random.Random, lines: list[bytes]) -> str:
    whole = bytearray(b"".join(lines))
    for _ in range(chance.choice([1, 2, 5, 50])):
        whole[chance.randrange(len(whole))] = chance.randrange(256)
    lines[:] = [bytes(whole)]
    return "noise"


def _cut(chance: random.Random, lines: list[bytes]) -> str:
    whole = b"".join(lines)
    begin, end = sorted(chance.randrange(len(whole) + 1) for _ in range(2))
    lines[:] = chance.choice(
        [[whole[:end]], [whole[:begin], whole[end:]], [whole[begin:]], [whole[:begin], b"\0" * 512]]
    )
    return f"cut at {begin} and {end}"


def _form(chance: random.Random, lines: list[bytes]) -> str:
    whole = b"".join(lines)
    how = chance.choice(["CRLF", "BOM", "UTF-16", "spaces", "no last line break", "nothing", "array"])
    forms = {
        "CRLF": whole.replace(b"\n", b"\r\n"),
        "BOM": b"\xef\xbb\xbf" + whole,
        "UTF-16": whole.decode().encode("utf-16"),
        "spaces": whole.replace(b",", b" , "),
        "no last line break": whole.rstrip(b"\n"),
        "nothing": b"",
        "array": b"[" + whole.replace(b"\n", b",\n") + b"]",
    }
    lines[:] = [forms[how]]
    return how


MUTATIONS = (_value, _value, _value, _value, _absence, _literal, _key, _order, _junk, _noise, _cut, _form)


def hostile_ledgers(count: int, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Make ledgers that no run writes.

    Args:
        count: How many.
        seed: The same ones come from the same seed.

    Yields:
        What is wrong with it, and the bytes of the file.
    """
    whole = whole_ledger()
    for number in range(count):
        chance = random.Random(f"{seed} {number}")
        lines = list(whole)
        said = [chance.choice(MUTATIONS)(chance, lines)]
        while chance.random() < 0.3 and _is_json(lines):  # more than one thing is wrong
            said.append(chance.choice((_value, _junk, _order))(chance, lines))
        yield f"{number}: {', '.join(said)}", b"".join(lines)


def _is_json(lines: list[bytes]) -> bool:
    try:
        return bool(lines) and all(isinstance(json.loads(line), dict) for line in lines)
    except (ValueError, RecursionError):
        return False


def outcome(path: Path) -> str:
    """Do with a ledger what the package does with it; return what it came to in one word.

    Raises:
        Exception: Whatever is not ours.
    """
    is_ledger(path)
    closing, others = read_closing(path), closings_of([path])
    try:
        contents = read_ledger(path)
    except GreenCallbacksError as reason:
        said = str(reason)
        if str(path) not in said or not said.isprintable() or (closing is None and others.unread != [said]):
            msg = f"No sentence about the file that can be shown, or another each time: {said!a}"
            raise AssertionError(msg) from reason
        return "refused"
    history = contents.history
    records = list(history)
    assert all(each.started_at.tzinfo is UTC for each in records)
    history.to_columns()
    history.device_totals()
    again = closing_of(contents.run_id, history, monitor=contents.monitor, mode=contents.mode)
    Lines().end(contents.stop_reason, again, 0)
    written = Lines()
    for each in records:
        written.record(each)
    return "read" if records else "empty"


def main(count: int, seed: int = 0) -> int:
    """Read ledgers; return 1 where one of them raised what is not ours."""
    outcomes: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "run.jsonl")
        for name, data in hostile_ledgers(count, seed):
            path.write_bytes(data)
            try:
                outcomes[outcome(path)] += 1
            except Exception as reason:  # noqa: BLE001  that is what is counted
                outcomes["foreign"] += 1
                sys.stdout.write(f"{name}: {type(reason).__name__}: {reason}\n")
    sys.stdout.write(f"{count} ledgers: {dict(outcomes)}\n")
    return 1 if outcomes["foreign"] else 0


if __name__ == "__main__":
    import logging

    logging.disable(logging.WARNING)
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
