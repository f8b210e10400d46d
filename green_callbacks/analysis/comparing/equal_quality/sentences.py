"""A comparison in sentences."""

from collections.abc import Sequence
from typing import Final

from green_callbacks.analysis.comparing.compared_run import ComparedRun
from green_callbacks.analysis.comparing.equal_quality.censored import LogRank
from green_callbacks.analysis.comparing.equal_quality.comparison import Compared, Comparison
from green_callbacks.analysis.comparing.equal_quality.power import MOST_RUNS, POWER
from green_callbacks.analysis.comparing.equal_quality.ratio import (
    CONFIDENCE,
    FEWEST,
    Method,
    Ratio,
    least_permutation_p,
)
from green_callbacks.analysis.comparing.equal_quality.reaching import Quantity, Side, spent_without
from green_callbacks.text import for_terminal
from green_callbacks.text.amounts import format_duration, format_energy, format_mass
from green_callbacks.text.wording import percent, significant

_NOUNS: Final[dict[Quantity, str]] = {"energy": "energy", "emissions": "CO2e", "time": "time"}

_METHODS: Final[dict[Method, str]] = {
    "paired": "paired t-test on logarithms, by seed",
    "pooled": "Student's t-test on logarithms",
    "welch": "Welch's t-test on logarithms",
}

_TIMES: Final = 2.0
"""Ratio from which a text writes a factor instead of a percentage. A ratio, by choice."""

_AS_MUCH: Final = 5e-4
"""Difference from a ratio of 1 that a text writes as none. A ratio, by the digits of a percentage."""

_NEARLY_ALL: Final = 0.99
"""Share above which a percentage has more digits, by the digits of a percentage."""

_ALL_BUT: Final = 0.9999
"""Largest share that is written as a number. By choice."""

_MOST_NAMED: Final = 5
"""Largest number of runs that a sentence names. By choice, for a line that can be read."""


def amount(quantity: Quantity, cost: float) -> str:
    """Write a cost with its unit.

    Args:
        quantity: The quantity.
        cost: Energy in kWh, emissions in kgCO2e, or time in s.

    Example:
        >>> amount("energy", 0.25), amount("time", 90.0)
        ('250 Wh', '1 min 30 s')
    """
    if quantity == "energy":
        return format_energy(cost)
    return format_mass(cost) if quantity == "emissions" else format_duration(cost)


def difference(ratio: float) -> str:
    """Write a ratio as a difference.

    Args:
        ratio: The ratio.

    Example:
        >>> difference(0.82), difference(1.05), difference(2.5), difference(1.0)
        ('18 % less', '5 % more', '2.50 times as much', 'as much')
    """
    if abs(ratio - 1) < _AS_MUCH:
        return "as much"
    if ratio >= _TIMES:
        return f"{significant(ratio)} times as much"
    return f"{_less(1 - ratio)} less" if ratio < 1 else f"{percent(ratio - 1)} more"


def interval(ratio: Ratio) -> str:
    """Write the interval of a ratio, and the numbers of runs.

    Args:
        ratio: The ratio. It has an interval.

    Example:
        >>> interval(Ratio(estimate=0.82, low=0.76, high=0.89, p_value=0.001, method="welch", runs=(5, 5)))
        '95 %: 11 to 24 %; 5 against 5 runs'
    """
    low, high = ratio.low or 0.0, ratio.high or 0.0
    runs = f"{ratio.runs[0]} against {ratio.runs[1]} runs"
    if ratio.method == "paired":
        runs = f"{ratio.runs[0]} pairs of runs"
    if high < 1 - _AS_MUCH:
        text = f"{_less(1 - high).removesuffix(' %')} to {_less(1 - low)}"
    elif low >= 1 + _AS_MUCH and high < _TIMES:
        text = f"{percent(low - 1).removesuffix(' %')} to {percent(high - 1)}"
    elif low >= 1 and high >= _TIMES:
        text = f"{difference(low)} to {significant(high)} times"
    else:
        text = f"{difference(low)} to {difference(high)}"
    return f"{percent(CONFIDENCE)}: {text}; {runs}"


