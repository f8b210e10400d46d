"""Conversion of the rows of a history to plain JSON types and back."""

from array import array
from collections.abc import Mapping
from itertools import accumulate
from math import nan
from typing import Any, Final

from green_callbacks.records.history.columns import (
    CLOSES,
    COMPLETE,
    DENSE,
    DEVICE_NUMBERS,
    LATER,
    NAMED,
    PHASE_NUMBERS,
    SPARSE,
    DeviceLabels,
    Numbers,
    Shared,
    Sparse,
    known,
)
from green_callbacks.records.history.devices.activity_columns import ACTIVITY_NUMBERS, ActivityColumn
from green_callbacks.records.history.rows import Rows
from green_callbacks.records.history.state import state_checks as checks
from green_callbacks.records.history.state.packed_columns import DamagedError, Unpacker, pack
from green_callbacks.records.intensity import FOUND_BY, Intensity
from green_callbacks.records.measurement_methods import METHODS

MOST_ROWS: Final = 300_000
"""Most rows of a state. A thinned history has at most about 200,000."""

_MOST_NUMBERS: Final = 4_000_000
"""Most numbers of devices or of phases, six times the number of a history before it is thinned."""

_MOST_UNSEEN: Final = 10**15
"""Most merged records. By convention."""
_EARLIEST_SECONDS: Final = -62_135_596_800
"""First second of ``datetime``, the beginning of year 1, in s since 1970."""
_LATEST_SECONDS: Final = 253_402_300_799
"""Last second of ``datetime``, the end of year 9999, in s since 1970."""

_TEXTS: Final = ("zone", "name", "scope", "basis", "source", "licence")


def encode_rows(rows: Rows) -> dict[str, Any]:
    """Return rows as plain JSON types.

    Args:
        rows: The rows.
    """
    length = rows.length
    state: dict[str, Any] = {"rows": length, "unseen": rows.unseen}
    state["dense"] = {name: pack(rows.dense(name)) for name in DENSE}
    state["sparse"] = {name: encode_sparse(getattr(rows, name), length) for name in SPARSE}
    for name in NAMED:
        columns = list(getattr(rows, name).items())
        state[name] = {key: encode_sparse(column, length) for key, column in columns if column.until(length).rows}
    state["activity"] = {
        name: [pack(column.rows), pack(column.values)]
        for name, each in list(rows.activity.items())
        if (column := each.copy(length)).rows
    }
    devices, phases = rows.devices.used(length), rows.phases.used(length)
    state["devices"] = {
        "labels": [
            [list(names), list(parts), list(ways), list(off), list(map(list, flags))]
            for names, parts, ways, off, flags in devices
        ],
        "label": pack(rows.devices.index[:length]),
        "numbers": pack(rows.device_numbers[: rows.device_end(length)]),
    }
    state["phases"] = {
        "labels": list(map(list, phases)),
        "label": pack(rows.phases.index[:length]),
        "numbers": pack(rows.phase_numbers[: rows.phase_end(length)]),
    }
    state["intensities"] = _encode_intensities(rows.intensity.used(length))
    state["intensity"] = pack(rows.intensity.index[:length])
    return state


def encode_sparse(column: Sparse, length: int) -> list[str]:
    """Return the entries of the first rows."""
    rows, values = column.until(length)
    return [pack(rows), pack(values)]


def _encode_intensities(intensities: list[Intensity]) -> dict[str, Any]:
    """Return intensities in columns. A live provider may give every row another value, and the other fields repeat."""
    labels: Shared[tuple[Any, ...]] = Shared()
    for each in intensities:
        labels.append((*(getattr(each, name) for name in _TEXTS), each.year, each.found_by, each.flags))
    bounds = ("g_per_kwh", "low_g_per_kwh", "high_g_per_kwh")
    columns = {name: array("d", (_number(getattr(each, name)) for each in intensities)) for name in bounds}
    return {
        "labels": [[*label[:-1], list(label[-1])] for label in labels.distinct],
        "label": pack(labels.index),
        **{name: pack(column) for name, column in columns.items()},
    }


def _number(value: float | None) -> float:
    return nan if value is None else value


