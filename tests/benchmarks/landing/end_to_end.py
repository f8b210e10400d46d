"""What the rule saves and loses where it ends runs by itself."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from landing.runs import Run
from landing.training import ANNEALED, Schedule

from green_callbacks import MarginalGain, Plan, replay
from green_callbacks.records import EpochRecord, History

METRIC: Final = "val_acc"
"""Key of the metric that the rule watches."""
LENGTH: Final = 0.2
"""Length of a landing as a share of the steps before it."""


@dataclass(frozen=True)
class Outcome:
    """What one run saves and loses.

    Attributes:
        title: The set and the optimizer.
        schedule: The schedule of the learning rate.
        saved: The share of the plan that is saved, from 0 to 1.
        points_lost: The test error minus the error of the whole plan, in percent points.
    """

    title: str
    schedule: Schedule
    saved: float
    points_lost: float


End = tuple[int, int]
"""Numbers of steps before a landing and at the end of a run. They are equal without a landing."""


def plan_of(done: Run) -> Plan:
    """Return the plan of a run, as a framework knows it.

    Args:
        done: The run.
    """
    return Plan(epochs=done.workload.epochs, anneals=done.training.schedule in ANNEALED)


def history_of(done: Run, validation: Sequence[Sequence[float]], row: int) -> History:
    """Return the records of one run. An epoch costs an equal share of a kilogram.

    Args:
        done: The runs.
        validation: The accuracy in validation after each epoch, in percent, for each seed.
        row: The number of the seed.
    """
    return History(
        EpochRecord.scripted(
            epoch=epoch,
            emissions_kg=1 / done.workload.epochs,
            metrics={METRIC: values[row]},
            learning_rate=done.rates[epoch],
            step=(epoch + 1) * done.workload.epoch_steps,
        )
        for epoch, values in enumerate(validation)
    )


def end_of(history: History, rule: MarginalGain, plan: Plan) -> End | None:
    """Return where a rule ends a run. None if the run goes to the end of its plan.

    Args:
        history: The records of the whole plan.
        rule: The rule.
        plan: The plan.
    """
    stop = replay(history, rule, plan)
    if stop is None:
        return None
    if stop.landing is None:
        return stop.record.step or 0, stop.record.step or 0
    return stop.landing.first_step, stop.landing.end


def ends(done: Run, rule: MarginalGain, *, on_average: bool = False) -> list[End]:
    """Return where a rule ends the run of each seed.

    Args:
        done: The runs.
        rule: The rule.
        on_average: Whether the rule watches the recent average of the weights. Defaults to False.
    """
    plan, whole = plan_of(done), (done.workload.steps, done.workload.steps)
    validation = done.averaged_validation if on_average else done.validation
    return [end_of(history_of(done, validation, row), rule, plan) or whole for row in done.rows]


def errors_at(
    done: Run, found: Sequence[End], deliver: Callable[[End, Sequence[int]], Mapping[int, float]]
) -> list[float]:
    """Return the test error of each seed at its own end, in percent.

    Args:
        done: The runs.
        found: The end of each run.
        deliver: Returns the errors of some rows at an end, by row.
    """
    rows_by_end = defaultdict[End, list[int]](list)
    for row, end in enumerate(found):
        rows_by_end[end].append(row)
    errors: dict[int, float] = {}
    for end, rows in rows_by_end.items():
        errors |= deliver(end, rows)
    return [errors[row] for row in done.rows]


def outcomes(done: Run) -> Iterator[tuple[str, Outcome]]:
    """Yield what each seed saves and loses, with the way to end the run.

    Args:
        done: The runs of the whole plan.
    """
    hold, stop = MarginalGain(METRIC), MarginalGain(METRIC, on_annealing="stop")
    land = MarginalGain(METRIC, landing=LENGTH)

    def last(end: End, rows: Sequence[int]) -> Mapping[int, float]:
        errors = done.abrupt(end[1]) if end[0] == end[1] else done.landed(*end, rows)
        return dict(zip(rows, errors if end[0] < end[1] else [errors[row] for row in rows], strict=True))

    def average(end: End, rows: Sequence[int]) -> Mapping[int, float]:
        errors = done.averaged(end[1])
        return {row: errors[row] for row in rows}

    ways = {
        "hold": (ends(done, hold), last),
        "abrupt": (ends(done, stop), last),
        f"land {LENGTH:.0%}": (ends(done, land), last),
        "average": (ends(done, stop, on_average=True), average),
    }
    full = done.full()
    for way, (found, deliver) in ways.items():
        for row, error in enumerate(errors_at(done, found, deliver)):
            saved = 1 - found[row][1] / done.workload.steps
            yield way, Outcome(done.workload.title, done.training.schedule, saved, error - full[row])
