"""Accountants on scripted time and power: 300 W unless said otherwise, at 1000 gCO2e/kWh."""

from green_callbacks import EnergyAccountant
from green_callbacks.clock import ScriptedClock
from green_callbacks.sinks import Sink
from green_callbacks.sources import ScriptedSource

WATTS = 300.0
KG_PER_JOULE = 1 / 3_600_000.0
QUIET = {"carbon_intensity": 1000.0, "pue": 1.0, "sinks": []}


def scripted(clock=None, *, watts=WATTS, name="scripted:0", **options):
    """An accountant of one scripted device, and its clock."""
    clock = clock or ScriptedClock()
    options = {**QUIET, "ledger": False, "sources": [ScriptedSource(watts, name=name, clock=clock)], **options}
    return EnergyAccountant(clock=clock, **options), clock


def train(accountant, clock, epochs, *, seconds=10.0, between=0.0, metrics=None):
    """Train epochs of so many seconds, with so many between them."""
    records = []
    for epoch in epochs:
        accountant.begin_epoch(epoch)
        clock.advance(seconds)
        accountant.observe(metrics(epoch) if metrics else {})
        records.append(accountant.end_epoch())
        clock.advance(between)
    return records


class ListSink(Sink):
    """Keeps what it is handed."""

    def __init__(self):
        self.contexts, self.records, self.runs, self.closed = [], [], [], 0

    def open(self, context):
        self.contexts.append(context)

    def write(self, record):
        self.records.append(record)

    def finish(self, run):
        self.runs.append(run)

    def close(self):
        self.closed += 1
