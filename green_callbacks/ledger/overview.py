"""What can be shown of a run beside many others: its head, its totals, and a thinned front and curve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from green_callbacks.ledger.closing_line import Closing
from green_callbacks.ledger.head import Head
from green_callbacks.records import Intensity, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerOverview:
    """A run as it is shown beside others.

    Attributes:
        path: The ledger.
        head: The head of the last session.
        closing: The totals. Front and curve have at most 100 points.
        is_closed: Whether the run was closed. Otherwise it was killed or is still running.
        plan: The last plan of the run, with its landing. A quick overview has the plan of the last head that it saw.
        began_at: When the first record began. None without a record.
        intensity: Carbon intensity, its mean by energy if it changed. None without a record.
        pue: PUE, its mean by energy if it changed. None without a record.
        is_steady: Whether intensity and PUE are the same in all records. Then emissions are proportional to energy.
        components: Component of each device, such as ``gpu``.
        methods: How the energy of each device was obtained: ``counter``, ``sampled`` or ``modelled``.
        front_kwh: Energy of the IT equipment at each point of the front, in kWh. Empty if the run is steady.
        curve_kwh: The same at each point of the curve.
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
    curve_kwh: Sequence[float] = ()
    notices: Mapping[str, str] = field(default_factory=dict)
    remark: str | None = None
    is_quick: bool = False