class Decoder:
    """Reads the result of :func:`encode_rows`, and checks all of it.

    Args:
        state: The mapping of columns, of any type.
        unpacker: Unpacks the columns.

    Raises:
        DamagedError: This package cannot have written the columns.
    """

    def __init__(self, state: object, unpacker: Unpacker) -> None:
        self._state = checks.mapping(state, "its columns")
        self._unpacker = unpacker
        self._length = checks.whole(self._state.get("rows"), "its number of rows", MOST_ROWS)

    def rows(self) -> Rows:
        """Return the rows."""
        rows = Rows()
        rows.length = rows.intended = self._length
        rows.unseen = checks.whole(self._state.get("unseen"), "its number of merged records", _MOST_UNSEEN)
        self._dense(rows)
        sparse = checks.mapping(self._state.get("sparse"), "its sparse columns")
        for name, code in SPARSE.items():
            if name in LATER and name not in sparse:
                continue
            setattr(rows, name, self._sparse(sparse.get(name), code, f"its {name}"))
        for name in NAMED:
            columns = checks.mapping(self._state.get(name), f"its {name}")
            setattr(rows, name, {key: self._sparse(each, "d", f"its {name}") for key, each in columns.items()})
        watched = checks.mapping(self._state.get("activity", {}), "its activity")  # older states have none
        rows.activity = {name: self._activity(each) for name, each in watched.items()}
        self._devices(rows)
        self._phases(rows)
        self._intensities(rows)
        self._check(rows)
        rows.find_closed()
        return rows

    def _dense(self, rows: Rows) -> None:
        columns = checks.mapping(self._state.get("dense"), "its dense columns")
        for name, code in DENSE.items():
            setattr(rows, name, self._unpacker.exactly(columns.get(name), code, self._length, f"its {name}"))

    def _sparse(self, packed: object, code: str, what: str) -> Sparse:
        return read_sparse(packed, code, what, self._length, self._unpacker)

    def _activity(self, packed: object) -> ActivityColumn:
        what, column = "its activity", ActivityColumn()
        packed_rows, values = checks.listed(packed, what, 2)
        column.rows = self._unpacker.numbers(packed_rows, "i", self._length, what)
        checks.rising(column.rows, self._length, what)
        column.values = self._unpacker.exactly(values, "d", ACTIVITY_NUMBERS * len(column.rows), what)
        checks.all_finite(column.values, what, or_nan=True)
        checks.all_finite(column.values[::ACTIVITY_NUMBERS], what)
        return column

    def _devices(self, rows: Rows) -> None:
        packed = checks.mapping(self._state.get("devices"), "its devices")
        distinct = [_device_labels(each) for each in checks.listed(packed.get("labels"), "the labels of its devices")]
        rows.devices = self._shared(packed.get("label"), distinct, "the labels of its devices")
        widths = [DEVICE_NUMBERS * len(labels[0]) for labels in distinct]
        rows.device_begins, rows.device_numbers = self._numbers(rows.devices, widths, packed, "energies of its devices")
        checks.all_finite(rows.device_numbers, "the energies of its devices", or_nan=True)

    def _phases(self, rows: Rows) -> None:
        packed = checks.mapping(self._state.get("phases"), "its phases")
        labels = checks.listed(packed.get("labels"), "the names of its phases")
        distinct = [checks.names(each, "the names of its phases") for each in labels]
        rows.phases = self._shared(packed.get("label"), distinct, "the names of its phases")
        widths = [PHASE_NUMBERS * len(each) for each in distinct]
        rows.phase_begins, rows.phase_numbers = self._numbers(rows.phases, widths, packed, "energies of its phases")
        checks.all_finite(rows.phase_numbers, "the energies of its phases", or_nan=True)
        checks.all_finite(rows.phase_numbers[1::PHASE_NUMBERS], "the times of its phases")

    def _numbers(
        self, labels: Shared[Any], widths: list[int], packed: Mapping[str, Any], what: str
    ) -> tuple[Numbers, Numbers]:
        """Return the place where the numbers of each row begin, and the numbers."""
        begins = list(accumulate((widths[at] for at in labels.index), initial=0))
        count = begins.pop()
        if count > _MOST_NUMBERS:
            msg = f"{what} are too many"
            raise DamagedError(msg)
        return array("i", begins), self._unpacker.exactly(packed.get("numbers"), "d", count, what)

    def _shared(self, packed: object, distinct: list[Any], what: str) -> Shared[Any]:
        index = self._unpacker.exactly(packed, "i", self._length, what)
        return _refilled(index, distinct, what)

    def _intensities(self, rows: Rows) -> None:
        packed = checks.mapping(self._state.get("intensities"), "its carbon intensities")
        labels = checks.listed(packed.get("labels"), "its carbon intensities")
        made = [_intensity(each) for each in labels]
        index = self._unpacker.numbers(packed.get("label"), "i", self._length, "its carbon intensities")
        checks.within(index, "its carbon intensities", 0, len(made) - 1)
        what = "its carbon intensities"
        columns = [
            self._unpacker.exactly(packed.get(name), "d", len(index), what)
            for name in ("g_per_kwh", "low_g_per_kwh", "high_g_per_kwh")
        ]
        checks.all_finite(columns[0], what)
        for column in columns[1:]:
            checks.all_finite(column, what, or_nan=True)
        distinct = [
            Intensity(g_per_kwh=g, low_g_per_kwh=known(low), high_g_per_kwh=known(high), **made[at])
            for at, g, low, high in zip(index, *columns, strict=True)
        ]
        rows.intensity = self._shared(self._state.get("intensity"), distinct, what)

    def _check(self, rows: Rows) -> None:
        checks.within(rows.marks, "the marks of its rows", 0, CLOSES | COMPLETE)
        for name in ("pue", "kg", "kwh", "seconds"):
            checks.all_finite(rows.dense(name), f"its {name}")
        for name in ("samples", "tokens", "flops", "waits"):
            checks.all_finite(getattr(rows, name).values, f"its {name}")
        for column in rows.most_joules.values():
            checks.all_finite(column.values, "its most expensive phases")
        check_merged(rows)
        check_finite(rows)


