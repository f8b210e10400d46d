"""The page of the format names every field that a run writes."""

import json
import re
from datetime import UTC, datetime

import pytest

from green_callbacks.ledger import Closing, Head, Lines, RunBudget
from green_callbacks.ledger import format as form
from green_callbacks.records import (
    Checkpoints,
    DeviceActivity,
    DeviceEnergy,
    Effort,
    EpochRecord,
    Intensity,
    Landing,
    PhaseEnergy,
    Plan,
    SharedSpending,
    Verdict,
)
from green_callbacks.units import Amount

BUDGETS = (RunBudget(Amount(1.0, "emissions_kg"), "logs"), RunBudget(Amount(1.0, "facility_kwh")))
PLAN = Plan(
    epochs=3,
    min_epochs=1,
    min_steps=1,
    steps=30,
    epoch_steps=10,
    seconds=60.0,
    emissions_kg=1.0,
    learning_rate_drops=(2,),
    anneals=True,
    schedule_unreadable=True,
    spent_before_kg=1.0,
    spent_before_kwh=1.0,
    shared=(
        SharedSpending("logs", "emissions_kg", 1.0, 1.0, 1.0, 1.0),
        SharedSpending("logs", "facility_kwh", 1.0, 1.0, 1.0, 1.0),
    ),
    landing=Landing(first_step=20, steps=10, epoch=1, last_epoch=2, reason="why", begun_step=10),
    landing_refused=True,
)
CLOSING = Closing(
    run_id="run",
    rows=1,
    epochs=1,
    duration_seconds=1.0,
    energy_joules=1.0,
    facility_kwh=1.0,
    emissions_kg=1.0,
    emissions_low_kg=1.0,
    emissions_high_kg=1.0,
    measured_share=1.0,
    samples=1,
    tokens=1,
    flops=1.0,
    steps=1,
    effort=Effort(),
)


def full_record():
    device = DeviceEnergy(1.0, "gpu", "counter", 1.0, 0.5, 1.5, 0.1, 0.05, ())
    return EpochRecord(
        epoch=0,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        duration_seconds=1.0,
        devices={"gpu0": device},
        intensity=Intensity(g_per_kwh=100.0, source="test", found_by="given"),
        pue=1.1,
        step=1,
        closes_epoch=False,
        complete=False,
        phases={"train": PhaseEnergy(1.0, 0.5)},
        metrics={"loss": 1.0},
        learning_rate=0.1,
        samples=1,
        tokens=1,
        flops=1.0,
        data_wait_seconds=0.5,
        activity={"gpu0": DeviceActivity(1.0, 0.5, 1500.0, 60.0, 0.1, 0.0, 0.1, 0.0, 300.0)},
        steps=1,
    )


def many_devices():
    """Yield two records of so many devices that the second set is told by what has changed."""
    for device in (
        DeviceEnergy(1.0, "gpu", "counter", 1.0, 0.5, 1.5),
        DeviceEnergy(1.0, "gpu", "modelled", 1.0, 0.5, 1.5, 0.1, 0.05, ("reset",)),
    ):
        yield full_record()._replace(devices={f"gpu{at}": device for at in range(65)})


def all_lines(folder):
    lines = Lines()
    place = {"hosts": {"node01": "1a2b"}, "process": "3c4d"}
    nesting = {"parent": "outer", "ancestors": ("it",), "earlier": ((),)}
    yield lines.head(Head(run_id="run", version="1", budgets=BUDGETS, **nesting, **place))
    yield from lines.record(full_record()).splitlines()
    yield from Lines().heartbeat(full_record()).splitlines()  # which leaves out nothing
    for row in many_devices():
        yield from lines.record(row).splitlines()
    yield lines.verdicts([Verdict(stop=False, code="waiting", reason="why", values={"a": 1.0})])
    yield lines.rewind(0, 1)
    yield lines.plan(PLAN)
    yield lines.checkpoints("loss", Checkpoints("min", {}), folder)
    yield lines.notice("key", "text")
    yield lines.end(None, CLOSING, 0)


def names_of(line):
    for name, value in line.items():
        yield name
        if name in {"plan", "closing"}:
            yield from (f"{name}.{part}" for part in value)
        if name == "plan":
            yield from (f"plan.landing.{part}" for part in value.get("landing", ()))
            yield from (f"plan.shared[].{part}" for each in value.get("shared", ()) for part in each)
        if name == "budgets":
            yield from (f"{name}[].{part}" for budget in value for part in budget)
        if name == "activity":
            yield from (f"{name}[][{at}]" for at in range(len(value[0])))
        if name == "changed":
            yield from (f"{name}[].{part}" for part in value[0])


def tables():
    """The fields of each table, by the types of line in its heading."""
    found, fields = {}, set()
    for text in form.__doc__.splitlines():
        if text.startswith("## "):
            fields = set()
            found.update(dict.fromkeys(re.findall(r"`(\w+)`", text), fields))
        elif text.startswith("| `"):
            fields.update(re.findall(r"`([^`]+)`", text.split("|")[1]))
    return found


def test_the_page_names_every_field_and_no_other(tmp_path):
    written, told = {}, tables()
    for line in map(json.loads, all_lines(tmp_path)):
        written.setdefault(line["type"], set()).update(set(names_of(line)) - {"type"})

    assert written.keys() == told.keys()
    plan = {name for name in told["plan"] if "." in name}
    assert written["plan"] - {"plan", "plan.landing"} == plan
    for kind in written.keys() - {"plan"}:
        parts = {"plan", "closing", "plan.landing"} | plan
        assert written[kind] - parts == told[kind] - parts, kind


@pytest.mark.parametrize("kind", tables())
def test_the_overview_lists_every_type(kind):
    assert f"\n| `{kind}` |" in form.__doc__
