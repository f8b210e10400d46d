"""The mean loss of the samples by kind, as a picture."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger.data_file import DataTotals
from green_callbacks.text import for_terminal
from green_callbacks.text.pictures import drawn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KINDS: Final = {
    "all": ("all samples", "#bbbbbb"),
    "known_at_once": ("known at once, never forgotten", "#1b9e77"),
    "forgotten": ("forgotten", "#7570b3"),
    "never_learned": ("never learned", "#e6ab02"),
    "probably_mislabeled": ("probably mislabeled", "#d95f02"),
}
"""Name and color of each kind."""
_INCHES: Final = 8.0, 4.5
"""Width and height of the picture, in inches."""
_LONGEST_NAME: Final = 60
"""Longest name of a run in the title, in characters."""


def plot(path: Path, totals: DataTotals) -> None:
    """Draw how many samples have which mean loss, by kind of sample.

    Args:
        path: The picture. Its ending tells the format.
        totals: Totals of the report.

    Raises:
        ConfigurationError: ``matplotlib`` is missing or cannot be loaded, no sample was visited, or the picture cannot
            be written.
    """
    if not totals.histogram.get("edges"):
        msg = "The report on the data has no losses to draw. Train at least one epoch with it."
        raise ConfigurationError(msg)
    named = for_terminal(totals.run_id, limit=_LONGEST_NAME)
    title = f"Samples of the run {named}" if named else "Samples"
    picture = drawn(path, _INCHES, partial(_draw, title=title, totals=totals))
    try:
        path.write_bytes(picture)
    except OSError as error:
        msg = f"The picture {path} cannot be written ({error.strerror or error}). Name a file in an existing folder."
        raise ConfigurationError(msg) from error


def _draw(figure: "Figure", title: str, totals: DataTotals) -> None:
    axes = figure.add_subplot(title=title)
    edges = totals.histogram["edges"]
    for kind, (label, color) in _KINDS.items():
        bins = totals.histogram.get(kind)
        if bins and any(bins):
            axes.stairs(bins, edges, fill=kind == "all", color=color, label=f"{label} ({sum(bins):,.0f})")
    axes.set(xlabel="mean loss over all visits", ylabel="samples", yscale="symlog")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter("{x:,.0f}")  # powers of ten would need mathematics, which a hostile name could use
    figure.legend(loc="outside lower center", ncols=2)  # beside the bars, because they fill the axes