def _less(share: float) -> str:
    """Write how much less a side needs. Nobody needs nothing, so it is never rounded to all."""
    if share <= _NEARLY_ALL:
        return percent(share)
    return f"{share:.2%}".replace("%", " %") if share <= _ALL_BUT else f"more than {_ALL_BUT:.2%}".replace("%", " %")


def main_sentences(comparison: Comparison, quantity: Quantity = "energy") -> list[str]:
    """Write what a comparison shows of one quantity.

    Args:
        comparison: The comparison.
        quantity: The quantity. Defaults to energy.

    Returns:
        One or more sentences.

    Example:
        >>> from pathlib import Path
        >>> from green_callbacks.metrics import Metric
        >>> from green_callbacks.analysis.comparing import RunPoint
        >>> from green_callbacks.analysis.comparing.equal_quality.reaching import Reached, Side, Target
        >>> run = ComparedRun(run_id="digits", path=Path("digits.jsonl"))
        >>> reached = [Reached(run, RunPoint(3, 0.93, kwh=0.4, kg=0.1, seconds=60.0))]
        >>> ratio = Ratio(estimate=0.82, low=0.76, high=0.89, p_value=0.001, method="welch", runs=(5, 5))
        >>> compared = Compared(quantity="energy", costs=([0.4], [0.5]), ratio=ratio)
        >>> target, sides = Target(Metric("val_acc", "max"), 0.92), [Side(name, reached) for name in ("B", "A")]
        >>> comparison = Comparison(
        ...     target=target, first=sides[0], second=sides[1], is_paired=False, quantities=[compared], unlike=[]
        ... )
        >>> print(main_sentences(comparison)[0])
        B needs 18 % less energy than A to reach val_acc 0.92 (95 %: 11 to 24 %; 5 against 5 runs).
    """
    compared = comparison.of(quantity)
    empty = [side.name for side in (comparison.first, comparison.second) if not side.size]
    if empty:
        return [f"No run of {' and '.join(empty)} says anything about {comparison.target}. Name other runs."]
    if not comparison.all_reached:
        return _censored(comparison, compared)
    ratio = compared.ratio
    if ratio is None:
        return _unknown(comparison, compared)
    if ratio.low is None:
        return [f"{_needs(comparison, compared, ratio)}.", _no_interval(comparison, ratio)]
    said = f"{_needs(comparison, compared, ratio)} ({interval(ratio)})."
    if ratio.is_shown:
        return [said]
    return [f"No difference in {_NOUNS[quantity]} is shown.", said, more_runs(compared)]


def claim(comparison: Comparison, quantity: Quantity) -> str | None:
    """Write the difference of a quantity that is not the main one.

    Args:
        comparison: The comparison.
        quantity: The quantity.

    Returns:
        A sentence. None if there is no ratio.

    Example:
        >>> from green_callbacks.metrics import Metric
        >>> from green_callbacks.analysis.comparing.equal_quality.reaching import Side, Target
        >>> compared = Compared(quantity="time", costs=([0.4], [0.5]), ratio=Ratio(estimate=0.8))
        >>> target, sides = Target(Metric("val_acc", "max"), 0.92), [Side(name, []) for name in ("B", "A")]
        >>> comparison = Comparison(
        ...     target=target, first=sides[0], second=sides[1], is_paired=False, quantities=[compared], unlike=[]
        ... )
        >>> claim(comparison, "time")
        'B needed 20 % less time than A to reach val_acc 0.92.'
    """
    compared = comparison.of(quantity)
    ratio = compared.ratio
    if ratio is None:
        return None
    said = _needs(comparison, compared, ratio)
    return f"{said}." if ratio.low is None else f"{said} ({interval(ratio)})."


def _needs(comparison: Comparison, compared: Compared, ratio: Ratio) -> str:
    noun = _NOUNS[compared.quantity]
    changed = difference(ratio.estimate)
    amount_of = changed.replace(" as much", f" as much {noun}") if "as much" in changed else f"{changed} {noun}"
    if changed == "as much":
        amount_of = f"as much {noun}"
    than = "as" if "as much" in changed else "than"
    first, second = comparison.first.name, comparison.second.name
    verb = "needs" if ratio.is_shown else "needed"  # nobody knows whether it would need so again
    return f"{first} {verb} {amount_of} {than} {second} to reach {comparison.target}"


