"""Decodes the records in the lines of a ledger."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import repeat
from typing import Any, Final, cast

from green_callbacks.ledger._columns import column_of, values_of_runs
from green_callbacks.ledger.format import NOT_FINITE, PHASES, SETS_PER_SESSION
from green_callbacks.ledger.limits import MAX_DEVICES, MAX_KNOWN_DEVICES, MAX_METRICS
from green_callbacks.records import METHODS, DeviceActivity, DeviceEnergy, EpochRecord, Intensity, Method, PhaseEnergy
from green_callbacks.records.checked import (
    MAX_ACTIVITY,
    MAX_FLOPS,
    MAX_JOULES,
    MAX_NAME,
    MAX_PUE,
    MAX_SECONDS,
    MAX_TOLERANCE,
    amount,
    count,
    flag,
    flags,
    mapping,
    one_of,
    optional_count,
    sequence,
    text,
    wrong,
)
from green_callbacks.records.codec import decode_intensity

INHERITED: Final = "inherited"
"""Flag of an intensity taken from a line before a damaged line, which may have held a newer one."""

_LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""Latest time of a record. A later one could overflow when it is rounded."""

_DEVICE_FIELDS: Final = 5
"""Number of fields of a device (name, component, method, tolerance and flags)."""

_PHASE_FIELDS: Final = 2
"""Number of fields of a phase (energy in J and time in s)."""

_FLOATS: Final = frozenset({float})
_device = partial(tuple.__new__, DeviceEnergy)


@dataclass(slots=True)
class _Session:
    """Values that later lines of one process leave out as long as they do not change."""

    intensity: Intensity | None = None
    pue: float | None = None
    damages: int = 0
    """Number of damaged lines in the file when the intensity was last stated."""


@dataclass(frozen=True, slots=True)
class _Devices:
    """A set of devices, in columns."""

    session: _Session
    names: tuple[str, ...]
    components: tuple[str, ...]
    methods: tuple[Method, ...]
    tolerances: tuple[float, ...]
    flags: tuple[tuple[str, ...], ...]


class Rows:
    """Decodes records, and fills in the values that a line leaves out because they have not changed."""

    def __init__(self) -> None:
        self._sessions: dict[int, _Session] = {}
        self._sets: dict[int, _Devices] = {}
        self._described = 0
        self._damages = 0

    def doubt(self) -> None:
        """Flag inherited intensities from here on, because a damaged line may have changed them."""
        self._damages += 1

    def devices(self, fields: Mapping[str, Any]) -> None:
        """Remember a set of devices.

        Args:
            fields: The line.

        Raises:
            ValueError: A field has an impossible value.
        """
        number = count(fields.get("set"))
        session = self._sessions.setdefault(number // SETS_PER_SESSION, _Session())
        like = fields.get("like")
        self._keep(number, _listed(session, fields) if like is None else self._altered(session, count(like), fields))

    def _altered(self, session: _Session, like: int, fields: Mapping[str, Any]) -> _Devices:
        """Return a set of the same devices as another one, with other methods, tolerances or flags."""
        known = self._sets.get(like)
        if known is None:
            raise wrong(like, "set of devices named by a line before")
        size = len(known.names)
        changed = {
            name: tuple(values_of_runs(said, size, check))
            for name, check in _CHECKS.items()
            if (said := fields.get(name)) is not None
        }
        return replace(known, session=session, **changed)

    def _keep(self, number: int, devices: _Devices) -> None:
        """Remember a set, and forget the oldest ones where all sets together hold too many devices."""
        before = self._sets.pop(number, None)
        self._described += len(devices.names) - (len(before.names) if before else 0)
        self._sets[number] = devices
        while self._described > MAX_KNOWN_DEVICES and len(self._sets) > 1:
            self._described -= len(self._sets.pop(next(iter(self._sets))).names)

    def record(self, fields: Mapping[str, Any]) -> EpochRecord:
        """Return the record of a line.

        Args:
            fields: The line.

        Raises:
            ValueError: A field has an impossible value, or refers to a missing line.
        """
        get = fields.get
        devices = self._sets.get(count(get("set")))
        if devices is None:
            raise wrong(get("set"), "set of devices named by a line before")
        seconds, session = amount(get("seconds"), MAX_SECONDS), devices.session
        intensity, pue = _intensity(session, get("intensity"), self._damages), _pue(session, get("pue"))
        closes, complete, rate = get("closes_epoch", True), get("complete", True), get("learning_rate")
        wait = get("data_wait_seconds")
        record = EpochRecord(  # by position and without helpers, because both would add a tenth to the time of reading
            None if (epoch := get("epoch")) is None else count(epoch),
            moment(get("at")),
            seconds,
            _energies(devices, seconds, get),
            intensity,
            pue,
            None if (step := get("step")) is None else count(step),
            closes is True or flag(closes),
            complete is True or flag(complete),
            _phases(get("phases"), seconds),
            _metrics(get("metrics")),
            None if rate is None else _any_number(rate),
            *_counts(get),
            data_wait_seconds=None if wait is None else amount(wait, MAX_SECONDS),
            activity=_activity(get("activity"), devices.names),
            steps=optional_count(get("steps")),
        )
        # Only now, because a damaged line must not change what later lines inherit.
        session.intensity, session.pue, session.damages = intensity, pue, self._damages
        return record


def _counts(get: Callable[[str], Any]) -> tuple[int | None, int | None, float | None]:
    """Return samples, tokens and floating-point operations."""
    samples, tokens, flops = get("samples"), get("tokens"), get("flops")
    return (
        None if samples is None else count(samples),
        None if tokens is None else count(tokens),
        None if flops is None else amount(flops, MAX_FLOPS),
    )


def _intensity(session: _Session, said: object, damages: int) -> Intensity:
    if said is not None:
        return decode_intensity(said)
    known = session.intensity
    if known is None:
        raise wrong(said, "carbon intensity, here or in a line before")
    if damages == session.damages or INHERITED in known.flags:
        return known
    return replace(known, flags=(*known.flags, INHERITED))


def _pue(session: _Session, said: object) -> float:
    if said is not None:
        return amount(said, MAX_PUE, 1.0)
    if session.pue is None:
        raise wrong(said, "PUE, here or in a line before")
    return session.pue


def _listed(session: _Session, fields: Mapping[str, Any]) -> _Devices:
    listed = [_described(each) for each in sequence(fields.get("devices"), MAX_DEVICES)]
    columns = [tuple(column) for column in zip(*listed, strict=True)] or [()] * _DEVICE_FIELDS
    if len(set(columns[0])) < len(listed):
        raise wrong(listed, "a name for each device")
    return _Devices(session, *columns)


def _method(said: object) -> Method:
    return cast("Method", one_of(said, METHODS))


def _tolerance(said: object) -> float:
    return amount(said, MAX_TOLERANCE)


_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "methods": _method,
    "tolerances": _tolerance,
    "flags": flags,
}
"""Columns in which a set may differ from the set that it is like, with the check of a value."""


