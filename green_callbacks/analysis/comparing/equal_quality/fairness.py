"""Sentences about what makes a comparison unfair, because both sides differ in more than their method."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from statistics import fmean, median
from typing import Final

from green_callbacks.analysis.comparing.compared_run import SEED_LABEL, ComparedRun
from green_callbacks.analysis.comparing.equal_quality.reaching import Side
from green_callbacks.records.coverage import in_words
from green_callbacks.text import for_terminal
from green_callbacks.text.wording import percent, significant

_AS_MUCH: Final = 0.01
"""Relative difference of PUE, carbon intensity or samples up to which they count as the same. A ratio, by choice."""

_SHARE: Final = 0.05
"""Difference of two shares up to which they count as the same, 0 to 1. By choice, half of a difference of 10 %."""

_MOSTLY: Final = 0.5
"""Share of modelled energy above which a comparison is mostly one of models. A ratio, by choice."""

_BEHIND: Final = 0.02
"""Share of the epochs by which rare values may put a side behind without a word. A ratio, by choice."""

_MOST_NAMED: Final = 3
"""Largest number of values of a side that a sentence names. By choice, for a line that can be read."""

_Fact = Callable[[ComparedRun], str | None]


def unlike(first: Side, second: Side, *, chosen_by: Collection[str] = ()) -> list[str]:
    """Return what makes a comparison unfair.

    Args:
        first: The first side.
        second: The second side.
        chosen_by: Labels that chose the runs, which differ on purpose. Defaults to none.

    Returns:
        Sentences. Empty if all known conditions are alike. Unknown conditions are left out.

    Example:
        >>> unlike(Side("new", reached=[]), Side("old", reached=[]))
        []
    """
    sides = first, second
    if not all(side.runs for side in sides):
        return []
    checks = (_devices, _measurement, _throttling, _grid, _software, _work, partial(_labels, but=chosen_by), _energy)
    return [sentence for check in checks for sentence in check(sides) if sentence]


_Sides = tuple[Side, Side]


def _devices(sides: _Sides) -> Iterable[str | None]:
    yield _differ("The GPUs", sides, _gpus)
    yield _differ("The machines", sides, lambda run: ", ".join(sorted(filter(None, run.conditions.hosts))))
    yield _differ("The counted devices", sides, _components)
    for side in sides:
        lost = sum(bool(run.conditions.unmeasured) for run in side.runs)
        if lost:
            yield f"An accelerator was not measured in {_of_runs(lost, side)}, and its energy is missing."
        shared = {each for run in side.runs for each in run.conditions.shared}
        if shared:
            runs = sum(bool(run.conditions.shared) for run in side.runs)
            yield f"Other processes used {in_words(sorted(shared))} of {_of_runs(runs, side)} at the same time."


def _components(run: ComparedRun) -> str | None:
    return in_words(sorted(run.conditions.components)) if run.conditions.components else None


def _gpus(run: ComparedRun) -> str | None:
    if not run.conditions.components and not run.conditions.gpus:
        return None
    return " and ".join(f"{count} {product}" for product, count in run.conditions.gpus.items()) or "no GPU"


def _measurement(sides: _Sides) -> Iterable[str | None]:
    shares = [_mean(run.conditions.modelled_share for run in side.runs) for side in sides]
    one, other = shares
    if one is None or other is None:
        return
    if abs(one - other) > _SHARE:
        yield (
            f"A model gives {percent(one)} of the energy of {sides[0].name} and {percent(other)} of that of "
            f"{sides[1].name}. Sensors measured the rest."
        )
    elif min(one, other) > _MOSTLY:
        yield "Most of the energy comes from a model on both sides, which may not see a small difference."


def _throttling(sides: _Sides) -> Iterable[str | None]:
    shares = [_mean(run.conditions.throttled_share for run in side.runs) for side in sides]
    one, other = shares
    if one is not None and other is not None and abs(one - other) > _SHARE:
        yield (
            f"The GPUs of {sides[0].name} were throttled for {percent(one)} of the time and those of "
            f"{sides[1].name} for {percent(other)}."
        )
    limits = [_mean(run.conditions.limit_watts for run in side.runs) for side in sides]
    if _is_other(*limits):
        yield f"The power limits of the GPUs differ ({_numbers(limits)} W)."


def _grid(sides: _Sides) -> Iterable[str | None]:
    pues = [_mean(run.conditions.pue for run in side.runs) for side in sides]
    grams = [_mean(run.conditions.g_per_kwh for run in side.runs) for side in sides]
    same = "At the same intensity and PUE, emissions differ as the energy does."
    if _is_other(*pues):
        yield f"The PUE differs ({_numbers(pues)}). It changes only the emissions. {same}"
    if _is_other(*grams):
        yield f"The carbon intensity differs ({_numbers(grams)} g/kWh). It changes only the emissions. {same}"


def _software(sides: _Sides) -> Iterable[str | None]:
    names = sorted({name for side in sides for run in side.runs for name in run.conditions.versions})
    found = []
    for name in names:
        values = [_counted(run.conditions.versions.get(name) for run in side.runs) for side in sides]
        if all(values) and set(values[0]) != set(values[1]):
            found.append(f"{for_terminal(name)} {_listed(values[0])} against {_listed(values[1])}")
    yield f"Versions differ ({', '.join(found)})." if found else None


def _work(sides: _Sides) -> Iterable[str | None]:
    yield _differ("The planned epochs", sides, lambda run: _text(run.conditions.planned_epochs))
    samples = [_mean(run.conditions.epoch_samples for run in side.runs) for side in sides]
    if _is_other(*samples):
        yield f"The samples of an epoch differ ({' against '.join(f'{each or 0:,.0f}' for each in samples)})."
    yield _rare_values(sides)


def _rare_values(sides: _Sides) -> str | None:
    """Say how far a side is behind because its quality was measured more rarely.

    A run pays until the value that shows its quality. On average this is half a step after it had the quality.
    """
    one, other = (_median(map(_step, side.runs)) for side in sides)
    if one is None or other is None:
        return None
    whole = fmean(float(run.points[-1].epoch or 0) + 1 for side in sides for run in side.runs if run.points)
    reached = [each.at.epoch + 1 for side in sides for each in side.reached if each.at.epoch is not None]
    behind = abs(one - other) / 2
    if behind <= _BEHIND * (fmean(reached) if reached else whole):
        return None
    late = sides[0] if one > other else sides[1]
    steps = " and ".join(f"{_epochs(step)} in {side.name}" for step, side in zip((one, other), sides, strict=True))
    return f"Quality was measured {steps}. On average this alone puts {late.name} {behind:.2g} epochs behind."


def _epochs(step: float) -> str:
    return "every epoch" if abs(step - 1) < _AS_MUCH else f"every {step:.2g} epochs"


def _step(run: ComparedRun) -> float | None:
    """Return the mean number of epochs between two values."""
    epochs = [point.epoch for point in run.points if point.epoch is not None]
    if not epochs:
        return None
    step = (epochs[-1] - epochs[0]) / (len(epochs) - 1) if len(epochs) > 1 else epochs[0] + 1.0
    return step if step > 0 else None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _labels(sides: _Sides, *, but: Collection[str]) -> Iterable[str | None]:
    names = {name for side in sides for run in side.runs for name in run.labels} - {SEED_LABEL, *but}
    found = []
    for name in sorted(names):
        values = [_counted(run.labels.get(name, "none") for run in side.runs) for side in sides]
        one_each = all(len(each) == side.size > 1 for each, side in zip(values, sides, strict=True))
        if set(values[0]) != set(values[1]) and not one_each:  # a name of each run tells the sides apart, no more
            found.append(f"{for_terminal(name)} {_listed(values[0])} against {_listed(values[1])}")
    yield f"Labels differ ({', '.join(found)})." if found else None
    for side in sides:
        seeds = [run.seed for run in side.runs]
        if len(seeds) > 1 and seeds[0] is not None and len(set(seeds)) == 1:
            yield f"All runs of {side.name} have the seed {for_terminal(seeds[0])}, so they show too little chance."


def _energy(sides: _Sides) -> Iterable[str | None]:
    for side in sides:
        repeated = _mean(run.conditions.repeated_kwh_share for run in side.runs)
        if repeated is not None and repeated > _AS_MUCH:
            yield f"Repeated epochs took {percent(repeated)} of the energy of {side.name}, which counts."
        late = sum((run.conditions.first_epoch or 0) > 1 for run in side.runs)  # some frameworks count from 1
        if late:
            yield f"Earlier costs are missing, because {_of_runs(late, side)} began later than in the first epoch."
        several = sum(run.conditions.fits for run in side.runs)
        if several:
            yield f"Several models were trained in {_of_runs(several, side)}. The first that is good enough counts."
        missed = [run for run in side.runs if run.unmeasured_share > _AS_MUCH and run.kwh is not None]
        if missed:
            worst = percent(max(run.unmeasured_share for run in missed))
            yield f"Up to {worst} of the time of {_of_runs(len(missed), side)} was not measured."


def _differ(subject: str, sides: _Sides, fact: _Fact) -> str | None:
    """Return a sentence if a fact differs between the sides, in its values or in how often each value occurs."""
    values = [_counted(map(fact, side.runs)) for side in sides]
    shares = [{value: count / sum(each.values()) for value, count in each.items()} for each in values]
    if not all(values) or shares[0] == shares[1]:
        return None
    has = [f"{side.name} has {_listed(each, counted=True)}" for side, each in zip(sides, values, strict=True)]
    return f"{subject} differ. {' and '.join(has)}."


def _counted(values: Iterable[str | None]) -> Counter[str]:
    return Counter(filter(None, values))


def _listed(values: Counter[str], *, counted: bool = False) -> str:
    """Write values, with their number of runs if there are several."""
    common = values.most_common()
    shown = [
        for_terminal(value) if len(common) == 1 or not counted else f"{for_terminal(value)} in {_runs(count)}"
        for value, count in common[:_MOST_NAMED]
    ]
    left = len(common) - _MOST_NAMED
    more = ["1 other" if left == 1 else f"{left} others"] if left > 0 else []
    return ", ".join([*shown, *more])


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _is_other(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and abs(one - other) > _AS_MUCH * max(abs(one), abs(other))


def _numbers(values: Sequence[float | None]) -> str:
    return " against ".join(significant(each or 0.0) for each in values)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _runs(count: int) -> str:
    return "1 run" if count == 1 else f"{count} runs"


def _of_runs(count: int, side: Side) -> str:
    return f"{count} of the {side.size} runs of {side.name}" if side.size > 1 else f"the run of {side.name}"
