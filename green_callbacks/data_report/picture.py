"""The mean loss of the samples by kind, as a picture."""

import warnings
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger.data_file import DataTotals
from green_callbacks.text import for_terminal

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
_DOTS: Final = 150
"""Resolution of a picture of dots, in dots per inch."""
_LONGEST_NAME: Final = 60
"""Longest name of a run in the title, in characters."""


def plot(path: Path, totals: DataTotals) -> None:
    """Draw how many samples have which mean loss, by kind of sample.

    Args:
        path: The picture. Its ending tells the format.
        totals: Totals of the report.

    Raises:
        ConfigurationError: ``matplotlib`` is missing, no sample was visited, or the picture cannot be written.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure  # without pyplot, which has a global state
    except ModuleNotFoundError as error:
        msg = "A plot needs matplotlib. Run pip install 'green-callbacks[plot]'."
        raise ConfigurationError(msg) from error
    if not totals.histogram.get("edges"):
        msg = "The report on the data has no losses to draw. Train at least one epoch with it."
        raise ConfigurationError(msg)
    with rc_context({"text.parse_math": False, "text.usetex": False}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # the picture shows a box
        figure = Figure(figsize=_INCHES, layout="constrained")
        named = for_terminal(totals.run_id, limit=_LONGEST_NAME)
        _draw(figure, f"Samples of the run {named}" if named else "Samples", totals)
        _save(figure, path)


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


def _save(figure: "Figure", path: Path) -> None:
    picture = BytesIO()
    try:
        figure.savefig(picture, dpi=_DOTS, format=path.suffix.removeprefix(".") or None)
    except ValueError as error:
        msg = f"The picture {path} cannot be written ({error}). Name a file that ends in .png, .svg or .pdf."
        raise ConfigurationError(msg) from error
    try:
        path.write_bytes(picture.getvalue())
    except OSError as error:
        msg = f"The picture {path} cannot be written ({error.strerror or error}). Name a file in an existing folder."
        raise ConfigurationError(msg) from error
