"""The closing line of a ledger holds the totals of its run, so that a reader need not sum all records.

It is a cache that any reader may ignore. A reader trusts it only if it is the last line and states its own offset
correctly. So it loses its effect when lines are appended after it or removed before it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import FileIO
from os import SEEK_END
from pathlib import Path
from typing import Any, Final

from green_callbacks.errors import LedgerError
from green_callbacks.ledger._rounding import few_digits
from green_callbacks.ledger.closing_points import Point, curve, front, thinned_curve, thinned_front
from green_callbacks.ledger.format import HEAD, SCHEMA
from green_callbacks.ledger.ledger_files import opened
from green_callbacks.ledger.limits import MAX_END_BYTES, MAX_LINES, MAX_POINTS
from green_callbacks.ledger.run_facts import RunFacts, decode_facts, encode_facts, facts_of
from green_callbacks.metrics import metric_of_run
from green_callbacks.records import DeviceEnergy, History
from green_callbacks.records.checked import (
    MAX_COUNT,
    MAX_FLOPS,
    MAX_JOULES,
    MAX_SECONDS,
    MAX_TEXT,
    amount,
    count,
    flag,
    mapping,
    one_of,
    optional_amount,
    optional_count,
    optional_text,
    sequence,
    short,
    text,
    wrong,
)
from green_callbacks.records.effort import NO_EFFORT, Effort, decode_effort, encode_effort
from green_callbacks.text import is_plain_name

_TAIL_BYTES: Final = 8_192
"""Number of bytes read from the end of a file, which is twice the longest closing line."""

_MAX_DEVICES: Final = 8
"""Largest number of devices whose energy a closing line holds. For more, the records are summed."""

_MOST_SHARE: Final = 1.0 + 1e-9
"""Largest share that is accepted. Rounding may bring a sum slightly above the whole."""

_MODES: Final = frozenset({"max", "min"})
_POINT_FIELDS: Final = 3
"""Number of fields of a point (emissions, value and epoch)."""
_MOST_USUAL: Final = 1e308
"""Largest value of a metric that is accepted without further checks, just below the largest float."""

_HEADS: Final = tuple(HEAD + str(SCHEMA).encode() + after for after in (b",", b"}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """The totals of a run. They equal the sums over its records to the last bit.

    Example:
        >>> from green_callbacks.ledger import closing_of
        >>> from green_callbacks.records import EpochRecord, History
        >>> history = History([EpochRecord.scripted(epoch=0, emissions_kg=0.2)])
        >>> closing_of("digits", history, monitor=None, mode="max").emissions_kg
        0.2

    Attributes:
        run_id: Name of the run.
        rows: Number of records, including the rows outside epochs.
        epochs: Number of finished epochs.
        duration_seconds: Accounted time, in s.
        energy_joules: Energy at the IT equipment, in J. None if nothing was measured.
        facility_kwh: Energy of the facility, in kWh. Zero if nothing was measured.
        emissions_kg: Emissions in kgCO2e. Zero if nothing was measured.
        emissions_low_kg: Lower bound of the emissions, in kgCO2e. None if nothing was measured.
        emissions_high_kg: Upper bound of the emissions, in kgCO2e. None if nothing was measured.
        measured_share: Measured share of the energy, 0 to 1. None without energy, or where a GPU was not measured.
        samples: Training samples seen. None if unknown.
        tokens: Training tokens seen. None if unknown.
        flops: Floating-point operations of the training. None if unknown.
        steps: Optimizer steps of the last fit. None if unknown.
        devices: Energy by device, in J. Empty if there are more than eight devices. Defaults to empty.
        zone: Zone of the electricity in the last record. Defaults to None, for an unknown zone.
        monitor: Key of the watched metric, or else of the first validation metric. Defaults to None, for no metric.
        mode: Direction in which that metric improves, ``max`` or ``min``. Defaults to ``max``.
        front: Every new best value of that metric, thinned. Defaults to empty.
        curve: Emissions and metric at the end of each epoch, thinned. Defaults to empty.
        stop_reason: Why a policy ended the run. Defaults to None, if no policy did.
        is_uniform: Whether all records have the devices, carbon intensity and PUE of the first record. Defaults to
            False, if this is not known.
        head_offset: Where the last head of the file begins, in bytes. Defaults to None, if this is not known.
        effort: What the training took per step, sample, token and operation. Defaults to None, for a closing line of an
            earlier version.
        facts: When and where the run ran. Defaults to None, for a closing line of an earlier version.
    """

    run_id: str
    rows: int
    epochs: int
    duration_seconds: float
    energy_joules: float | None
    facility_kwh: float
    emissions_kg: float
    emissions_low_kg: float | None
    emissions_high_kg: float | None
    measured_share: float | None
    samples: int | None
    tokens: int | None
    flops: float | None
    steps: int | None
    devices: Mapping[str, float | None] = field(default_factory=dict)
    zone: str | None = None
    monitor: str | None = None
    mode: str = "max"
    front: Sequence[Point] = ()
    curve: Sequence[Point] = ()
    stop_reason: str | None = None
    is_uniform: bool = False
    head_offset: int | None = None
    effort: Effort | None = None
    facts: RunFacts | None = None

    @property
    def is_of_this_version(self) -> bool:
        """Whether it states all totals. A closing line of an earlier version leaves some to the records."""
        return self.facts is not None and self.effort is not None

    @property
    def samples_joules(self) -> float | None:
        """Energy of the training in which the samples were counted, in J. None if unknown."""
        samples = None if self.effort is None else self.effort.samples
        return samples and samples.amount


def closing_of(
    run_id: str,
    history: History,
    *,
    monitor: str | None,
    mode: str,
    stop_reason: str | None = None,
    curve_points: int | None = None,
) -> Closing:
    """Return the totals of a run.

    Args:
        run_id: Name of the run.
        history: All its records.
        monitor: Key of the watched metric. None if no metric was watched, which chooses the first validation metric.
        mode: Direction in which the watched metric improves, ``max`` or ``min``.
        stop_reason: Why a policy ended the run. Defaults to None.
        curve_points: Largest number of points of the curve. Defaults to None, for every epoch.

    Example:
        >>> from green_callbacks.records import EpochRecord, History
        >>> history = History([EpochRecord.scripted(epoch=0, emissions_kg=0.2, metrics={"val_acc": 0.9})])
        >>> closing_of("digits", history, monitor="val_acc", mode="max").front
        (Point(kg=0.2, value=0.9, epoch=0),)
    """
    metric, devices = metric_of_run(monitor, mode, history.metric_names), history.device_totals()
    name = None if metric is None else metric.name
    return Closing(
        run_id=run_id,
        rows=len(history),
        epochs=history.finished_epochs,
        duration_seconds=history.duration_seconds,
        energy_joules=history.energy_joules,
        facility_kwh=history.facility_kwh,
        emissions_kg=history.emissions_kg,
        emissions_low_kg=history.emissions_low_kg,
        emissions_high_kg=history.emissions_high_kg,
        **_others(history),
        devices=_used(devices),
        monitor=name,
        mode=mode if metric is None else metric.mode,
        front=() if metric is None else tuple(front(history, metric)),
        curve=tuple(curve(history, name, curve_points)),
        stop_reason=stop_reason,
        facts=facts_of(history, devices),
    )


def _others(history: History) -> dict[str, Any]:
    return {
        "measured_share": history.measured_share,
        "is_uniform": history.is_uniform and not history.is_thinned,
        "samples": history.samples,
        "effort": history.effort,
        "tokens": history.tokens,
        "flops": history.flops,
        "steps": history.steps if history else None,
        "zone": history[-1].intensity.zone if history else None,
    }


def _used(devices: Mapping[str, DeviceEnergy]) -> dict[str, float | None]:
    return {name: used.joules for name, used in devices.items()} if len(devices) <= _MAX_DEVICES else {}


def encode_closing(closing: Closing, most: int) -> dict[str, Any]:
    """Return the fields of a closing line.

    Args:
        closing: The totals.
        most: Largest number of points of the front, and of the curve.
    """
    return {
        "run_id": closing.run_id,
        "rows": closing.rows,
        "epochs": closing.epochs,
        "seconds": closing.duration_seconds,
        "joules": closing.energy_joules,
        "facility_kwh": closing.facility_kwh,
        "kg": closing.emissions_kg,
        "low_kg": closing.emissions_low_kg,
        "high_kg": closing.emissions_high_kg,
        "measured_share": closing.measured_share,
        "samples": closing.samples,
        **({} if closing.effort is None else {"effort": encode_effort(closing.effort)}),
        "tokens": closing.tokens,
        "flops": closing.flops,
        "steps": closing.steps,
        "devices": {short(name): joules for name, joules in closing.devices.items()},
        "zone": None if closing.zone is None else short(closing.zone),
        "monitor": None if closing.monitor is None else short(closing.monitor),
        "mode": closing.mode,
        "front": [_encode_point(point) for point in thinned_front(closing.front, most)],
        "curve": [_encode_point(point) for point in thinned_curve(closing.curve, most)],
        "uniform": closing.is_uniform,
        "head": closing.head_offset,
        **({} if closing.facts is None else {"facts": encode_facts(closing.facts)}),
    }


def _encode_point(point: Point) -> list[Any]:
    value = None if point.value is None else few_digits(point.value)
    return [few_digits(point.kg), value, point.epoch]


def read_closing(path: str | Path) -> Closing | None:
    """Read the closing line of a ledger. Of the rest of the file, only the first bytes are read. Raises nothing.

    Args:
        path: The file.

    Returns:
        The totals. None if the file is not a ledger of this schema, if the run was not closed or was resumed, or if the
        line states a wrong offset.

    Example:
        >>> read_closing("no-such-file.jsonl") is None
        True
    """
    try:
        with opened(Path(path)) as file:
            return closing_in(file)
    except (LedgerError, ValueError, RecursionError):
        return None


def closing_in(file: FileIO) -> Closing | None:
    """Read the closing line of an open file.

    Args:
        file: The file, at its beginning.

    Returns:
        The totals. None if the file is not a ledger of this schema, or does not end with a line.

    Raises:
        ValueError: The last line is not a closing line of this place in the file.
        RecursionError: The last line is nested too deeply.
    """
    if not file.read(len(HEAD) + 2).startswith(_HEADS):
        return None
    begin = max(0, file.seek(0, SEEK_END) - _TAIL_BYTES)
    file.seek(begin)
    tail = file.read(_TAIL_BYTES)
    before, found, line = tail.removesuffix(b"\n").rpartition(b"\n")
    return _decode(line, begin + len(before) + len(found)) if found and tail.endswith(b"\n") else None


def _decode(line: bytes, offset: int) -> Closing:
    if len(line) >= MAX_END_BYTES:
        raise wrong(len(line), f"line of at most {MAX_END_BYTES} bytes")
    fields = mapping(json.loads(line), 100)
    if fields.get("type") != "end" or count(fields.get("offset")) != offset:
        raise wrong(fields, "end of the file")
    return decode_closing(mapping(fields.get("closing"), 100), optional_text(fields.get("stop_reason"), MAX_TEXT))


def decode_closing(said: Mapping[str, Any], stop_reason: str | None) -> Closing:
    """Read what :func:`encode_closing` wrote.

    Args:
        said: The fields. Unknown fields are ignored.
        stop_reason: Why a policy ended the run.

    Raises:
        ValueError: A field is missing, or has a wrong type or an impossible value.
    """
    get = said.get
    return Closing(
        run_id=_run_name(get("run_id")),
        rows=count(get("rows"), MAX_LINES),
        epochs=count(get("epochs"), MAX_LINES),
        duration_seconds=amount(get("seconds"), MAX_SECONDS),
        energy_joules=optional_amount(get("joules"), MAX_JOULES),
        facility_kwh=amount(get("facility_kwh"), MAX_JOULES),
        emissions_kg=amount(get("kg"), MAX_JOULES),
        emissions_low_kg=optional_amount(get("low_kg"), MAX_JOULES),
        emissions_high_kg=optional_amount(get("high_kg"), MAX_JOULES),
        measured_share=optional_amount(get("measured_share"), _MOST_SHARE),
        samples=optional_count(get("samples")),
        effort=_effort(get),
        tokens=optional_count(get("tokens")),
        flops=optional_amount(get("flops"), MAX_FLOPS * MAX_LINES),
        steps=optional_count(get("steps")),
        devices=_devices(get("devices")),
        zone=optional_text(get("zone")),
        monitor=optional_text(get("monitor")),
        mode=one_of(get("mode"), _MODES),
        front=_points(get("front")),
        curve=_points(get("curve")),
        stop_reason=stop_reason,
        is_uniform=flag(get("uniform", False)),
        head_offset=optional_count(get("head")),
        facts=None if get("facts") is None else decode_facts(get("facts")),
    )


def _effort(get: Callable[[str], Any]) -> Effort | None:
    """Return the effort. None in a line of an earlier version about counted work, whose records tell it."""
    if get("effort") is not None:
        return decode_effort(get("effort"))
    return NO_EFFORT if get("samples") is get("tokens") is get("flops") is None else None


def _run_name(said: object) -> str:
    name = text(said)
    if not is_plain_name(name):
        raise wrong(name, "name of a run")
    return name


def _devices(said: object) -> dict[str, float | None]:
    devices = mapping(said, _MAX_DEVICES)
    return {text(name): optional_amount(joules, MAX_JOULES) for name, joules in devices.items()}


def _points(said: object) -> tuple[Point, ...]:
    return tuple([_point(point) for point in sequence(said, MAX_POINTS)])


def _point(said: object) -> Point:
    if type(said) is list and len(said) == _POINT_FIELDS:  # nearly all points, checked without calls
        kg, value, epoch = said
        is_usual = type(kg) is float and type(value) is float and type(epoch) is int
        if is_usual and 0.0 <= kg <= MAX_JOULES and -_MOST_USUAL <= value <= _MOST_USUAL and 0 <= epoch <= MAX_COUNT:
            return Point(kg, value, epoch)
    fields = sequence(said, _POINT_FIELDS)
    if len(fields) < _POINT_FIELDS:
        raise wrong(said, "emissions, value and epoch")
    kg, value, epoch = fields
    return Point(amount(kg, MAX_JOULES), None if value is None else amount(value, 1e308, -1e308), optional_count(epoch))
