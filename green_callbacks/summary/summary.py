"""The summary as a sink, and as a function of a run's totals and records."""

from collections.abc import Callable
from dataclasses import replace
from textwrap import fill
from typing import Any, Final

from green_callbacks.analysis.findings import findings
from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import Metric, improves, quality_metric
from green_callbacks.records import WORLD, EpochRecord, RunRecord
from green_callbacks.records.coverage import is_whole, missing, what_counts, who_else
from green_callbacks.records.reference import AT_THE_WORLDS
from green_callbacks.sinks.base import RunContext, Sink
from green_callbacks.summary.epoch_table import table
from green_callbacks.summary.four_questions import answers
from green_callbacks.summary.pareto_sentences import on_the_way
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.text.landings import how_it_landed
from green_callbacks.text.layout import LONGEST_PARAGRAPH, WIDTH, labeled
from green_callbacks.text.log import MultilineText, get_logger
from green_callbacks.text.wording import duration, intensity_range, percent, place, significant
from green_callbacks.units import described, joules_to_kwh

logger = get_logger(__name__)

_LABEL_WIDTH: Final = 11
"""Width of the column of labels, in characters."""

_WHOLE: Final = 0.999
"""Share of a plan that counts as all of it, as a ratio. A framework's clock differs a little from ours."""


