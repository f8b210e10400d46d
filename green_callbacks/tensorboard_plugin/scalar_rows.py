"""Rows of the page from the scalars of event files, where no ledger can be read.

The scalars are rounded to float32, and TensorBoard keeps a random choice of them. So only last values are certain, and
sums are left out where values may be missing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise
from math import isclose, isfinite
from typing import Any, Final, Protocol

from green_callbacks.ledger import Point
from green_callbacks.ledger.closing_points import thinned_front
from green_callbacks.metrics import Metric
from green_callbacks.page.finding import key_of
from green_callbacks.page.row import ALIVE, MOST_POINTS, empty_row, moment
from green_callbacks.sinks.scalars import DETAIL, MAIN
from green_callbacks.units import GRAMS_PER_KG, MICROGRAMS_PER_KG, MILLIGRAMS_PER_KG

TOTAL: Final = f"{MAIN}emissions_total_g"
"""Scalar that every run with measured energy has."""

_LOW: Final = f"{DETAIL}emissions_total_low_g"
_HIGH: Final = f"{DETAIL}emissions_total_high_g"
_ENERGY: Final = f"{MAIN}energy_wh"
_MEASURED: Final = f"{MAIN}measured_percent"
_LEFT: Final = {"limit_g": f"{MAIN}budget_left_g", "limit_kwh": f"{MAIN}budget_left_wh"}
_SHARE: Final = f"{DETAIL}budget_share"

_QUALITY: Final = (
    (f"{DETAIL}quality_by_ug_co2e", "quality", "max", MICROGRAMS_PER_KG),
    (f"{DETAIL}loss_by_ug_co2e", "loss", "min", MICROGRAMS_PER_KG),
    (f"{MAIN}1_quality_by_mg_co2e", "quality", "max", MILLIGRAMS_PER_KG),
    (f"{MAIN}1_loss_by_mg_co2e", "loss", "min", MILLIGRAMS_PER_KG),
)
"""Curves of quality over emissions, each with a name for its metric, its direction, and its steps in a kg."""

TAGS: Final = (TOTAL, _LOW, _HIGH, _ENERGY, _MEASURED, *_LEFT.values(), _SHARE, *(tag for tag, *_ in _QUALITY))
"""All scalars of which a row is made."""

_SMALL_KG: Final = 1e-4
"""Emissions in kgCO2e up to which a curve over micrograms holds all values."""

_ROUNDING: Final = 1e-4
"""Relative difference by which two amounts of a budget may differ by the rounding to float32."""

_WH_PER_KWH: Final = 1_000.0
"""Watt-hours in a kWh."""

_PERCENT: Final = 100.0
"""Percent in the whole."""


class Datum(Protocol):
    """A value of a scalar."""

    step: int
    wall_time: float
    value: float


@dataclass(frozen=True, slots=True)
class ScalarRun:
    """The scalars of a run.

    Attributes:
        name: Name of the run in TensorBoard.
        series: The finite values by the name of the scalar, in the order of their steps.
        most: Number of values of a scalar that TensorBoard keeps.
    """

    name: str
    series: Mapping[str, Sequence[Datum]]
    most: int

    @classmethod
    def of(cls, name: str, series: Mapping[str, Sequence[Datum]], most: int) -> "ScalarRun":
        """Return a run without the values that are not finite.

        Args:
            name: Name of the run in TensorBoard.
            series: All values by the name of the scalar.
            most: Number of values of a scalar that TensorBoard keeps.
        """
        return cls(name, {tag: [each for each in data if isfinite(each.value)] for tag, data in series.items()}, most)

    @property
    def key(self) -> str:
        """Short name of the run in addresses."""
        return key_of(self.name)

    @property
    def grams(self) -> float | None:
        """Emissions of the run, in g. None if unknown."""
        return self._last(TOTAL)

    def _last(self, tag: str) -> float | None:
        data = self.series.get(tag)
        return max(0.0, data[-1].value) if data else None

    def _is_whole(self, tag: str) -> bool:
        """Return whether TensorBoard holds all values of a scalar."""
        return 0 < len(self.series.get(tag, ())) < self.most

    @property
    def is_whole(self) -> bool:
        """Whether TensorBoard holds all values, so that they can be summed."""
        return self._is_whole(TOTAL)

    @property
    def kwh(self) -> float | None:
        """Energy of the computers, in kWh. None if it is unknown, or if values may be missing."""
        return sum(each.value for each in self.series[_ENERGY]) / _WH_PER_KWH if self._is_whole(_ENERGY) else None

    @property
    def measured(self) -> float | None:
        """Measured share of the energy, 0 to 1. None if it is unknown, or if values may be missing."""
        joules = {each.step: each.value for each in self.series.get(_ENERGY, ())}
        shares = [(each.value, joules.get(each.step, 0.0)) for each in self.series.get(_MEASURED, ())]
        whole = sum(energy for _, energy in shares)
        if not self._is_whole(_MEASURED) or not whole > 0.0:
            return None
        return min(1.0, sum(percent * energy for percent, energy in shares) / whole / _PERCENT)

    def row(self, now: datetime) -> dict[str, Any]:
        """Return the row of the run. Scalars do not tell whether a run was closed, so only recent runs are running.

        Args:
            now: The present time, aware.
        """
        data = self.series.get(TOTAL, ())
        last = moment(max(series[-1].wall_time for series in self.series.values() if series))
        state = "running" if abs(now - last) <= ALIVE else "closed"
        row = empty_row(name=self.name, key=self.key, path="", seen_at=last, state=state)
        began = moment(data[0].wall_time).isoformat() if self.is_whole else None
        return row | {
            "began_at": began,
            "epochs": len(data),
            "seconds": None,
            "g": self.grams,
            "low_g": self._last(_LOW),
            "high_g": self._last(_HIGH),
            "kwh": self.kwh,
            "measured": self.measured,
            **self._limits(),
            **self._quality(),
        }

    def _limits(self) -> dict[str, float]:
        """Return the limit of the run's own budget. The limit of a shared budget is not known."""
        spent = {"limit_g": self.grams, "limit_kwh": self.kwh}
        limits = {}
        for name, tag in _LEFT.items():
            left, share, own = self.series.get(tag), self._last(_SHARE), spent[name]
            if left and share is not None and own is not None and share > 0.0:
                rest = left[-1].value / (_WH_PER_KWH if name == "limit_kwh" else 1.0)
                limit = rest + own
                if isclose(own, share * limit, rel_tol=_ROUNDING) and limit > 0.0:
                    limits[name] = limit
        return limits

    def _quality(self) -> dict[str, Any]:
        points, named, mode = self._points()
        if not points:
            return {}
        front = list(_front(points, Metric.or_rising(named, mode)))
        thinned = _columns(thinned_front(front, MOST_POINTS))
        return {"metric": named, "mode": mode, "best": front[-1].value, "front": thinned}

    def _points(self) -> tuple[list[Point], str, str]:
        for tag, named, mode, steps in _QUALITY:
            data = self.series.get(tag)
            if data and (steps != MICROGRAMS_PER_KG or (self.grams or 0.0) <= _SMALL_KG * GRAMS_PER_KG):
                return [Point(each.step / steps, each.value, None) for each in data if each.step >= 0], named, mode
        return [], "", "max"

    def detail(self) -> dict[str, Any]:
        """Return the run by its epochs, with all that the scalars tell."""
        data = self.series.get(TOTAL, ())
        totals = [each.value for each in data]
        energies = {each.step: each.value / _WH_PER_KWH for each in self.series.get(_ENERGY, ())}
        kwh = [energies.get(each.step) for each in data]
        shares = {each.step: each.value / _PERCENT for each in self.series.get(_MEASURED, ())}
        count, nothing = len(data), [None] * len(data)
        return {
            "key": self.key,
            "points": count,
            "epochs_a_point": 1,
            "epoch": [each.step for each in data],
            "g": [after - before for before, after in pairwise([0.0, *totals])],
            "low_g": nothing,
            "high_g": nothing,
            "total_g": totals,
            "kwh": kwh,
            "total_kwh": list(accumulate(each or 0.0 for each in kwh)) if self._is_whole(_ENERGY) else nothing,
            "pue": nothing,
            "g_per_kwh": nothing,
            "measured": [shares.get(each.step) for each in data],
            "q": nothing,
            "verdicts": [],
            "outside_g": None,
            "facts": [["Origin", [["Numbers", "scalars of TensorBoard, rounded to seven digits"]]]],
        }


def _front(points: Sequence[Point], metric: Metric) -> Iterator[Point]:
    best: float | None = None
    for point in points:
        if point.value is not None and (best is None or (point.value > best if metric.rises else point.value < best)):
            best = point.value
            yield point


def _columns(points: Sequence[Point]) -> dict[str, list[Any]]:
    return {
        "g": [float(f"{point.kg * GRAMS_PER_KG:.5g}") for point in points],
        "q": [None if point.value is None else float(f"{point.value:.5g}") for point in points],
        "epoch": [point.epoch for point in points],
    }