def read_sparse(packed: object, code: str, what: str, length: int, unpacker: Unpacker) -> Sparse:
    """Return a column that only some rows have.

    Args:
        packed: Rows and values of the column.
        code: Type code of the values.
        what: Name of the values, for the message.
        length: Number of rows.
        unpacker: Unpacks them.

    Raises:
        DamagedError: The column is damaged.
    """
    packed_rows, values = checks.listed(packed, what, 2)
    column = Sparse(code)
    column.rows = unpacker.numbers(packed_rows, "i", length, what)
    checks.rising(column.rows, length, what)
    column.values = unpacker.exactly(values, code, len(column.rows), what)
    return column


def check_merged(rows: Rows) -> None:
    """Refuse impossible counts of merged rows.

    Raises:
        DamagedError: A count is impossible.
    """
    checks.all_finite(rows.merged_outside.values, "its energy outside epochs")
    for name in ("merged_epochs", "merged_parts"):
        checks.within(getattr(rows, name).values, f"its {name}", 0, _MOST_UNSEEN)


def check_finite(rows: Rows) -> None:
    """Refuse times and bounds of energies that are not finite.

    Raises:
        DamagedError: A number is not finite.
    """
    checks.within(rows.started, "its times", _EARLIEST_SECONDS, _LATEST_SECONDS)
    for name in ("duration", "low_kg", "high_kg"):
        checks.all_finite(rows.dense(name), f"its {name}")
    checks.all_finite(rows.joules, "its joules", or_nan=True)
    for column in rows.gaps.values():
        checks.all_finite(column.values, "its gaps")


def _refilled(index: "array[int]", distinct: list[Any], what: str) -> Shared[Any]:
    """Return a column of shared values whose distinct values are in the order of first use."""
    checks.within(index, what, 0, len(distinct) - 1)
    column: Shared[Any] = Shared()
    for at in index:
        column.append(distinct[at])
    return column


def _device_labels(packed: object) -> DeviceLabels:
    what = "the labels of its devices"
    texts, components, methods, tolerances, flags = checks.listed(packed, what, 5)
    names = checks.names(texts, what)
    count = len(names)
    ways = checks.names(methods, what, count)
    if len(set(names)) < count or not set(ways) <= set(METHODS):
        msg = f"{what} are no labels"
        raise DamagedError(msg)
    return (
        names,
        checks.names(components, what, count),
        ways,  # type: ignore[return-value]  # checked to be methods above
        tuple(checks.finite(each, what) for each in checks.listed(tolerances, what, count)),
        tuple(checks.names(each, what) for each in checks.listed(flags, what, count)),
    )


def _intensity(packed: object) -> dict[str, Any]:
    what = "one of its carbon intensities"
    *texts, year, found_by, flags = checks.listed(packed, what, len(_TEXTS) + 3)
    fields: dict[str, Any] = {name: checks.optional_name(each, what) for name, each in zip(_TEXTS, texts, strict=True)}
    if fields["source"] is None or found_by not in FOUND_BY:
        msg = f"{what} says neither source nor how it was found"
        raise DamagedError(msg)
    fields["year"] = None if year is None else checks.whole(year, what, 9_999, -9_999)
    return {**fields, "found_by": found_by, "flags": checks.names(flags, what)}