class Summary(Sink):
    """Writes a summary when a training ends. A run that only tested or validated gets none.

    Args:
        write: Function that takes the text, such as ``print``. Defaults to :mod:`logging`, at level INFO.

    Raises:
        ConfigurationError: ``write`` cannot be called.

    Example:
        >>> from green_callbacks import EnergyAccountant
        >>> accountant = EnergyAccountant(sinks=[Summary(write=print)])
    """

    def __init__(self, write: Callable[[str], None] | None = None) -> None:
        if write is not None and not callable(write):
            msg = f"write= takes a function of one text, such as print, not {described(write)}."
            raise ConfigurationError(msg)
        self._write = write
        self._context: RunContext | None = None
        self._has_trained = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle only the options."""
        return type(self), (self._write,)

    def open(self, context: RunContext) -> None:
        """Begin a run.

        Args:
            context: What the sink can know about the run.
        """
        self._context = context
        self._has_trained = False

    def write(self, record: EpochRecord) -> None:
        """Remember that the run has trained. The history holds the records themselves.

        Args:
            record: A new record of the run.
        """
        self._has_trained |= record.epoch is not None

    def finish(self, run: RunRecord) -> None:
        """Write the summary.

        Args:
            run: Totals of the run.
        """
        if self._context is None or not self._has_trained:
            return
        text = summarise(run, self._context)
        if self._write is None:
            logger.info("%s", MultilineText(text))
            return
        try:
            self._write(text)
        except UnicodeEncodeError:  # a terminal or a file with a small character set
            self._write(text.encode("ascii", "backslashreplace").decode("ascii"))

    def close(self) -> None:
        """Forget the run."""
        self._context = None


def summarise(run: RunRecord, context: RunContext) -> str:
    """Write the summary of a run that has ended.

    Args:
        run: Totals of the run.
        context: Records of the run, and what the sinks know about it.

    Returns:
        Lines of plain text, safe to print. They say which energy is missing from the numbers and why the run ended.
        Then come totals, a table of the epochs, findings, the answers to the four questions, and the quality reached on
        the way.

    Example:
        >>> from pathlib import Path
        >>> from green_callbacks import EpochRecord, History
        >>> from green_callbacks.analysis import totals
        >>> history = History([EpochRecord.scripted(epoch=0, emissions_kg=0.5)])
        >>> run = totals(history, "my-run", ledger=None, stop_reason=None)
        >>> context = RunContext(run_id="my-run", folder=Path(), before=History(), history=history)
        >>> print(summarise(run, context).splitlines()[0])
        Ended after 1 epoch in 1.00 s. No policy stopped it.
    """
    metric = _quality(context)
    answered = answers(run, context, metric)
    first = " ".join(filter(None, (what_counts(run.devices), _ending(run, context), who_else(run.devices))))
    blocks = [
        [fill(for_terminal(first, limit=LONGEST_PARAGRAPH), WIDTH)],
        [_labeled("Note", text) for text in run.notices],
        [_labeled(label, text) for label, text in totals_in_words(run).items()],
        [table(context.history, metric.name if metric else None)],
        [_labeled("Finding", each.text) for each in findings(context.history, context.devices)],
        [_labeled(label.capitalize(), text) for label, text in answered.items()],
        [_labeled("On the way", *text.split("\n")) for text in _on_the_way(context, metric)],
        [] if run.ledger is None else [_labeled("Ledger", str(run.ledger))],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _on_the_way(context: RunContext, metric: Metric | None) -> list[str]:
    """Write the quality reached on the way, for the main metric and for others that have checkpoints of their own."""
    there = {name: kept.that_exist() for name, kept in context.checkpoints.items()}
    files = {row: path for kept in there.values() for path, row in kept.rows.items()}
    others = [Metric.or_rising(name, kept.mode) for name, kept in there.items() if kept.rows]
    metrics = [metric, *(other for other in others if metric is None or other.name != metric.name)]
    sentences = (on_the_way(context.history, each, files) for each in metrics)
    return [sentence for sentence in sentences if sentence is not None]


def _quality(context: RunContext) -> Metric | None:
    """Return the metric that represents quality, with its declared mode or the mode that its name implies."""
    name = quality_metric(context.monitor, context.history.metric_names)
    return None if name is None else Metric(name, improves(name, context.monitor, context.mode))


def _ending(run: RunRecord, context: RunContext) -> str:
    epochs = f"{run.epochs} {'epoch' if run.epochs == 1 else 'epochs'} in {duration(run.duration_seconds)}"
    landed = how_it_landed(run)
    if run.stop_reason is not None:
        return " ".join(filter(None, (f"Stopped after {epochs}. {run.stop_reason}", landed)))
    if landed:
        return f"Ended after {epochs}. {landed}"
    if not run.epochs and not context.history.epoch_rows:
        return f"Ended after {duration(run.duration_seconds)}, without an epoch."
    if _is_as_planned(context):
        return f"Finished as planned: {epochs}."
    return f"Ended after {epochs}. No policy stopped it."


def _is_as_planned(context: RunContext) -> bool:
    """Return whether the last fit reached its planned epochs, or else its planned steps, time or emissions."""
    plan, history = context.plan, context.history
    if plan.epochs and history.epochs_done() >= plan.epochs:
        return True
    return (replace(plan, epochs=None).progress(history) or 0.0) >= _WHOLE


def totals_in_words(run: RunRecord) -> dict[str, str]:
    """Write energy, emissions and carbon intensity of a run.

    Args:
        run: Totals of the run.

    Returns:
        A text by label.

    Example:
        >>> from green_callbacks import EpochRecord, History
        >>> from green_callbacks.analysis import totals
        >>> history = History([EpochRecord.scripted(epoch=0, emissions_kg=0.5)])
        >>> totals_in_words(totals(history, "my-run", ledger=None, stop_reason=None))["Emissions"].split(".")[0]
        '500 g CO2e, between 500 g and 500 g'
    """
    if run.energy_kwh is None or run.facility_kwh is None or run.emissions_kg is None or run.intensity is None:
        return {"Energy": "not known, because nothing was measured", "Emissions": "not known"}
    energy = format_energy(run.energy_kwh)
    if run.pue != 1:
        energy += f", {format_energy(run.facility_kwh)} with a PUE of {significant(run.pue)}"
    parts = [energy, _how_obtained(run)]
    if run.outside_joules and run.epochs_joules:
        parts.append(f"{format_energy(joules_to_kwh(run.outside_joules))} outside epochs")
    emissions = f"{format_mass(run.emissions_kg)} CO2e"
    if run.emissions_low_kg is not None and run.emissions_high_kg is not None:
        emissions += f", between {format_mass(run.emissions_low_kg)} and {format_mass(run.emissions_high_kg)}"
    if run.reference_kg is not None and run.intensity.g_per_kwh != WORLD.g_per_kwh:
        emissions += f". {format_mass(run.reference_kg)} {AT_THE_WORLDS}"
    where = f"{intensity_range(run.intensity)}, {place(run.intensity)}, location by {run.intensity.found_by}"
    return {"Energy": ". ".join(filter(None, parts)), "Emissions": emissions, "Intensity": where}


def _how_obtained(run: RunRecord) -> str:
    if missing(run.devices):
        return "The GPU is not included"
    if not is_whole(run.devices):
        return "The GPU is not always included"
    if run.measured_share is None:
        return ""
    if run.measured_share == 0:
        return "All of it modelled"
    rest = ", the rest modelled" if run.measured_share < 1 else ""
    return f"{percent(run.measured_share)} of it measured{rest}"


def _labeled(label: str, *lines: str) -> str:
    return labeled(label, *lines, label_width=_LABEL_WIDTH)
