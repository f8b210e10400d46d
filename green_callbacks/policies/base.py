"""What every policy promises, and what a budget does besides."""

from typing import NamedTuple, Protocol, runtime_checkable

from green_callbacks.records import History, Plan, Verdict


@runtime_checkable
class Policy(Protocol):
    """A rule for stopping: a pure function of the history and the plan.

    No clock, no I/O, no framework, and nothing stored but its own options: a resumed run decides like an
    uninterrupted one, and a finished run can be replayed.
    """

    def decide(self, history: History, plan: Plan) -> Verdict:
        """Decide after the last record of the history.

        Args:
            history: All records so far.
            plan: What is known ahead.

        Returns:
            Whether to stop, and why.
        """
        ...


class Left(NamedTuple):
    """What is left of a budget inside an epoch.

    Attributes:
        amount: What may still be spent, in the unit of the budget; 0 or less once the run is to stop.
        stops: Whether it stops the run inside an epoch; if not, after the epoch.
        reason: Why it stops the run, as a sentence, where nothing is left.
    """

    amount: float
    stops: bool
    reason: str


@runtime_checkable
class Budget(Policy, Protocol):
    """A policy that is also asked inside epochs, where no record is made."""

    def left_inside(self, history: History, plan: Plan, open_kg: float, open_kwh: float) -> Left:
        """Return what is left of the budget now.

        Args:
            history: All records so far.
            plan: What is known ahead.
            open_kg: Emissions that are in no record yet, in kgCO2e.
            open_kwh: Facility energy that is in no record yet, in kWh.
        """
        ...
