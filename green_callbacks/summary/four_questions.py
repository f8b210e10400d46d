"""The four questions about a run, each answered with a number or "not known"."""

from typing import Final

from green_callbacks.analysis.last_gain import last_gain
from green_callbacks.analysis.pareto import doubling
from green_callbacks.carbon import cleanest_comparable
from green_callbacks.records import History, RunRecord
from green_callbacks.sinks.base import RunContext
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_energy, format_mass
from green_callbacks.text.wording import intensity_range, percent, place, significant
from green_callbacks.units import joules_to_kwh

_EFFICIENT_PUE: Final = 1.1
"""What a large, well-run data centre reaches: Google reports 1.09 to 1.10 for its fleet since 2019."""

_LEAST_SHARE: Final = 0.01
"""Of the emissions, that is worth a sentence: the end of a run takes a moment after its last epoch."""


def answers(run: RunRecord, context: RunContext, metric: str | None, mode: str) -> dict[str, str]:
    """Answer what would have made a run cheaper.

    Args:
        run: Its totals.
        context: Its records, and where its PUE comes from.
        metric: Key of the metric that stands for quality; None if there is none.
        mode: ``max`` or ``min``: which way that metric improves.

    Returns:
        A sentence or two each for ``place`` (here against the cleanest comparable zone), ``facility`` (a PUE of 1.1
        against this one), ``time`` (what the last point of quality cost, and what doubling the emissions would buy)
        and ``data`` (samples seen, energy of each).
    """
    return {
        "place": _place(run),
        "facility": _facility(run, context.pue_source),
        "time": _time(context.history, metric, mode),
        "data": _data(run, context.history),
    }


def _place(run: RunRecord) -> str:
    here = run.intensity
    if here is None or run.emissions_kg is None or here.g_per_kwh <= 0:
        return "Not known: nothing was measured that emits."
    there = cleanest_comparable(here)
    stated = f"Here {intensity_range(here)}, {place(here)}."
    if there is None:
        return f"{stated} What it would be elsewhere is not known: no figure is comparable with this one."
    if there.g_per_kwh >= here.g_per_kwh:
        return f"{stated} No place with a comparable figure is cleaner."
    return (
        f"{stated} The cleanest comparable is {place(there)} with {intensity_range(there)}: "
        f"{_against(run.emissions_kg, there.g_per_kwh / here.g_per_kwh)}."
    )


def _facility(run: RunRecord, pue_source: str) -> str:
    stated = f"PUE {significant(run.pue)} ({for_terminal(pue_source)})."
    if run.emissions_kg is None:
        return f"{stated} What another would save is not known: nothing was measured."
    share = _EFFICIENT_PUE / run.pue
    there = f"{significant(_EFFICIENT_PUE)}, as in an efficient data centre,"
    if share >= 1:
        return f"{stated} No more than {there} where it would be {format_mass(run.emissions_kg * share)}."
    return f"{stated} With {there} it would have been {_against(run.emissions_kg, share)}."


def _against(emissions_kg: float, share: float) -> str:
    """Write what a share of the emissions would be, beside what they are."""
    return f"{format_mass(emissions_kg * share)} in place of {format_mass(emissions_kg)}, {percent(1 - share)} less"


def _time(history: History, metric: str | None, mode: str) -> str:
    total_kg, named = history.emissions_kg, for_terminal(metric or "")
    if total_kg <= 0:
        return "Not known: no emissions were measured."
    if metric is None or len(history.metric(metric).rows) < 2:  # noqa: PLR2004  # a gain takes two
        return f"Not known: it takes two values of {named or 'a validation metric'}."
    last = last_gain(history, metric, mode)
    if last is None:
        return f"{named} never got better than its first value."
    cost = (
        f"The last {last.what} {named} ({significant(last.start, 4)} to {significant(last.best, 4)}) cost "
        f"{percent(last.cost_kg / total_kg)} of the emissions, {format_mass(last.cost_kg)}."
    )
    sentences = [cost]
    if last.after_kg >= _LEAST_SHARE * total_kg:
        after = f"{format_mass(last.after_kg)} ({percent(last.after_kg / total_kg)})"
        sentences.append(f"Another {after} came after it and bought nothing better.")
    following = doubling(history, metric, mode)
    if following:
        sentences.append(following)
    return " ".join(sentences)


def _data(run: RunRecord, history: History) -> str:
    if not run.samples:
        return "Not known: nobody said how many samples were seen."
    seen = f"{run.samples:,} samples seen"
    joules = history.samples_joules
    if joules is None:
        return f"{seen}; the energy of one is not known."
    each = joules / run.samples
    used = f"{significant(each)} J" if each < 1 else format_energy(joules_to_kwh(each))
    return f"{seen}, {used} each: all that epochs took, validation included."