def _no_interval(comparison: Comparison, ratio: Ratio) -> str:
    if ratio.why_none == "spread":
        return (
            "The runs of a side do not differ at all, so nothing tells the part of chance. Give each run a seed of "
            "its own."
        )
    return _too_few(comparison, ratio.runs)


def _too_few(comparison: Comparison, runs: tuple[int, int]) -> str:
    if runs == (1, 1):
        return "One run each says nothing of chance. Make at least three runs of each side."
    lone = comparison.first if runs[0] == 1 else comparison.second
    return f"The single run of {lone.name} says nothing of chance. Make at least three runs of each side."


def _unknown(comparison: Comparison, compared: Compared) -> list[str]:
    sides = zip((comparison.first, comparison.second), compared.costs, strict=True)
    names = " and ".join(side.name for side, costs in sides if not costs)
    unknown = f"The {_NOUNS[compared.quantity]} to reach {comparison.target} is unknown or 0 in all runs of {names}."
    if compared.quantity == "time":
        return [unknown]
    return [unknown, "Name other runs, or compare with --of time."]


def more_runs(compared: Compared) -> str:
    """Write how many more runs would show a difference.

    Args:
        compared: The comparison of a quantity. Its ratio has an interval.

    Example:
        >>> ratio = Ratio(estimate=0.96, low=0.88, high=1.05, p_value=0.3, method="pooled", runs=(5, 5))
        >>> more_runs(Compared(quantity="energy", costs=([0.4], [0.5]), ratio=ratio, needed=13))
        '8 more runs each would show a difference of 10 % with a chance of 80 %.'
    """
    size, needed = percent(compared.size), compared.needed
    power = f" with a chance of {percent(POWER)}"
    runs = (0, 0) if compared.ratio is None else compared.ratio.runs
    if needed is None:
        return f"Not even {MOST_RUNS:,} runs each would show a difference of {size}, because the runs scatter too much."
    if needed <= min(runs):
        return f"These runs would have shown a difference of {size} with a chance of at least {percent(POWER)}."
    if runs[0] == runs[1]:
        more = needed - runs[0]
        return f"{more:,} more {'run' if more == 1 else 'runs'} each would show a difference of {size}{power}."
    return f"{needed:,} runs of each side would show a difference of {size}{power}."


def _censored(comparison: Comparison, compared: Compared) -> list[str]:
    """Write a comparison in which some runs did not reach the quality."""
    sides = comparison.first, comparison.second
    shares = " and ".join(f"{len(side.reached)} of {_runs(side.size)} of {side.name}" for side in sides)
    said = [f"{shares} reached {comparison.target}."]
    noun = _NOUNS[compared.quantity]
    if not any(side.reached for side in sides):
        best = [_best(comparison, run) for side in sides for run in side.runs]
        known = comparison.target.metric.best(value for value in best if value is not None)
        nearest = "" if known is None else f"The best value of a run is {significant(known, 4)}. "
        return [*said, f"{nearest}Name a quality that runs reach, or train longer."]
    sizes = sides[0].size, sides[1].size
    if min(sizes) < FEWEST:
        return [*said, _too_few(comparison, sizes)]
    if compared.log_rank is None:
        return [*said, f"The {noun} of some runs is not known, so the sides cannot be compared."]
    said.append("No means are compared, because runs that failed would be left out of them.")
    said += [
        f"Half of the runs of {side.name} reached it by {amount(compared.quantity, median)}."
        for side, median in zip(sides, compared.medians, strict=True)
        if median is not None
    ]
    return [*said, *_judgments(comparison, compared, compared.log_rank)]


def _judgments(comparison: Comparison, compared: Compared, found: LogRank) -> list[str]:
    sides, noun = (comparison.first, comparison.second), _NOUNS[compared.quantity]
    if any(run.is_closed for side in sides for run in side.missed):
        said = ["A run that ended without it counts as never reaching it."]
    elif _were_cut(sides, compared.quantity):
        said = ["The others were killed or still run, and say nothing yet, because they cost less than each of these."]
    else:
        said = []
    p = f"(log-rank test, p {_p(found.p_value)})"
    if found.is_shown:
        better, worse = sides if found.is_sooner else sides[::-1]
        return [*said, f"{better.name} reaches it more often or for less {noun} than {worse.name} {p}."]
    least = least_permutation_p((sides[0].size, sides[1].size))
    more = ["So few runs can never show one."] if least > 1 - CONFIDENCE else []
    return [*said, f"No difference in {noun} is shown {p}.", *more]


