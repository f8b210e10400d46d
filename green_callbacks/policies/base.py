"""The contract of policies.

A policy is any object with ``decide(history, plan)``. It may offer more. For each offer there is a small protocol, here
and in :mod:`green_callbacks.policies.traits`. The core asks a policy by protocol only, and never by class. So a policy
of a user is treated like a policy of this package.

Example:
    A budget that any project can write. The accountant does not start a run on a spent budget, and checks the budget
    inside epochs. It forecasts when the budget will be spent, and reports the rest.

    >>> from green_callbacks.policies import Budget, Left
    >>> from green_callbacks.records import History, Plan, Verdict
    >>> from green_callbacks.units import Amount
    >>> class OneKilogram:
    ...     name, amount = "the budget of 1 kg", Amount(1.0, "emissions_kg")
    ...
    ...     def spent(self, history, plan):
    ...         return history.emissions_kg
    ...
    ...     def left_inside(self, history, plan, open_kg, open_kwh):
    ...         left_kg = 1.0 - self.spent(history, plan) - open_kg
    ...         return Left(left_kg, stops=True, reason="1 kg is spent.")
    ...
    ...     def decide(self, history, plan):
    ...         if self.spent(history, plan) < 1.0:
    ...             return Verdict(stop=False, code="active", reason="Less than 1 kg is spent.")
    ...         return Verdict(stop=True, code="stopping", reason="1 kg is spent.")
    >>> isinstance(OneKilogram(), Budget)
    True
"""

from os import PathLike
from typing import NamedTuple, Protocol, runtime_checkable

from green_callbacks.records import History, Plan, Verdict
from green_callbacks.units import Amount


@runtime_checkable
class Policy(Protocol):
    """A rule for stopping, which is a pure function of the history and the plan.

    A policy uses no clock, no I/O and no framework. It stores nothing but its options. So a resumed run decides like an
    uninterrupted run, and a finished run can be replayed.

    Example:
        >>> from green_callbacks.policies import CarbonBudget
        >>> isinstance(CarbonBudget("500 g"), Policy)
        True
    """

    def decide(self, history: History, plan: Plan) -> Verdict:
        """Decide after the last record of the history.

        Args:
            history: All records so far.
            plan: The plan of the run.

        Returns:
            Whether to stop, and the reason.
        """
        ...


class Left(NamedTuple):
    """The rest of a budget inside an epoch.

    Attributes:
        amount: The amount that may still be spent, in the unit of the budget. The run stops at 0 or less.
        stops: True to stop the run inside the epoch, False to stop it after the epoch.
        reason: One sentence that says why the run stops. It is used where nothing is left.
        landing: Length of the landing that begins where nothing is left, as a share of the optimizer steps of the fit
            so far, 0 to 1. Once ``plan.landing`` is set, ``amount`` is the rest until the run must stop. Defaults to 0,
            which stops without a landing.

    Example:
        >>> Left(0.2, stops=True, reason="200 g are left.").amount
        0.2
    """

    amount: float
    stops: bool
    reason: str
    landing: float = 0.0


@runtime_checkable
class Budget(Policy, Protocol):
    """A policy with a limit on emissions or on facility energy.

    A run does not start if ``decide()`` stops it before the first epoch. Inside epochs, ``left_inside()`` is asked.
    The forecast says when ``amount`` will be spent. Sinks show the rest of the budget.

    Example:
        >>> from green_callbacks.policies import CarbonBudget
        >>> isinstance(CarbonBudget("2 kWh"), Budget)
        True
    """

    @property
    def name(self) -> str:
        """The budget as it is called inside a sentence, e.g. ``the budget of 500 g``."""
        ...

    @property
    def amount(self) -> Amount:
        """The limit, in kgCO2e or in kWh."""
        ...

    def spent(self, history: History, plan: Plan) -> float:
        """Return the spending that counts, in the unit of ``amount``.

        Args:
            history: All records so far.
            plan: The plan of the run, with the spending of other runs.
        """
        ...

    def left_inside(self, history: History, plan: Plan, open_kg: float, open_kwh: float) -> Left:
        """Return the rest of the budget inside an epoch.

        Args:
            history: All records so far.
            plan: The plan of the run.
            open_kg: Emissions that no record contains yet, in kgCO2e.
            open_kwh: Facility energy that no record contains yet, in kWh.
        """
        ...


@runtime_checkable
class SharedBudget(Budget, Protocol):
    """A budget that the runs of a project share.

    While a run goes on, the accountant tells the registry of the project what the run spends. What the other runs have
    spent and hold is in ``plan.shared``, and ``spent()`` counts it.

    A budget may also offer ``registry``, the URL of its registry, and ``on_outage``, what happens while the registry is
    away, like :class:`CarbonBudget`.

    Example:
        >>> from green_callbacks.policies import CarbonBudget
        >>> isinstance(CarbonBudget("500 g", project="logs"), SharedBudget)
        True
    """

    @property
    def project(self) -> str | PathLike[str] | None:
        """Folder or glob pattern of the project's ledgers. None for a budget of this run alone."""
        ...
