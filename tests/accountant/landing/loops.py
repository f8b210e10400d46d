"""Loops of a user's own that land, and the learning rates that their steps use."""

from collections.abc import Callable, Iterator
from typing import Any

from support.hooked_optimizer import HookedOptimizer

from green_callbacks import EnergyAccountant, History, Plan, Verdict
from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import ScriptedSource

STEPS = 10
"""Steps of an epoch, of which each takes a second."""
WATTS = 300.0


class LandsAfter:
    """Asks for a landing as soon as some epochs have ended."""

    def __init__(self, epochs: int, landing: float = 0.5) -> None:
        self.epochs, self.landing = epochs, landing

    def decide(self, history: History, plan: Plan) -> Verdict:
        if plan.landing is None and history.epochs_done() >= self.epochs:
            return Verdict(stop=False, code="landing", reason="Enough.", landing=self.landing)
        return Verdict(stop=False, code="active", reason="It goes on.")


def accountant_of(*policies: Any, **options: Any) -> EnergyAccountant:
    """Return an accountant whose clock the loops advance."""
    clock = options.pop("clock", None) or ScriptedClock()
    defaults = {"carbon_intensity": 400.0, "sinks": [], "ledger": False, "clock": clock, "strict": True}
    defaults["sources"] = [ScriptedSource(WATTS, clock=clock)]
    return EnergyAccountant(policies=list(policies), **{**defaults, **options})


def clock_of(accountant: EnergyAccountant) -> ScriptedClock:
    clock = accountant._settings.clock
    assert isinstance(clock, ScriptedClock)
    return clock


def by_steps(accountant: EnergyAccountant) -> Iterator[int]:
    yield from accountant.steps(range(STEPS))


def observed(accountant: EnergyAccountant) -> Iterator[int]:
    """Report every step. The counts may be of any library."""
    done = accountant.history.steps or 0
    for number in range(STEPS):
        yield number
        accountant.observe(step=done + number + 1)


def by_epoch(accountant: EnergyAccountant) -> Iterator[int]:
    done = accountant.history.steps or 0
    yield from range(STEPS)
    accountant.observe(step=done + STEPS)


def unreported(accountant: EnergyAccountant) -> Iterator[int]:
    yield from range(STEPS)


Batches = Callable[[EnergyAccountant], Iterator[int]]


def train(
    accountant: EnergyAccountant,
    step: Callable[[], object],
    batches: Batches = by_steps,
    epochs: int = 30,
) -> EnergyAccountant:
    """Train until a policy ends the run."""
    with accountant:
        for _ in accountant.epochs(epochs):
            for _ in batches(accountant):
                step()
                clock_of(accountant).advance(1.0)
    return accountant


def land(
    accountant: EnergyAccountant, *optimizers: HookedOptimizer, batches: Batches = by_steps, epochs: int = 30
) -> EnergyAccountant:
    """Train with optimizers whose rates the accountant scales."""
    accountant.scale_learning_rates(*optimizers)
    return train(accountant, lambda: [each.step() for each in optimizers], batches, epochs)


def expected(accountant: EnergyAccountant, begin: int, length: int) -> list[float]:
    """Return the factors of all steps."""
    return [1.0] * begin + [1 - (at + 0.5) / length for at in range(length)]
