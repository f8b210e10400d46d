"""Encodes a record as one line of a ledger.

The text is formatted directly, because training waits for it. A dictionary and a JSON encoder take twice as long. Most
of that time goes to code that has left the caches of the processor while its thread was asleep.
"""

from json.encoder import encode_basestring_ascii as quoted
from math import isfinite
from typing import Any, Final, SupportsFloat

from green_callbacks.ledger._columns import PLAIN_DEVICES, column_text
from green_callbacks.ledger.limits import MAX_METRICS
from green_callbacks.records import DeviceActivity, EpochRecord
from green_callbacks.records.checked import MAX_ACTIVITY, MAX_FLOPS, MAX_JOULES, MAX_SECONDS, short

_NULL: Final = "null"
_NAMES: Final = ("joules", "low", "high", "gaps")


def row_text(kind: str, number: int, record: EpochRecord, surroundings: str, *, has_metrics: bool = True) -> str:
    """Return the line of a record, without its line break.

    Args:
        kind: ``record`` or ``heartbeat``.
        number: Number of its set of devices.
        record: The record.
        surroundings: The encoded intensity and PUE where they changed since the line before. Empty otherwise.
        has_metrics: Whether to write the metrics. Defaults to True.
    """
    text = f'{{"type":"{kind}","set":{number}'
    if record.epoch is not None:
        text += f',"epoch":{int(record.epoch)}'
    if record.step is not None:
        text += f',"step":{int(record.step)}'
    if not record.closes_epoch:
        text += ',"closes_epoch":false'
    if not record.complete:
        text += ',"complete":false'
    when = record.started_at.isoformat().replace("+00:00", "Z")
    text += f',"at":"{when}","seconds":{float(record.duration_seconds)!r}'
    text += _devices(record) + surroundings + _phases(record)
    return text + (_metrics(record) if has_metrics else "") + _counts(record) + _activity(record) + "}"


def _devices(record: EpochRecord) -> str:
    if len(record.devices) > PLAIN_DEVICES:
        return _many_devices(record)
    columns: tuple[list[str], ...] = ([], [], [], [])
    joules, lows, highs, gaps = columns
    for energy, _, _, _, low, high, gap, _, _ in record.devices.values():
        joules.append(_within(energy, MAX_JOULES))
        lows.append(_within(low if low is None or low >= 0.0 else 0.0, MAX_JOULES))
        highs.append(_within(high, MAX_JOULES))
        gaps.append(_within(gap, MAX_SECONDS) if gap else _NULL)
    filled = [column.count(_NULL) < len(column) for column in columns]
    pairs = zip(_NAMES, columns, filled, strict=True)
    return "".join([f',"{name}":[{",".join(column)}]' for name, column, is_filled in pairs if is_filled])


def _many_devices(record: EpochRecord) -> str:
    joules, _, _, _, lows, highs, gaps, _, _ = zip(*record.devices.values(), strict=True)
    columns = (
        column_text(joules, MAX_JOULES),
        column_text([low if low is None else max(low, 0.0) for low in lows], MAX_JOULES),
        column_text(highs, MAX_JOULES),
        column_text([gap or None for gap in gaps], MAX_SECONDS),
    )
    return "".join([f',"{name}":{column}' for name, column in zip(_NAMES, columns, strict=True) if column is not None])


def _phases(record: EpochRecord) -> str:
    if not record.phases:
        return ""
    whole = record.duration_seconds
    told = [
        f"{quoted(name)}:[{_within(joules, MAX_JOULES)}]"
        if seconds == whole
        else f"{quoted(name)}:[{_within(joules, MAX_JOULES)},{float(seconds)!r}]"
        for name, (joules, seconds) in record.phases.items()
    ]
    return f',"phases":{{{",".join(told)}}}'


def _metrics(record: EpochRecord) -> str:
    if not record.metrics:
        return ""
    told = [f"{quoted(short(name))}:{_any(value)}" for name, value in list(record.metrics.items())[:MAX_METRICS]]
    return f',"metrics":{{{",".join(told)}}}'


def _counts(record: EpochRecord) -> str:
    text = ""
    if record.learning_rate is not None:
        text += f',"learning_rate":{_any(record.learning_rate)}'
    if record.samples is not None:
        text += f',"samples":{int(record.samples)}'
    if record.tokens is not None:
        text += f',"tokens":{int(record.tokens)}'
    if record.flops is not None:
        text += f',"flops":{_within(record.flops, MAX_FLOPS)}'
    if record.data_wait_seconds is not None:
        text += f',"data_wait_seconds":{_within(record.data_wait_seconds, MAX_SECONDS)}'
    if record.steps is not None:
        text += f',"steps":{int(record.steps)}'
    return text


def _activity(record: EpochRecord) -> str:
    """Return what the devices of the set did, up to the last device that was observed."""
    seen = record.activity
    if not seen or len(seen) > PLAIN_DEVICES:
        return ""
    told = [_fields(seen[name]) if name in seen else _NULL for name in record.devices]
    while told and told[-1] == _NULL:
        told.pop()
    return f',"activity":[{",".join(told)}]' if told else ""


def _fields(activity: DeviceActivity) -> str:
    known: Any = activity
    if None not in activity and min(known) >= 0.0 and sum(known) <= MAX_ACTIVITY:  # not with a NaN
        return repr(list(activity)).replace(" ", "")
    texts = [_within(value, MAX_ACTIVITY) for value in activity]
    while texts[-1] == _NULL and len(texts) > 1:
        texts.pop()
    return _NULL if texts[0] == _NULL else f"[{','.join(texts)}]"


def _any(value: SupportsFloat) -> str:
    """Encode a number so that it reads back exactly. NaN and infinities become texts."""
    number = float(value)
    return repr(number) if isfinite(number) else f'"{number}"'


def _within(value: SupportsFloat | None, most: float) -> str:
    """Encode a number from 0 to a bound. Any other number becomes null, because readers would refuse it."""
    if value is None:
        return _NULL
    number = float(value)
    return repr(number) if 0.0 <= number <= most else _NULL