def _were_cut(sides: tuple[Side, Side], quantity: Quantity) -> bool:
    """Return whether every run without the quality had cost less than the cheapest run that reached it."""
    spent = [spent_without(run, quantity) or 0.0 for side in sides for run in side.missed]
    paid = [each.cost(quantity) or 0.0 for side in sides for each in side.reached]
    return max(spent) < min(paid)


def method_sentence(compared: Compared) -> str | None:
    """Write how a quantity was compared, and why in this way.

    Args:
        compared: The comparison of a quantity.

    Returns:
        Sentences. None if nothing was tested.

    Example:
        >>> ratio = Ratio(estimate=0.8, low=0.7, high=0.9, p_value=0.01, method="welch", runs=(5, 4))
        >>> compared = Compared(quantity="energy", costs=([0.4], [0.5]), ratio=ratio)
        >>> print(method_sentence(compared))
        Welch's t-test on logarithms, p = 0.010. It compares geometric means, because methods multiply a cost.
    """
    ratio = compared.ratio
    if ratio is None or ratio.method is None or ratio.p_value is None:
        return None
    text = f"{_METHODS[ratio.method]}, p {_p(ratio.p_value)}"
    if ratio.permutation_p is not None:
        least = least_permutation_p(ratio.runs, paired=ratio.method == "paired")
        text += f"; permutation test, p {_p(ratio.permutation_p)}"
        if least > 1 - CONFIDENCE:
            text += f" (never less than {_digits(least)} with so few runs)"
    return f"{text[0].upper()}{text[1:]}. It compares geometric means, because methods multiply a cost."


def run_sentences(comparison: Comparison) -> list[str]:
    """Write what became of runs that did not reach the quality, were left out, or still run.

    Args:
        comparison: The comparison.

    Returns:
        Sentences, empty if every run reached the quality and was closed.

    Example:
        >>> from green_callbacks.metrics import Metric
        >>> from green_callbacks.analysis.comparing.equal_quality.reaching import Side, Target
        >>> target, sides = Target(Metric("val_acc", "max"), 0.92), [Side(name, []) for name in ("B", "A")]
        >>> comparison = Comparison(
        ...     target=target, first=sides[0], second=sides[1], is_paired=False, quantities=[], unlike=[]
        ... )
        >>> run_sentences(comparison)
        []
    """
    said = []
    for side in (comparison.first, comparison.second):
        for reason in dict.fromkeys(reason for _, reason in side.left_out):
            names = [_name(run) for run, why in side.left_out if why == reason]
            said += _named("The comparison leaves out ", f"of {side.name} {reason}", names)
        said += _named("", f"of {side.name} did not reach it", [_ended(run) for run in side.missed])
        zero = [run for run in side.missed if not run.points]
        said += _named("", f"of {side.name} had no value of the metric", [_name(run) for run in zero])
    unknown = list(dict.fromkeys(name for each in comparison.quantities for name in each.unknown))
    return [*said, *_named("No ratio holds ", "whose energy, emissions or time is unknown or 0", unknown)]


def _best(comparison: Comparison, run: ComparedRun) -> float | None:
    return comparison.target.metric.best(point.value for point in run.points)


def _named(begin: str, fate: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = f", and {len(names) - _MOST_NAMED} others" if len(names) > _MOST_NAMED else ""
    return [f"{begin}{_runs(len(names))} {fate} ({', '.join(names[:_MOST_NAMED])}{more})."]


def _ended(run: ComparedRun) -> str:
    spent = spent_without(run, "energy") if run.points else None
    how = "stopped by a policy" if run.stop_reason else "ended" if run.is_closed else "killed or still running"
    return f"{_name(run)}, {how}{'' if spent is None else f' at {format_energy(spent)}'}"


def _name(run: ComparedRun) -> str:
    return for_terminal(run.run_id)


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _p(value: float) -> str:
    return "< 0.001" if value < 1e-3 else f"= {_digits(value)}"  # noqa: PLR2004


def _digits(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"  # noqa: PLR2004
