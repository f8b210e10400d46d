"""Runs on scripted time whose rules land, at 300 W and 1000 gCO2e/kWh: 5 g for an epoch of a minute and ten steps."""

from typing import Any

from green_callbacks import EnergyAccountant
from green_callbacks.clock import ScriptedClock
from green_callbacks.policies import CarbonBudget, MarginalGain
from green_callbacks.records import Plan
from support.runs import scripted

STEPS = 10
SECONDS = 60.0
RATE = 0.1


def flat(epoch: int) -> dict[str, float]:
    """A metric that soon stops to rise, so that a rule lands."""
    return {"val_acc": 0.5 if epoch == 0 else 0.9}


def gain(**options: Any) -> MarginalGain:
    """A rule that lands after 20 of 40 epochs of a flat metric, over 4 epochs."""
    return MarginalGain("val_acc", **{"landing": 0.2, **options})


def budget(amount: str = "62 g", **options: Any) -> CarbonBudget:
    """A budget that lands inside epochs."""
    return CarbonBudget(amount, **{"landing": 0.1, **options})


def landed(
    policy: Any,
    *,
    ledger: Any = False,
    epochs: int = 40,
    dies_after: int | None = None,
    metrics: Any = flat,
    steps: int = STEPS,
    **options: Any,
) -> tuple[EnergyAccountant, ScriptedClock]:
    """Train until the policy stops the run, and close it. A run that dies is not closed."""
    policies = [] if policy is None else policy if isinstance(policy, list) else [policy]
    options = {"plan": Plan(epochs=epochs), **options}
    accountant, clock = scripted(ledger=ledger, policies=policies, **options)
    accountant.start()
    go_on(accountant, clock, range(epochs), dies_after=dies_after, metrics=metrics, steps=steps)
    if dies_after is None:
        accountant.close()
    return accountant, clock


def go_on(
    accountant: EnergyAccountant,
    clock: ScriptedClock,
    epochs: range,
    *,
    dies_after: int | None = None,
    metrics: Any = flat,
    steps: int = STEPS,
) -> None:
    """Train epochs, each with ten steps, and leave the loop where the accountant says so."""
    for epoch in epochs:
        accountant.begin_epoch(epoch)
        for at in range(steps):
            assert 0 <= accountant.landing_factor <= 1  # tells the accountant that the loop can land
            clock.advance(SECONDS / steps)
            step = epoch * steps + at + 1
            accountant.observe({}, step=step, learning_rate=RATE)
            if accountant.at_step(step) | accountant.look():
                break
        accountant.observe(metrics(epoch))
        accountant.end_epoch()
        if accountant.stop_reason is not None or epoch == dies_after:
            break
