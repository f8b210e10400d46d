"""The four questions about a run, each answered with a number or with "not known"."""

from typing import Final

from green_callbacks.analysis import last_gain
from green_callbacks.analysis.data_sentences import report_on_data
from green_callbacks.carbon import cleanest_comparable
from green_callbacks.carbon.pue import EFFICIENT_PUE
from green_callbacks.metrics import Metric
from green_callbacks.records import History, RunRecord
from green_callbacks.sinks.base import RunContext
from green_callbacks.summary.pareto_sentences import doubling
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_mass
from green_callbacks.text.efforts import emissions_of_one, energy_of_one
from green_callbacks.text.wording import intensity_range, percent, place, significant

_LEAST_SHARE: Final = 0.01
"""Smallest share of the emissions that is worth a sentence, as a ratio. A run always ends a moment after its last
epoch.
"""

_WITHOUT_VALIDATION: Final = "This counts the energy of training, not of validation."
_WITH_ALL: Final = "This counts all energy of the epochs, in which no validation was seen."


def answers(run: RunRecord, context: RunContext, metric: Metric | None) -> dict[str, str]:
    """Answer how a run would have been cheaper.

    Args:
        run: Totals of the run.
        context: Records of the run, and the source of its PUE.
        metric: The metric that represents quality. None if there is none.

    Returns:
        One or two sentences for each question. ``place`` compares the run's place with the cleanest comparable zone.
        ``facility`` compares the run's PUE with a PUE of 1.1. ``time`` prices the last point of quality, and predicts
        the gain of doubling the emissions. ``data`` gives the number of samples, and the
        energy of training per sample, step and token as far as they are known.

    Example:
        >>> from pathlib import Path
        >>> from green_callbacks import EpochRecord
        >>> from green_callbacks.analysis import totals
        >>> history = History([EpochRecord.scripted(epoch=0, emissions_kg=0.5)])
        >>> run = totals(history, "my-run", ledger=None, stop_reason=None)
        >>> context = RunContext(run_id="my-run", folder=Path(), before=History(), history=history)
        >>> answers(run, context, metric=None)["data"]
        'Not known, because the number of samples was not reported.'
    """
    return {
        "place": _place(run),
        "facility": _facility(run, context.pue_source),
        "time": _time(context.history, metric),
        "data": " ".join(filter(None, (_data(run, context.history), report_on_data(run.ledger)))),
    }


def _place(run: RunRecord) -> str:
    here = run.intensity
    if here is None or run.emissions_kg is None or here.g_per_kwh <= 0:
        return "Not known, because no emissions were measured."
    there = cleanest_comparable(here)
    stated = f"Here {intensity_range(here)}, {place(here)}."
    if there is None:
        return f"{stated} No other place has a comparable figure, so the emissions elsewhere are not known."
    if there.g_per_kwh >= here.g_per_kwh:
        return f"{stated} No place with a comparable figure is cleaner."
    return (
        f"{stated} The cleanest comparable place is {place(there)} with {intensity_range(there)}. "
        f"There it would have been {_against(run.emissions_kg, there.g_per_kwh / here.g_per_kwh)}."
    )


def _facility(run: RunRecord, pue_source: str) -> str:
    stated = f"PUE {significant(run.pue)} ({for_terminal(pue_source)})."
    if run.emissions_kg is None:
        return f"{stated} Nothing was measured, so the savings of another PUE are not known."
    share = EFFICIENT_PUE / run.pue
    there = f"{significant(EFFICIENT_PUE)}, as in an efficient data center,"
    if share >= 1:
        return f"{stated} With {there} it would have been {format_mass(run.emissions_kg * share)}, which is no less."
    return f"{stated} With {there} it would have been {_against(run.emissions_kg, share)}."


def _against(emissions_kg: float, share: float) -> str:
    """Compare a share of the emissions with the whole."""
    return f"{format_mass(emissions_kg * share)} instead of {format_mass(emissions_kg)}, {percent(1 - share)} less"


def _time(history: History, metric: Metric | None) -> str:
    total_kg, named = history.emissions_kg, for_terminal(metric.name if metric else "")
    if total_kg <= 0:
        return "Not known, because no emissions were measured."
    if metric is None or len(history.metric(metric.name).rows) < 2:  # noqa: PLR2004  # a gain takes two
        return f"Not known, because this needs two values of {named or 'a validation metric'}."
    last = last_gain(history, metric)
    if last is None:
        return f"{named} was never better than its first value."
    cost = (
        f"The last {last.what} {named} ({significant(last.start, 4)} to {significant(last.best, 4)}) cost "
        f"{percent(last.cost_kg / total_kg)} of the emissions, {format_mass(last.cost_kg)}."
    )
    sentences = [cost]
    if last.after_kg >= _LEAST_SHARE * total_kg:
        after = f"{format_mass(last.after_kg)} ({percent(last.after_kg / total_kg)})"
        sentences.append(f"Another {after} followed and gained nothing.")
    following = doubling(history, metric)
    if following:
        sentences.append(following)
    return " ".join(sentences)


def _data(run: RunRecord, history: History) -> str:
    effort = run.effort
    if not run.samples and not effort.ratios():
        return "Not known, because the number of samples was not reported."
    each = effort.joules_per_sample
    sentences = [f"{run.samples:,} samples seen" if run.samples else "The number of samples was not reported."]
    if run.samples:
        sentences[0] += f", {energy_of_one(each, ' each')}." if each else ". The energy of each is not known."
    for unit, ratio in {"A step": effort.joules_per_step, "A token": effort.joules_per_token}.items():
        if ratio is not None:
            sentences.append(f"{unit} took {energy_of_one(ratio)}.")
    if effort.grams_per_exaflop is not None:
        sentences.append(f"An exaFLOP took {emissions_of_one(effort.grams_per_exaflop)} CO2e.")
    if effort.ratios():
        has_validation = history.most_phase_joules("validation") > 0
        sentences.append(_WITHOUT_VALIDATION if has_validation else _WITH_ALL)
    return " ".join(sentences)
