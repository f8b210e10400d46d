"""What can be shown of a run beside many others: its head, its totals, and a thinned front and curve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from green_callbacks.ledger._surroundings import mean_intensity_of
from green_callbacks.ledger.closing_line import Closing, closing_of
from green_callbacks.ledger.closing_points import (
    front_rows,
    places_on_front,
    thinned_front,
)
from green_callbacks.ledger.contents import LedgerContents
from green_callbacks.ledger.head import Head
from green_callbacks.ledger.limits import MAX_POINTS
from green_callbacks.metrics import Metric
from green_callbacks.records import History, Intensity, Plan
from green_callbacks.units import JOULES_PER_KWH


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerOverview:
    """A run as it is shown beside others.

    Example:
        >>> from green_callbacks.ledger import Head, LedgerOverview, closing_of
        >>> closing = closing_of("digits", History(), monitor=None, mode="max")
        >>> head = Head(run_id="digits", version="0.1.0")
        >>> LedgerOverview(path=Path("a.jsonl"), head=head, closing=closing, is_closed=True, plan=Plan()).is_quick
        False

    Attributes:
        path: The ledger.
        head: The head of the last session.
        closing: The totals. Front and curve have at most 100 points.
        is_closed: Whether the run was closed. Otherwise it was killed or is still running.
        plan: The last plan of the run, with its landing. A quick overview has the plan of the last head that it saw.
        began_at: When the first record began. None without a record.
        intensity: Carbon intensity, its mean by energy if it changed. None without a record.
        pue: PUE, its mean by energy if it changed. None without a record.
        is_steady: Whether intensity and PUE are the same in all records, and the intensity is not zero. Then the
            emissions tell the energy at each point.
        components: Component of each device, such as ``gpu``.
        methods: How the energy of each device was obtained: ``counter``, ``sampled`` or ``modelled``.
        front_kwh: Energy of the IT equipment at each point of the front, in kWh. Empty if the run is steady.
        notices: Sentences about everything that could not act, be measured or be kept, by key. A quick overview has
            none, because it does not read them.
        remark: Sentences about damaged lines that were skipped. None if there are none.
        is_quick: Whether it comes from the head and the closing line, without the records.
    """

    path: Path
    head: Head
    closing: Closing
    is_closed: bool
    plan: Plan
    began_at: datetime | None = None
    intensity: Intensity | None = None
    pue: float | None = None
    is_steady: bool = True
    components: Mapping[str, str] = field(default_factory=dict)
    methods: Mapping[str, str] = field(default_factory=dict)
    front_kwh: Sequence[float] = ()
    notices: Mapping[str, str] = field(default_factory=dict)
    remark: str | None = None
    is_quick: bool = False


def overview_of(path: Path, contents: LedgerContents, remark: str | None = None) -> LedgerOverview:
    """Return the overview of a ledger that was read in full.

    Args:
        path: The ledger.
        contents: Its contents.
        remark: Sentences about damaged lines that were skipped. Defaults to None, if there are none.

    Example:
        >>> from green_callbacks.ledger import LedgerContents
        >>> from green_callbacks.records import EpochRecord
        >>> records = History([EpochRecord.scripted(epoch=epoch, emissions_kg=0.5) for epoch in range(2)])
        >>> contents = LedgerContents("digits", records, None, True, Plan(), None, "max", "given", {})
        >>> overview_of(Path("digits.jsonl"), contents).closing.emissions_kg
        1.0
    """
    history = contents.history
    closing = _thinned(contents)
    devices = history.device_methods()
    is_steady = history.is_steady and (closing.emissions_kg > 0.0 or not closing.energy_joules)
    return LedgerOverview(
        path=path,
        head=contents.head,
        closing=closing,
        is_closed=contents.is_closed,
        plan=contents.plan,
        began_at=history[0].started_at if history else None,
        intensity=mean_intensity_of(history),
        pue=history.mean_pue,
        is_steady=is_steady,
        components={name: component for name, (component, _) in devices.items()},
        methods={name: method for name, (_, method) in devices.items()},
        front_kwh=() if is_steady else _energies(history, closing),
        notices=contents.notices,
        remark=remark,
    )


def _thinned(contents: LedgerContents) -> Closing:
    """Return the totals of a run with as many points as a closing line may hold."""
    closing = closing_of(
        contents.run_id,
        contents.history,
        monitor=contents.monitor,
        mode=contents.mode,
        stop_reason=contents.stop_reason,
        curve_points=MAX_POINTS,
    )
    return replace(closing, front=tuple(thinned_front(closing.front, MAX_POINTS)))


def _energies(history: History, closing: Closing) -> tuple[float, ...]:
    """Return the energy in kWh at each point of the thinned front."""
    monitor, joules = closing.monitor, history.cumulative_joules
    found = [] if monitor is None else front_rows(history, Metric.or_rising(monitor, closing.mode))
    front = places_on_front([value for _, value in found], MAX_POINTS)
    return tuple([joules[found[at][0]] / JOULES_PER_KWH for at in front])
