"""A run as HTML for a notebook, with its totals, its epochs and its front.

The HTML has no script and takes nothing from elsewhere. It has the colors of the notebook, dark or bright. Its size is
bounded, whatever a run has in its names and messages.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from green_callbacks.analysis import front
from green_callbacks.analysis.findings import findings
from green_callbacks.analysis.totals import totals
from green_callbacks.errors import LedgerError
from green_callbacks.ledger.closing_points import places_on_front
from green_callbacks.ledger.reader import read_quietly
from green_callbacks.metrics import Metric, metric_of_run
from green_callbacks.records import DeviceInfo, History, RunRecord
from green_callbacks.records.coverage import what_counts, who_else
from green_callbacks.summary.epoch_table import rows_of
from green_callbacks.summary.summary import totals_in_words
from green_callbacks.text import for_html, for_terminal
from green_callbacks.text.amounts import format_mass
from green_callbacks.text.wording import duration, significant

__all__ = ["html_of", "run_html"]

_MOST_POINTS: Final = 60
"""Largest number of points of a front. More cannot be told apart in a small picture."""
_MOST_COLUMNS: Final = 10
"""Largest number of columns of the table of epochs. A wider table does not fit into a notebook."""
_MOST_NOTES: Final = 5
"""Largest number of warnings that are shown. The ledger has all of them."""
_LONGEST: Final = 300
"""Longest foreign text, in characters. No sentence of this package about a run is much longer."""
_LONGEST_CELL: Final = 60
"""Longest text of a cell, in characters."""
_MOST_BYTES: Final = 20_000_000
"""Largest ledger that is read to show the totals of a run, in bytes. This takes less than a second."""
_WIDTH: Final = 420
"""Width of the picture, in pixels. It is the usual width of the table above it."""
_HEIGHT: Final = 150
"""Height of the picture, in pixels, by experiment."""
_LEFT: Final = 60
"""Room for the values of a metric beside the picture, in pixels."""
_BELOW: Final = 20
"""Room for the labels below the picture, in pixels."""
_RIM: Final = 6
"""Room around the picture, in pixels."""
_METRIC_DIGITS: Final = 4
"""Significant digits of a metric."""
_HEADS: Final = 2
"""Number of rows above the epochs in a table."""

_CELL: Final = "padding:1px 8px;text-align:right;border:0;white-space:nowrap"
_RULE: Final = "border-bottom:1px solid currentColor"


def html_of(shown: object) -> str:
    """Return a history, or the totals of a run, as HTML.

    Args:
        shown: A :class:`History` or a :class:`RunRecord`.

    Raises:
        TypeError: It is neither.

    Example:
        >>> from green_callbacks import EpochRecord
        >>> html_of(History([EpochRecord.scripted(epoch=0, emissions_kg=0.5)])).count("<table")
        2
    """
    if isinstance(shown, History):
        history = shown.copy()  # it may grow in another thread
        return run_html(totals(history, "", None, None), history)
    if isinstance(shown, RunRecord):
        return run_html(shown, **_recorded(shown))
    msg = f"A {type(shown).__name__} is no run."
    raise TypeError(msg)


def _recorded(run: RunRecord) -> dict[str, Any]:
    """Return the records of a run from its ledger, with their metric. Empty if these are not the records of the run."""
    try:
        if run.ledger is None or run.ledger.stat().st_size > _MOST_BYTES:
            return {}
        contents, _ = read_quietly(run.ledger)
    except (LedgerError, OSError, ValueError):
        return {}
    history = contents.history
    if contents.run_id != run.run_id or (history.finished_epochs, history.energy_joules) != (
        run.epochs,
        run.energy_joules,
    ):
        return {}
    return {"history": history, "monitor": contents.monitor, "mode": contents.mode, "devices": contents.devices}


def run_html(
    run: RunRecord,
    history: History | None = None,
    *,
    state: str = "",
    monitor: str | None = None,
    mode: str = "max",
    devices: Mapping[str, DeviceInfo] | None = None,
) -> str:
    """Return a run as HTML.

    Args:
        run: Totals of the run.
        history: All its records. Defaults to None, which shows the totals alone.
        state: What the run does now, such as ``running``. Defaults to an empty text, for nothing.
        monitor: Key of the watched metric. Defaults to None, which chooses the first validation metric.
        mode: Direction in which that metric improves, ``max`` or ``min``. Defaults to ``max``.
        devices: Properties of devices, by device. Defaults to none.

    Returns:
        A ``div`` of at most 30 kB.

    Example:
        >>> from green_callbacks import EpochRecord
        >>> history = History([EpochRecord.scripted(epoch=0, emissions_kg=0.5)])
        >>> "500 g CO2e" in run_html(totals(history, "digits", None, None), history)
        True
    """
    parts = [_title(run, state), _pairs(_facts(run))]
    if history:
        metric = metric_of_run(monitor, mode, history.metric_names)
        found = [("Finding", each.text) for each in findings(history, devices)]
        parts += [_table(history, metric), _pairs(found) if found else "", _front(history, metric)]
    return f'<div style="color:inherit;font-size:90%">{"".join(parts)}</div>'


def _title(run: RunRecord, state: str) -> str:
    name = f"Run {run.run_id}" if run.run_id else "History"
    noun = "epoch" if run.epochs == 1 else "epochs"
    said = [name, f"{run.epochs:,} {noun} in {duration(run.duration_seconds)}", state]
    return f'<p style="margin:4px 8px"><b>{_text(", ".join(filter(None, said)))}</b></p>'


def _facts(run: RunRecord) -> Iterable[tuple[str, str]]:
    yield "Left out", what_counts(run.devices) or ""
    yield from totals_in_words(run).items()
    yield "Shared", who_else(run.devices) or ""
    if run.stop_reason is not None:
        yield "Stopped", run.stop_reason
    for text in run.notices[:_MOST_NOTES]:
        yield "Note", text
    if len(run.notices) > _MOST_NOTES:
        yield "Note", f"{len(run.notices) - _MOST_NOTES} more are in the summary and in the ledger."
    if run.ledger is not None:
        yield "Ledger", str(run.ledger)


def _pairs(facts: Iterable[tuple[str, str]]) -> str:
    left = "padding:1px 8px;text-align:left;border:0;vertical-align:top"
    rows = (
        f'<tr><th style="{left}">{_text(label)}</th><td style="{left}">{_text(text)}</td></tr>'
        for label, text in facts
        if text
    )
    return f'<table style="border-collapse:collapse;color:inherit">{"".join(rows)}</table>'


def _table(history: History, metric: Metric | None) -> str:
    """Return the first and the last epochs as a table."""
    rows = rows_of(history, None if metric is None else metric.name)
    kept = [at for at in range(len(rows[0])) if rows[0][at]]
    if len(kept) > _MOST_COLUMNS:  # then the energy by component is left out
        kept = [kept[0], *(at for at in kept if at > len(rows[0]) - 5)]
    lines = ["".join(_cell(row[at], is_head=number < _HEADS) for at in kept) for number, row in enumerate(rows)]
    style = [_RULE if number == _HEADS - 1 else "" for number in range(len(rows))]
    body = "".join(f'<tr style="{each}">{line}</tr>' for each, line in zip(style, lines, strict=True))
    return f'<table style="border-collapse:collapse;color:inherit;margin-top:6px">{body}</table>'


def _cell(text: str, *, is_head: bool) -> str:
    tag = "th" if is_head else "td"
    return f'<{tag} style="{_CELL}">{_text(text, _LONGEST_CELL)}</{tag}>'


def _front(history: History, metric: Metric | None) -> str:
    """Return the front as a picture. Empty if it has fewer than two points."""
    found = [] if metric is None else list(front(history, metric))
    if metric is None or len(found) < 2 or found[-1].kg <= 0:  # noqa: PLR2004  one point is no picture
        return ""
    kept = [found[at] for at in places_on_front([point.value for point in found], _MOST_POINTS)]
    kg, values = [point.kg for point in kept], [point.value for point in kept]
    across = _scaled(kg, 0.0, kg[-1], _LEFT, _WIDTH - _RIM)
    up = _scaled(values, min(values), max(values), _HEIGHT - _BELOW, _RIM)
    name = for_terminal(metric.name, limit=_LONGEST_CELL)
    label = f"{name} at {format_mass(kg[-1])}: {significant(values[-1], _METRIC_DIGITS)}"
    return _svg(across, up, label, _marks(values, name, kg[-1]))


def _scaled(values: Sequence[float], low: float, high: float, first: float, last: float) -> list[float]:
    """Return places in pixels. The span is halved first, because the span of the largest numbers is infinite."""
    span = high / 2 - low / 2
    return [first + (last - first) * ((value / 2 - low / 2) / span if span > 0 else 0.5) for value in values]


def _marks(values: Sequence[float], name: str, kg: float) -> Mapping[str, tuple[float, float, str]]:
    """Return the labels of the axes, each with its place in pixels and its anchor."""
    top, bottom = max(values), min(values)
    return {
        significant(top, _METRIC_DIGITS): (_LEFT - _RIM, _RIM + 8.0, "end"),
        significant(bottom, _METRIC_DIGITS): (_LEFT - _RIM, _HEIGHT - _BELOW, "end"),
        f"{format_mass(kg)} CO2e": (_WIDTH - _RIM, _HEIGHT - 4.0, "end"),
        f"best {name}": (_LEFT, _HEIGHT - 4.0, "start"),
    }


def _svg(
    across: Sequence[float], up: Sequence[float], label: str, marks: Mapping[str, tuple[float, float, str]]
) -> str:
    """Return steps, because a best value lasts until the next one."""
    steps = [f"M{across[0]:.1f} {up[0]:.1f}"]
    steps += [f"H{x:.1f}V{y:.1f}" for x, y in zip(across[1:], up[1:], strict=True)]
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in zip(across, up, strict=True))
    texts = "".join(
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{_text(text)}</text>'
        for text, (x, y, anchor) in marks.items()
    )
    frame = f"M{_LEFT} {_RIM}V{_HEIGHT - _BELOW}H{_WIDTH - _RIM}"
    return (
        f'<svg role="img" aria-label="{_text(label)}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" style="display:block;margin:6px 8px;color:inherit">'
        f'<g fill="none" stroke="currentColor"><path d="{frame}" opacity="0.4"/><path d="{"".join(steps)}"/></g>'
        f'<g fill="currentColor" font-size="11">{dots}{texts}</g></svg>'
    )


def _text(text: object, limit: int = _LONGEST) -> str:
    return for_html(for_terminal(text, limit=limit))
