"""Overviews and rows of runs made by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from green_callbacks.ledger import Head, LedgerContents
from green_callbacks.ledger.overview import LedgerOverview, overview_of
from green_callbacks.page.rows import row_of
from green_callbacks.records import History
from support.scripted_run import record

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def trained(epochs: int = 4, *, metric: str = "val_acc", **fields: Any) -> History:
    """A run with a row before and after its epochs. Each row takes 4000 J at 360 gCO2e/kWh and a PUE of 1.25."""
    values = ({metric: 0.5 + 0.1 * epoch} for epoch in range(epochs))
    inside = [record(epoch, metrics=each, **fields) for epoch, each in enumerate(values)]
    return History([record(None), *inside, record(None)])


def overview(history: History | None = None, *, head: Head | None = None, **fields: Any) -> LedgerOverview:
    """The overview of a closed run."""
    history = trained() if history is None else history
    head = Head(run_id="run-1", version="1.2.3", host="node01", pue_source="argument") if head is None else head
    contents = LedgerContents(
        run_id=head.run_id,
        history=history,
        stop_reason=fields.pop("stop_reason", None),
        is_closed=True,
        plan=head.plan,
        monitor=head.monitor,
        mode=head.mode,
        pue_source=head.pue_source,
        checkpoints={},
        head=head,
    )
    return replace(overview_of(Path("run-1.jsonl"), contents), **fields)


def row(found: LedgerOverview | None = None, *, age: float = 3600.0, name: str = "trial_1", **fields: Any) -> Any:
    """The row of a run whose ledger was last written to so many seconds ago."""
    place = {"name": name, "key": f"key of {name}", "path": f"{name}/run-1.jsonl", **fields}
    return row_of(found or overview(), seen_at=NOW - timedelta(seconds=age), now=NOW, **place)
