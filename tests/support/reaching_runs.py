"""Ledgers of groups of runs whose power scatters, and groups of runs made by hand."""

import random
from pathlib import Path

from green_callbacks.analysis.comparing import ComparedRun, Group, RunPoint, RunPoints
from green_callbacks.analysis.comparing.equal_quality import Target
from green_callbacks.metrics import Metric
from support.runs import scripted, train

TARGET = Target(Metric("val_acc", "max"), 0.9)


def write_run(path, *, watts=300.0, epochs=12, metrics=lambda epoch: {"val_acc": 0.9 - 0.5 * 0.5**epoch}, **options):
    """Write the ledger of a run with epochs of a minute. It reaches a val_acc of 0.88 after six of them."""
    accountant, clock = scripted(ledger=path, watts=watts, **options)
    accountant.start()
    train(accountant, clock, range(epochs), seconds=60.0, metrics=metrics)
    accountant.close()
    return path


def write_group(folder, *, factor=1.0, runs=5, seed=0, deviation=0.03, labels=None, **options):
    """Write a folder of such runs, whose power has a mean of a factor times 300 W."""
    chance = random.Random(seed)
    for at in range(runs):
        watts = 300.0 * factor * chance.lognormvariate(0.0, deviation)
        own = {"seed": str(at), **(labels or {})} if labels is not None else {}
        write_run(Path(folder, f"run-{at}.jsonl"), watts=watts, labels=own, **options)
    return folder


def reached(name, *costs, missed=(), seeds=None, **fields):
    """A group whose runs reached 0.9 for so many kWh, and runs that ended before at so many kWh."""
    runs = []
    for at, (cost, value) in enumerate([*((cost, 0.95) for cost in costs), *((cost, 0.5) for cost in missed)]):
        points = RunPoints(
            [RunPoint(0, 0.4, cost / 2, cost / 6, cost * 30), RunPoint(1, value, cost, cost / 3, cost * 60)]
        )
        labels = {} if seeds is None else {"seed": str(seeds[at])}
        given = {"labels": labels, "metric_names": ("val_acc",), "kwh": cost, "kg": cost / 3, "seconds": cost * 60}
        run_id = f"{name}-{at}"
        runs.append(
            ComparedRun(run_id=run_id, path=Path(f"{run_id}.jsonl"), points=points, epochs=2, **{**given, **fields})
        )
    return Group(name, runs)
