"""Encodes and decodes the head of a ledger, which describes the run and its plan."""

from collections.abc import Mapping
from typing import Any, Final

from green_callbacks.errors import LedgerError
from green_callbacks.ledger import format as form
from green_callbacks.ledger.head import Head, RunBudget
from green_callbacks.ledger.limits import MAX_BUDGETS, MAX_DEVICES, MAX_DROPS, MAX_ENTRIES, MAX_HOSTS, MAX_NESTED
from green_callbacks.records import DeviceInfo, Landing, Plan
from green_callbacks.records.checked import (
    MAX_JOULES,
    MAX_PATH,
    MAX_SECONDS,
    MAX_TEXT,
    MAX_WATTS,
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
from green_callbacks.records.landing import decode_landing, encode_landing
from green_callbacks.records.shared_spending import decode_shared, encode_shared
from green_callbacks.text import is_plain_name
from green_callbacks.units import Amount, Quantity

_MODES: Final = frozenset({"max", "min"})
_MAX_SCHEMA: Final = 1_000
"""Largest version of the format that is taken for a number of ours. The present version is 2."""

_SHOWN: Final = 60
"""Number of characters that a message shows of a wrong name."""

_LIMITS: Final[dict[Quantity, str]] = {"emissions_kg": "kg", "facility_kwh": "kwh"}
"""Field of the limit of a budget, by the quantity that the budget limits."""

_MAX_FIELDS: Final = 100
"""Largest number of fields of a plan, a device or a budget. About ten are known, and later versions may add some."""


def encode_head(head: Head) -> dict[str, Any]:
    """Return the fields of a head."""
    return {
        "type": "run",
        "schema": form.SCHEMA,
        "run_id": head.run_id,
        "version": head.version,
        "plan": encode_plan(head.plan),
        "monitor": None if head.monitor is None else short(head.monitor),
        "mode": head.mode,
        "pue_source": short(head.pue_source),
        "host": short(head.host),
        "devices": {short(name): _encode_device(info) for name, info in list(head.devices.items())[:MAX_DEVICES]},
        "labels": _texts(head.labels),
        "versions": _texts(head.versions),
        "budgets": [_encode_budget(budget) for budget in head.budgets if _is_finite(budget)][:MAX_BUDGETS],
        **_encode_nesting(head),
        **_encode_place(head),
    }


def _encode_nesting(head: Head) -> dict[str, Any]:
    """Return the runs inside which a run lies. Most runs lie in none, and their heads stay as they were."""
    earlier = [list(session[:MAX_NESTED]) for session in head.earlier[:MAX_NESTED]]
    fields = {"parent": head.parent, "ancestors": list(head.ancestors[:MAX_NESTED]), "earlier": earlier}
    return {name: value for name, value in fields.items() if value}


def _encode_place(head: Head) -> dict[str, Any]:
    """Return which machines and which process a run uses, where this is known."""
    hosts = {short(name): short(identity) for name, identity in list(head.hosts.items())[:MAX_HOSTS]}
    return {name: value for name, value in {"hosts": hosts, "process": short(head.process)}.items() if value}


def _texts(said: Mapping[str, str]) -> dict[str, str]:
    return {short(str(name)): short(str(value)) for name, value in list(said.items())[:MAX_ENTRIES]}


def _encode_device(info: DeviceInfo) -> dict[str, Any]:
    fields = {
        "uuid": None if info.uuid is None else short(info.uuid),
        "product": None if info.product is None else short(info.product),
        "default_limit_watts": _within(info.default_limit_watts, MAX_WATTS),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _encode_budget(budget: RunBudget) -> dict[str, Any]:
    fields: dict[str, Any] = {_LIMITS[budget.limit.quantity]: float(budget.limit.value)}
    return fields if budget.project is None else {**fields, "project": budget.project[:MAX_PATH]}


def _is_finite(budget: RunBudget) -> bool:
    return _within(budget.limit.value, MAX_JOULES) is not None


def encode_plan(plan: Plan) -> dict[str, Any]:
    """Return the known fields of a plan, without impossible numbers."""
    fields: dict[str, Any] = {name: _whole(getattr(plan, name)) for name in form.PLAN_COUNTS}
    fields |= {name: _within(getattr(plan, name), MAX_SECONDS) for name in form.PLAN_AMOUNTS}
    fields |= {name: _within(getattr(plan, name), MAX_JOULES) or None for name in form.PLAN_SPENT}
    fields |= {name: bool(getattr(plan, name)) or None for name in form.PLAN_FLAGS}
    fields[form.PLAN_DROPS] = [_whole(drop) or 0 for drop in plan.learning_rate_drops[:MAX_DROPS]] or None
    fields[form.PLAN_SHARED] = _encode_shared(plan) or None
    fields[form.PLAN_LANDING] = _encode_landing(plan.landing)
    return {name: value for name, value in fields.items() if value is not None}


def _encode_shared(plan: Plan) -> list[dict[str, Any]]:
    shared = [each._replace(project=each.project[:MAX_PATH]) for each in plan.shared[:MAX_BUDGETS]]
    return encode_shared([each for each in shared if _within(each.total, MAX_JOULES) is not None])


def _encode_landing(landing: Landing | None) -> dict[str, Any] | None:
    if landing is None:
        return None
    fields = {**encode_landing(landing), "reason": short(landing.reason)}
    return {name: value for name, value in fields.items() if value is not None}


def _within(value: float | None, most: float) -> float | None:
    return None if value is None or not 0 <= value <= most else float(value)


def _whole(value: float | None) -> int | None:
    try:
        return None if value is None else count(int(value))
    except (ValueError, OverflowError):
        return None


def decode_head(fields: Mapping[str, Any], place: str) -> Head:
    """Return the head that a line holds.

    Args:
        fields: The line.
        place: Line number and file, for messages.

    Raises:
        LedgerError: The head has another schema, or the name of its run cannot be a file name.
        ValueError: A field has an impossible value.
    """
    get = fields.get
    version = get("version")
    _check_schema(count(get("schema"), _MAX_SCHEMA), version, place)
    run_id = text(get("run_id"), MAX_TEXT)
    if not is_plain_name(run_id):
        msg = (
            f"{place} names its run {run_id[:_SHOWN]!a}, which cannot be the name of a file. "
            "Such a name has at most 100 letters, digits, dots, dashes and underscores. Name another ledger."
        )
        raise LedgerError(msg)
    devices = mapping(get("devices", {}), MAX_DEVICES)
    return Head(
        run_id=run_id,
        version=text(version),
        plan=decode_plan(get("plan", {})),
        monitor=optional_text(get("monitor")),
        mode=one_of(get("mode", "max"), _MODES),
        pue_source=text(get("pue_source", "not known")),
        host=text(get("host", "")),
        devices={text(name): _device(info) for name, info in devices.items()},
        labels={text(name): text(value) for name, value in mapping(get("labels", {}), MAX_ENTRIES).items()},
        versions={text(name): text(value) for name, value in mapping(get("versions", {}), MAX_ENTRIES).items()},
        budgets=tuple([_budget(said) for said in sequence(get("budgets", []), MAX_BUDGETS)]),
        parent=None if get("parent") is None else _run_name(get("parent")),
        ancestors=_run_names(get("ancestors", [])),
        earlier=tuple([_run_names(session) for session in sequence(get("earlier", []), MAX_NESTED)]),
        hosts={text(name): text(said) for name, said in mapping(get("hosts", {}), MAX_HOSTS).items()},
        process=text(get("process", "")),
    )


def _run_names(said: object) -> tuple[str, ...]:
    return tuple([_run_name(name) for name in sequence(said, MAX_NESTED)])


def _run_name(said: object) -> str:
    name = text(said)
    if not is_plain_name(name):
        raise wrong(name, "name of a run")
    return name


def _check_schema(schema: int, version: object, place: str) -> None:
    if schema == form.SCHEMA:
        return
    by = f"green_callbacks {version}" if is_plain_name(version) else "another version of green_callbacks"
    if schema > form.SCHEMA:
        msg = f"{place} was written by a later version of the package ({by}). Update the package to read it."
    else:
        msg = (
            f"{place} was written by {by} in schema {schema}. This version reads only schema {form.SCHEMA}. "
            "Read the file with the version that wrote it."
        )
    raise LedgerError(msg)


def _device(said: object) -> DeviceInfo:
    fields = mapping(said, _MAX_FIELDS)
    limit = optional_amount(fields.get("default_limit_watts"), MAX_WATTS)
    return DeviceInfo(optional_text(fields.get("uuid")), optional_text(fields.get("product")), limit)


def _budget(said: object) -> RunBudget:
    fields = mapping(said, _MAX_FIELDS)
    limits = [(quantity, fields[name]) for quantity, name in _LIMITS.items() if name in fields]
    if len(limits) != 1:
        raise wrong(said, "budget with one limit, in kg or kwh")
    quantity, limit = limits[0]
    return RunBudget(Amount(amount(limit, MAX_JOULES), quantity), optional_text(fields.get("project"), MAX_PATH))


def decode_plan(said: object) -> Plan:
    """Return a plan, ignoring unknown fields.

    Raises:
        ValueError: A field has an impossible value.
    """
    fields = mapping(said, _MAX_FIELDS)
    if not fields:  # as in an index, which holds thousands of heads
        return Plan()
    known: dict[str, Any] = {name: optional_count(fields.get(name)) for name in form.PLAN_COUNTS}
    known |= {name: optional_amount(fields.get(name), MAX_SECONDS) for name in form.PLAN_AMOUNTS}
    known |= {name: amount(fields.get(name, 0.0), MAX_JOULES) for name in form.PLAN_SPENT}
    known |= {name: flag(fields.get(name, False)) for name in form.PLAN_FLAGS}
    drops = tuple([count(drop) for drop in sequence(fields.get(form.PLAN_DROPS, []), MAX_DROPS)])
    landing = fields.get(form.PLAN_LANDING)
    shared = decode_shared(sequence(fields.get(form.PLAN_SHARED, []), MAX_BUDGETS), "what others have spent")
    landed = None if landing is None else decode_landing(landing)
    return Plan(**known, learning_rate_drops=drops, shared=shared, landing=landed)
