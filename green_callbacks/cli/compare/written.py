"""A comparison as text and as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from statistics import fmean, geometric_mean
from typing import Any, Final

from green_callbacks.analysis.comparing import ComparedRun
from green_callbacks.analysis.comparing.equal_quality.comparison import Compared, Comparison
from green_callbacks.analysis.comparing.equal_quality.reaching import QUANTITIES, Quantity, Side
from green_callbacks.analysis.comparing.equal_quality.sentences import (
    amount,
    claim,
    main_sentences,
    method_sentence,
    run_sentences,
)
from green_callbacks.cli.compare.gate import Gate
from green_callbacks.text.layout import UNKNOWN, aligned, labeled

_LABEL_WIDTH: Final = 9
"""Width of the column of labels, in characters."""

_NOTE: Final = (
    "Costs are geometric means until the end of the epoch that first had the quality, with set-up, validation and "
    "repeated epochs. Energy is that of the computers. CO2e is at the intensity and PUE of each run. Intervals hold "
    "the chance between runs, and no error of sensors."
)


def text(comparison: Comparison, quantity: Quantity) -> str:
    """Write a comparison.

    Args:
        comparison: The comparison.
        quantity: What is compared first.

    Returns:
        Lines of plain text.
    """
    others = [claim(comparison, each) for each in QUANTITIES if each != quantity]
    blocks = {
        "Result": [*main_sentences(comparison, quantity), *filter(None, others)],
        "Method": [*filter(None, [method_sentence(comparison.of(quantity))])],
        "Unlike": comparison.unlike,
        "Runs": run_sentences(comparison),
        "Note": [_NOTE],
    }
    said = [labeled(label, *lines, label_width=_LABEL_WIDTH) for label, lines in blocks.items() if lines]
    return "\n".join([f"What it took to reach {comparison.target}", "", _table(comparison), "", *said])


def notes(comparison: Comparison) -> list[str]:
    """Return the sentences that stand beside a gate's line.

    Args:
        comparison: The comparison.
    """
    return [*comparison.unlike, *run_sentences(comparison)]


def _table(comparison: Comparison) -> str:
    rows = [["side", "runs", "reached", "epochs", "energy", "CO2e", "time"]]
    for at, side in enumerate((comparison.first, comparison.second)):
        costs = [_mean(each, at, side) for each in comparison.quantities]
        rows.append([side.name, str(side.size), str(len(side.reached)), _epochs(side), *costs])
    return aligned(rows)


def _mean(compared: Compared, at: int, side: Side) -> str:
    costs = compared.costs[at]
    return amount(compared.quantity, geometric_mean(costs)) if costs and not side.missed else UNKNOWN


def _epochs(side: Side) -> str:
    """Write the mean number of epochs until the quality."""
    epochs = [each.at.epoch + 1 for each in side.reached if each.at.epoch is not None]
    return f"{fmean(epochs):.1f}" if epochs and not side.missed else UNKNOWN


def json_text(
    comparison: Comparison | None, quantity: Quantity, gate: Gate | None, more: Mapping[str, Any] | None = None
) -> str:
    """Write a comparison for another program.

    Args:
        comparison: The comparison. None without a quality to reach.
        quantity: What is compared first.
        gate: The gate. None without a gate.
        more: What else was compared. Defaults to None, for nothing.

    Returns:
        A JSON object. What is not known is null.
    """
    found = {} if comparison is None else _data(comparison, quantity, gate)
    return json.dumps({**found, **(more or {})}, indent=2, allow_nan=False)


def _data(comparison: Comparison, quantity: Quantity, gate: Gate | None) -> dict[str, Any]:
    target = comparison.target
    return {
        "reach": {"metric": target.metric.name, "mode": target.metric.mode, "value": target.value},
        "of": quantity,
        "paired": comparison.is_paired,
        "sides": [_side(side) for side in (comparison.first, comparison.second)],
        "quantities": {each.quantity: _quantity(each) for each in comparison.quantities},
        "sentences": main_sentences(comparison, quantity),
        "unlike": list(comparison.unlike),
        "runs": run_sentences(comparison),
        "gate": None if gate is None else asdict(gate),
    }


def _side(side: Side) -> dict[str, Any]:
    reached: list[dict[str, Any]] = [
        {
            **_named(each.run),
            "epoch": each.at.epoch,
            "value": each.at.value,
            "energy_kwh": each.cost("energy"),
            "emissions_kg": each.cost("emissions"),
            "seconds": each.cost("time"),
        }
        for each in side.reached
    ]
    return {
        "name": side.name,
        "reached": reached,
        "missed": [
            {**_named(run), "last_value": _last(run.points), "energy_kwh": _finite(run.kwh)} for run in side.missed
        ],
        "left_out": [{**_named(run), "why": why} for run, why in side.left_out],
    }


def _named(run: ComparedRun) -> dict[str, Any]:
    return {"run_id": run.run_id, "ledger": str(run.path), "seed": run.seed}


def _last(points: Sequence[Any]) -> float | None:
    """Return the last finite value of a run that did not reach the quality."""
    return next((point.value for point in reversed(points) if isfinite(point.value)), None)


def _quantity(compared: Compared) -> dict[str, Any]:
    ratio = compared.ratio
    return {
        "ratio": None if ratio is None else asdict(ratio),
        "is_shown": None if ratio is None or ratio.low is None else ratio.is_shown,
        "log_rank": None if compared.log_rank is None else compared.log_rank._asdict(),
        "medians": compared.medians,
        "runs_needed": compared.needed,
        "runs_needed_for": compared.size,
        "unknown": list(compared.unknown),
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
