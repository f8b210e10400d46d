"""What every policy promises."""

from typing import Protocol, runtime_checkable

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
