"""The end of a run in words: why it ended, what it came to, and what would have made it cheaper. Plain text."""

from collections.abc import Callable
from dataclasses import replace
from textwrap import fill
from typing import Any, Final

from green_callbacks.analysis.pareto import bought
from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import direction, quality_metric
from green_callbacks.records import WORLD, EpochRecord, RunRecord
from green_callbacks.records.coverage import is_whole, missing, what_counts, who_else
from green_callbacks.records.plan import epochs_done
from green_callbacks.records.reference import AT_THE_WORLDS
from green_callbacks.sinks.base import RunContext, Sink
from green_callbacks.summary.epoch_table import table
from green_callbacks.summary.four_questions import answers
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.text.log import Lines, get_logger
from green_callbacks.text.wording import duration, intensity_range, percent, place, significant
from green_callbacks.units import described, joules_to_kwh

logger = get_logger(__name__)

_WIDTH: Final = 100
_LABEL_WIDTH: Final = 11
_LONGEST: Final = 4000
"""Characters of one paragraph that are shown: the path of a file may have as many."""

_WHOLE: Final = 0.999
"""A share of the plan that counts as all of it: a framework's clock is not exactly ours."""


class Summary(Sink):
    """Writes a summary when a training ends; a test or validation alone gets none.

    Args:
        write: Takes the text, for example ``print``; unless given it goes to :mod:`logging`, at level INFO.
    """

    def __init__(self, write: Callable[[str], None] | None = None) -> None:
        if write is not None and not callable(write):
            msg = f"write= takes a function of a text, such as print, not {described(write)}."
            raise ConfigurationError(msg)
        self._write = write
        self._context: RunContext | None = None
        self._has_trained = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as the options alone."""
        return type(self), (self._write,)

    def open(self, context: RunContext) -> None:
        """Remember what is known of the run."""
        self._context = context
        self._has_trained = False

    def write(self, record: EpochRecord) -> None:
        """Note whether there is something to sum up; the history holds every record."""
        self._has_trained |= record.epoch is not None

    def finish(self, run: RunRecord) -> None:
        """Write the summary."""
        if self._context is None or not self._has_trained:
            return
        text = summarise(run, self._context)
        if self._write is None:
            logger.info("%s", Lines(text))
            return
        try:
            self._write(text)
        except UnicodeEncodeError:  # of a terminal or a file that knows few characters
            self._write(text.encode("ascii", "backslashreplace").decode("ascii"))

    def close(self) -> None:
        """Forget the run."""
        self._context = None


def summarise(run: RunRecord, context: RunContext) -> str:
    """Write the summary of a run that has ended.

    Args:
        run: Its totals.
        context: Its records, and what was known of it.

    Returns:
        Lines of plain text: what is missing from the numbers, why it ended, totals, a table of the epochs, what would
        have made it cheaper, and what quality was to be had on the way. Safe to print, whatever metrics, places and
        files are called.
    """
    metric = quality_metric(context.monitor, context.history.metric_names)
    mode = _mode(metric, context)
    answered = answers(run, context, metric, mode)
    first = " ".join(filter(None, (what_counts(run.devices), _ending(run, context), who_else(run.devices))))
    blocks = [
        [fill(for_terminal(first, limit=_LONGEST), _WIDTH)],
        [_labelled("Note", text) for text in run.notices],
        [_labelled(label, text) for label, text in _totals(run).items()],
        [table(context.history, metric)],
        [_labelled(label.capitalize(), text) for label, text in answered.items()],
        [_labelled("On the way", *text.split("\n")) for text in _on_the_way(context, metric, mode)],
        [] if run.ledger is None else [_labelled("Ledger", str(run.ledger))],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _on_the_way(context: RunContext, metric: str | None, mode: str) -> list[str]:
    """Say what was to be had for which emissions: of one metric, and of others that have checkpoints of their own."""
    there = {name: kept.that_exist() for name, kept in context.checkpoints.items()}
    files = {row: path for kept in there.values() for path, row in kept.rows.items()}
    modes = {metric: mode} | {name: kept.mode for name, kept in there.items() if kept.rows and name != metric}
    sentences = (bought(context.history, name, mode, files) for name, mode in modes.items())
    return [sentence for sentence in sentences if sentence is not None]


def _mode(metric: str | None, context: RunContext) -> str:
    """Take the mode that was declared; guess that of a metric that nobody watches from its name."""
    if metric is None or metric == context.monitor:
        return context.mode
    try:
        return direction(metric, "auto")
    except ConfigurationError:
        return "max"


def _ending(run: RunRecord, context: RunContext) -> str:
    epochs = f"{run.epochs} {'epoch' if run.epochs == 1 else 'epochs'} in {duration(run.duration_seconds)}"
    if run.stop_reason is not None:
        return f"Stopped after {epochs}. {run.stop_reason}"
    if _is_as_planned(context):
        return f"Finished as planned: {epochs}."
    return f"Ended after {epochs}; no policy stopped it."


def _is_as_planned(context: RunContext) -> bool:
    """Tell whether the last fit went to an end that was planned: its epochs, or else steps, time or emissions."""
    plan, history = context.plan, context.history
    if plan.epochs and epochs_done(history) >= plan.epochs:
        return True
    return (replace(plan, epochs=None).progress(history) or 0.0) >= _WHOLE


def _totals(run: RunRecord) -> dict[str, str]:
    if run.energy_kwh is None or run.facility_kwh is None or run.emissions_kg is None or run.intensity is None:
        return {"Energy": "not known: nothing was measured", "Emissions": "not known"}
    energy = format_energy(run.energy_kwh)
    if run.pue != 1:
        energy += f", {format_energy(run.facility_kwh)} with a PUE of {significant(run.pue)}"
    energy += _how_obtained(run)
    if run.outside_joules:
        energy += f"; {format_energy(joules_to_kwh(run.outside_joules))} outside epochs"
    emissions = f"{format_mass(run.emissions_kg)} CO2e"
    if run.emissions_low_kg is not None and run.emissions_high_kg is not None:
        emissions += f", between {format_mass(run.emissions_low_kg)} and {format_mass(run.emissions_high_kg)}"
    if run.reference_kg is not None and run.intensity.g_per_kwh != WORLD.g_per_kwh:
        emissions += f"; {format_mass(run.reference_kg)} {AT_THE_WORLDS}"
    where = f"{intensity_range(run.intensity)}, {place(run.intensity)}, found by: {run.intensity.found_by}"
    return {"Energy": energy, "Emissions": emissions, "Intensity": where}


def _how_obtained(run: RunRecord) -> str:
    if missing(run.devices):
        return "; the GPU is not in it"
    if not is_whole(run.devices):
        return "; the GPU is not in all of it"
    if run.measured_share is None:
        return ""
    if run.measured_share == 0:
        return "; all of it modelled"
    rest = ", the rest modelled" if run.measured_share < 1 else ""
    return f"; {percent(run.measured_share)} of it measured{rest}"


def _labelled(label: str, *lines: str) -> str:
    indent = " " * _LABEL_WIDTH
    filled = (
        fill(
            for_terminal(line, limit=_LONGEST),
            _WIDTH,
            initial_indent=indent if at else label.ljust(_LABEL_WIDTH),
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for at, line in enumerate(lines)
    )
    return "\n".join(filled)
