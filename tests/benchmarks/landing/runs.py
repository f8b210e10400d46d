"""Runs of a whole plan, and what their early ends deliver: abrupt, landed or averaged."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from landing.landings import landed
from landing.training import Schedule, Snapshot, Training, Workload


@dataclass
class Run:
    """Runs of a whole plan with several seeds, which can be left at the end of every epoch and at some more steps.

    Attributes:
        training: The finished training.
        snapshots: The state of the training by the number of steps.
        rates: The learning rate of the last step of each epoch.
        validation: The accuracy in validation after each epoch, in percent, for each seed.
        averaged_validation: The same of the recent average of the weights.
    """

    training: Training
    snapshots: dict[int, Snapshot] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    validation: list[list[float]] = field(default_factory=list)
    averaged_validation: list[list[float]] = field(default_factory=list)

    @property
    def workload(self) -> Workload:
        """The workload of the runs."""
        return self.training.workload

    @property
    def rows(self) -> range:
        """The numbers of the seeds."""
        return range(len(self.training.seeds))

    def full(self) -> list[float]:
        """Return the test error of the whole plan in percent, for each seed."""
        return errors(self.training)

    def abrupt(self, steps: int) -> list[float]:
        """Return the test errors after some steps, in percent.

        Args:
            steps: Number of steps.
        """
        return errors(self.snapshots[steps].resumed())

    def averaged(self, steps: int) -> list[float]:
        """Return the test errors of the recent average after some steps, in percent.

        Args:
            steps: Number of steps.
        """
        left = self.snapshots[steps]
        return [100 - accuracy for accuracy in self.training.accuracy("test", left.averages)]

    def landed(self, begin: int, end: int, rows: Sequence[int] | None = None) -> list[float]:
        """Return the test errors after a landing, in percent.

        Args:
            begin: Number of steps before the landing.
            end: Number of steps at its end.
            rows: Rows of the runs that land. Defaults to all.
        """
        return errors(landed(self.snapshots[begin].resumed(rows), end - begin))


def errors(training: Training) -> list[float]:
    """Return the present test errors of a training in percent, for each seed.

    Args:
        training: The training.
    """
    return [100 - accuracy for accuracy in training.accuracy("test")]


def run(workload: Workload, rate: float, schedule: Schedule, seeds: Sequence[int], marks: Collection[int] = ()) -> Run:
    """Train a workload to the end of its plan.

    Args:
        workload: The workload.
        rate: The highest learning rate.
        schedule: The schedule of the learning rate.
        seeds: The seeds of the runs.
        marks: Numbers of steps, beside the ends of the epochs, after which a run can be left. Defaults to none.
    """
    training = Training(workload, rate, schedule, seeds)
    done = Run(training)
    ends = set(range(workload.epoch_steps, workload.steps + 1, workload.epoch_steps))
    for mark in sorted(ends.union(marks)):
        training.run(mark - 1)
        present_rate = training.present_rate
        training.run(mark)
        done.snapshots[mark] = Snapshot.of(training)
        if mark in ends:
            done.rates.append(present_rate)
            done.validation.append(training.accuracy("validation"))
            done.averaged_validation.append(training.accuracy("validation", training.averages))
    return done


def tuned(workload: Workload, seeds: Sequence[int]) -> float:
    """Return the rate that validates best at the end of a whole plan with a cosine.

    Args:
        workload: The workload, which names the rates to try.
        seeds: The seeds of the runs.
    """
    if len(workload.rates) == 1:
        return workload.rates[0]

    def reached(rate: float) -> float:
        training = Training(workload, rate, "cosine", seeds)
        training.run(workload.steps)
        return sum(training.accuracy("validation"))

    return max(workload.rates, key=reached)