def _described(said: object) -> tuple[str, str, Method, float, tuple[str, ...]]:
    fields = sequence(said, _DEVICE_FIELDS)
    if len(fields) < _DEVICE_FIELDS:
        raise wrong(said, "name, component, method, tolerance and flags of a device")
    name, component, method, tolerance, words = fields
    return text(name), text(component), _method(method), _tolerance(tolerance), flags(words)


def _energies(devices: _Devices, seconds: float, get: Callable[[str], Any]) -> dict[str, DeviceEnergy]:
    """Return the energy of each device by name, column by column because reading spends most of its time here."""
    size = len(devices.names)
    joules, lows, highs, gaps = get("joules"), get("low"), get("high"), get("gaps")
    if not _are_amounts(joules, lows, highs, size):
        joules, lows, highs = [column_of(said, size) for said in (joules, lows, highs)]
    rows = zip(
        joules,
        devices.components,
        devices.methods,
        repeat(seconds),
        lows,
        highs,
        repeat(0.0) if gaps is None else _gaps(gaps, size),
        devices.tolerances,
        devices.flags,
        strict=False,  # repeat() has no end
    )
    return dict(zip(devices.names, map(_device, rows), strict=True))


def _are_amounts(joules: object, lows: object, highs: object, size: int) -> bool:
    """Return whether three columns are plain lists of energies, which is so in nearly all lines."""
    if not (type(joules) is list and type(lows) is list and type(highs) is list):
        return False
    if not len(joules) == len(lows) == len(highs) == size:
        return False
    numbers = joules + lows + highs
    return set(map(type, numbers)) == _FLOATS and min(numbers) >= 0.0 and max(numbers) <= MAX_JOULES


def _gaps(said: object, size: int) -> list[float]:
    return [amount(number or 0.0, MAX_SECONDS) for number in column_of(said, size)]


def _phases(said: object, seconds: float) -> dict[str, PhaseEnergy]:
    if said is None:
        return {}
    return {name: _phase(name, phase, seconds) for name, phase in mapping(said, len(PHASES)).items()}


def _phase(name: str, said: object, seconds: float) -> PhaseEnergy:
    if name not in PHASES or type(said) is not list or not 0 < len(said) <= _PHASE_FIELDS:
        raise wrong(said, "energy and time of a phase")
    joules, *rest = said
    if joules is not None:
        joules = amount(joules, MAX_JOULES)
    return PhaseEnergy(joules, amount(rest[0], MAX_SECONDS) if rest else seconds)


def _activity(said: object, names: tuple[str, ...]) -> dict[str, DeviceActivity]:
    if said is None:
        return {}
    told = zip(names, sequence(said, len(names)), strict=False)  # the last devices are left out
    return {name: _observed(each) for name, each in told if each is not None}


def _observed(said: object) -> DeviceActivity:
    fields = sequence(said, len(DeviceActivity._fields))
    if not fields or fields[0] is None:
        raise wrong(said, "observed time and activity of a device")
    unsaid = [None] * (len(DeviceActivity._fields) - len(fields))
    return DeviceActivity._make([None if each is None else amount(each, MAX_ACTIVITY) for each in [*fields, *unsaid]])


def _metrics(said: object) -> dict[str, float]:
    if said is None:
        return {}
    values = mapping(said, MAX_METRICS)
    if values and max(map(len, values)) > MAX_NAME:
        raise wrong(said, "names of metrics")
    if set(map(type, values.values())) <= _FLOATS:
        return cast("dict[str, float]", values)
    return {name: _any_number(value) for name, value in values.items()}


def _any_number(said: object) -> float:
    """Return a number, which may be a text that stands for NaN or an infinity."""
    if type(said) is float:
        return said
    if type(said) is str and said in NOT_FINITE:
        return NOT_FINITE[said]
    return amount(said, 2.0**1023, -(2.0**1023))


def moment(said: object) -> datetime:
    """Return a time of day, in UTC.

    Raises:
        ValueError: It is no time, has no time zone, or is too late.
    """
    when = datetime.fromisoformat(text(said))
    if when.tzinfo is not UTC:
        if when.tzinfo is None:
            raise wrong(said, "time with a time zone")
        try:
            when = when.astimezone(UTC)
        except OverflowError as reason:
            raise wrong(said, "time") from reason
    if when > _LATEST:  # rounding a fraction of a second could reach the year 10000
        raise wrong(said, "time before the last day of the year 9999")
    return when
