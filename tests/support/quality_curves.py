"""Groups of runs with curves made by hand."""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from green_callbacks.analysis.comparing import ComparedRun, Group, RunConditions, RunPoint, RunPoints
from green_callbacks.analysis.comparing.equal_spending import CurveGroup
from green_callbacks.analysis.comparing.quality_curve import Axis, Kept
from green_callbacks.analysis.comparing.same_amount import SameAmount
from green_callbacks.metrics import Metric

ACC = Metric("val_acc", "max")


def trained(values: Iterable[float], *, kwh: float = 1.0, name: str = "run", **fields: Any) -> ComparedRun:
    """A run that took ``kwh`` for each value, 1 minute and a third as many kg."""
    points = [
        RunPoint(at, value, kwh * (at + 1), kwh * (at + 1) / 3, 60.0 * (at + 1)) for at, value in enumerate(values)
    ]
    whole = points[-1] if points else RunPoint(None, 0.0, 0.0, 0.0, 0.0)
    totals = {"kwh": whole.kwh, "kg": whole.kg, "seconds": whole.seconds}
    return ComparedRun(run_id=name, path=Path(f"{name}.jsonl"), points=RunPoints(points), **{**totals, **fields})


def grouped(name: str, top: float, epochs: int, *, runs: int = 5, seeds: bool = False, noise: float = 0.01) -> Group:
    """Runs whose quality rises to about ``top``. Each of their epochs takes about 0.1 kWh."""
    made = []
    for seed in range(runs):
        chance = random.Random(f"{name} {seed}")
        end, kwh = top + chance.gauss(0, noise), 0.1 * chance.gauss(1, 0.01)
        values = [end * (1 - 0.5**epoch) for epoch in range(epochs)] + [end]
        labels = {"seed": str(seed)} if seeds else {}
        conditions = RunConditions(anneals=True)
        made.append(trained(values, kwh=kwh, name=f"{name}-{seed}", labels=labels, conditions=conditions))
    return Group(name, made)


def compared(
    groups: Iterable[Group],
    *references: Group,
    amount: float | None = None,
    axis: Axis = "energy",
    kept: Kept = "best",
    metric: Metric = ACC,
) -> SameAmount:
    """The groups and the references at an amount."""
    curves = [CurveGroup.of(group, metric, axis, kept) for group in groups]
    curves += [CurveGroup.of(group, metric, axis, kept, is_reference=True) for group in references]
    return SameAmount.of(curves, metric, axis=axis, kept=kept, amount=amount)
