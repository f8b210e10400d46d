"""The same run elsewhere, as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from green_callbacks.cli.pictures import draw
from green_callbacks.cli.whatif.comparison import counts, factor
from green_callbacks.cli.whatif.other_places import Spent
from green_callbacks.records import Intensity
from green_callbacks.text import for_terminal
from green_callbacks.text.wording import place, significant
from green_callbacks.units import kg_to_grams

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HERE: Final = "#d95f02"
_THERE: Final = "#1b9e77"
_MARKS: Final = "|x"
_UNIT: Final = "g CO2e"
_UNLIKE: Final = "* has another scope than the run's own figure"
_WIDTH_INCHES: Final = 10.0
"""Width of the picture, in inches."""

_BAR_INCHES: Final = 0.32
"""Height of a bar with its gap, in inches."""

_MARGIN_INCHES: Final = 1.5
"""Height of title and axis together, in inches."""
_LONGEST_NAME: Final = 60
"""Longest name, in characters. It leaves room for its bar."""


def plot(path: Path, run_id: str, spent: Spent, there: Sequence[Intensity]) -> None:
    """Draw the emissions of a run elsewhere, with bars at its own PUE and marks at other PUEs.

    Args:
        path: The picture. Its ending tells the format.
        run_id: Name of the run.
        spent: Energy and intensity of the run.
        there: Places to compare with.

    Raises:
        ConfigurationError: ``matplotlib`` is missing, or the picture cannot be written.
    """
    bars = sorted([spent.intensity, *there], key=lambda each: -each.g_per_kwh)
    title = f"The run {for_terminal(run_id, limit=_LONGEST_NAME)} elsewhere"
    height = _MARGIN_INCHES + _BAR_INCHES * len(bars)
    draw(path, (_WIDTH_INCHES, height), lambda figure: _draw(figure.add_subplot(title=title), spent, bars))


def _draw(axes: "Axes", spent: Spent, bars: Sequence[Intensity]) -> None:
    rows, labels = range(len(bars)), [_label(spent, each) for each in bars]
    own, *others = [[kg_to_grams(spent.emissions_kg(each, pue)) for each in bars] for pue in spent.pues]
    names = [f"PUE {significant(pue)}" for pue in spent.pues]
    axes.barh(rows, own, color=[_HERE if each is spent.intensity else _THERE for each in bars], label=names[0])
    for grams, name, mark in zip(others, names[1:], _MARKS, strict=False):
        axes.plot(grams, rows, mark, color="black", label=name)
    for row, (each, *grams) in enumerate(zip(bars, own, *others, strict=True)):
        text = "here" if each is spent.intensity else factor(spent, each)
        axes.annotate(text, (max(grams), row), (8, 0), textcoords="offset points", va="center")
    axes.set_yticks(rows, labels)
    axes.set_xlabel(_UNIT if not any(label.endswith("*") for label in labels) else f"{_UNIT}  ({_UNLIKE})")
    axes.margins(x=0.2)  # room for the factors
    axes.set_xlim(left=0)
    axes.legend(loc="upper right")


def _label(spent: Spent, each: Intensity) -> str:
    counted = counts(spent, each)
    named = for_terminal(place(each), limit=_LONGEST_NAME)
    return f"{named}, {for_terminal(counted, limit=_LONGEST_NAME)}" if counted.endswith("*") else named
