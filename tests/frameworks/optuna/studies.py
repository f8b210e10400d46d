"""Studies whose trials train nothing and spend what a script says."""

from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import ScriptedSource

HOUR = 3600.0
EPOCH_KG = 0.1
"""Emissions of an epoch of an hour at 1 kW, in kgCO2e."""


def measured(watts=1000.0, **options):
    """Return the options of an accountant on a scripted clock."""
    clock = ScriptedClock()
    source = ScriptedSource(watts, clock=clock)
    return {"sources": [source], "clock": clock, "carbon_intensity": 100.0, "pue": 1.0, "sinks": [], **options}


def train(run, values, metric="val_acc"):
    """Train an epoch of an hour for each value, and return the last value that was reached."""
    clock = run.accountant._settings.clock
    reached = None
    for epoch in run.accountant.epochs(len(values)):
        clock.advance(HOUR)
        reached = values[epoch]
        run.accountant.observe({metric: reached})
    return reached


def ledgers(folder):
    return sorted(folder.rglob("trial-*.jsonl"))
