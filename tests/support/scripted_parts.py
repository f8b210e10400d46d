"""Runs of random costs whose epochs are recorded in parts, as a budget sees them."""

from dataclasses import dataclass

from green_callbacks.policies import CarbonBudget
from green_callbacks.records import EpochRecord, History, PhaseEnergy, Plan
from green_callbacks.units import kwh_to_joules


def part(epoch, train_kg, validation_kg=0.0, *, closes_epoch=False):
    """A part of an epoch, a kWh for each kg; with a validation, if it has one."""
    phases = {"train": PhaseEnergy(kwh_to_joules(train_kg), 1.0)}
    if validation_kg:
        phases["validation"] = PhaseEnergy(kwh_to_joules(validation_kg), 1.0)
    record = EpochRecord.scripted(epoch=epoch, emissions_kg=train_kg + validation_kg)
    return record._replace(phases=phases, closes_epoch=closes_epoch)


@dataclass(frozen=True)
class Spending:
    """What a run spent of its budget, in kg.

    Attributes:
        spent: All of it, with the validation that follows the stop.
        budget: What it might spend.
        dearest_step: The dearest part.
        dearest_seen: The dearest validation before the last.
        last: The last validation.
    """

    spent: float
    budget: float
    dearest_step: float
    dearest_seen: float
    last: float

    @property
    def excess(self):
        return max(self.spent - self.budget, 0.0)


def spend_in_parts(chance, parts=20):
    """Train until a budget ends it: costs that drift, with noise, and one expensive validation."""
    drift, noise, dear = chance.uniform(-0.01, 0.01), chance.uniform(0, 0.1), chance.randrange(1, 15)
    history, policy, epoch = History(), CarbonBudget(chance.uniform(0.5, 4.0)), 0
    steps, validations, stopped = [], [0.0], False
    while not stopped:
        for _ in range(parts):
            steps.append(max(0.1 / parts * (1 + drift) ** epoch * (1 + chance.gauss(0, noise)), 1e-5))
            history.append(part(epoch, steps[-1]))
            if stopped := policy.decide(history, Plan()).stop:
                break
        validations.append(0.02 * (1 + chance.gauss(0, noise)) * (4 if epoch == dear else 1))
        history.append(part(epoch, 0.0, validations[-1], closes_epoch=True))
        stopped = stopped or policy.decide(history, Plan()).stop
        epoch += 1
    return Spending(history.emissions_kg, policy.amount.value, max(steps), max(validations[:-1]), validations[-1])
