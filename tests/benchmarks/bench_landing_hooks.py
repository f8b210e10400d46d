"""What a landing costs in each step of torch's optimizers, and how many hooks there are off, before, in and after it.

Run it where torch is installed. The optimizers do nothing in a step, so only hooks cost. Optimizers with and without a
landing take turns. A time is the least processor time of many turns::

    python tests/benchmarks/bench_landing_hooks.py
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

from green_callbacks import EnergyAccountant, Plan
from green_callbacks.accountant.landing import Course, OptimizerRates
from green_callbacks.records import History, Landing, Verdict
from green_callbacks.sources import ScriptedSource

BAR_MICROSECONDS = 10.0
"""Most that a landing may add to a step for each parameter group, in µs."""
GROUPS = (1, 4, 16, 64)
STEPS, TURNS = 200, 25


class Still(torch.optim.Optimizer):
    """An optimizer that does nothing in a step, so that only hooks cost."""

    def step(self) -> None:
        """Do nothing."""


def optimizer(groups: int, rate: float | torch.Tensor = 0.01) -> Still:
    """Make an optimizer with one tiny parameter in each group."""
    return Still([{"params": [torch.nn.Parameter(torch.zeros(4))]} for _ in range(groups)], {"lr": rate})


def microseconds(step: Callable[[], object]) -> float:
    """Return the mean processor time of a step."""
    began = time.thread_time_ns()
    for _ in range(STEPS):
        step()
    return (time.thread_time_ns() - began) / 1_000 / STEPS


def costs(groups: int, *, is_tensor: bool) -> tuple[float, float]:
    """Return what a step takes without a landing and in one, in µs."""
    plain, landing = (optimizer(groups, torch.tensor(0.01) if is_tensor else 0.01) for _ in range(2))
    course, rates = Course(), OptimizerRates(lambda: [landing])
    course.landing = Landing(first_step=0, steps=2 * STEPS * TURNS, epoch=0)
    course.at(0)
    rates.begin(course)

    def step() -> None:
        landing.step()
        course.at((course.step or 0) + 1)

    found = [(microseconds(plain.step), microseconds(step)) for _ in range(TURNS)]
    rates.end()
    return min(one for one, _ in found), min(other for _, other in found)


@dataclass(frozen=True)
class LandsAfter:
    """A rule that lands the run after an epoch."""

    epoch: int
    landing: float

    def decide(self, history: History, plan: Plan) -> Verdict:
        """Ask for a landing after the epoch."""
        if history.next_epoch <= self.epoch:
            return Verdict(stop=False, code="active", reason="It is early.")
        return Verdict(stop=False, code="landing", reason="It is time.", landing=self.landing)


def hooks(share: float) -> list[int]:
    """Return the number of hooks in each epoch of a run that lands after epoch 3, and after its end."""
    present, counts = optimizer(1), []
    options = {"sources": [ScriptedSource(300.0)], "carbon_intensity": 400.0, "sinks": [], "ledger": False}
    policies = [LandsAfter(3, share)] if share else []
    with EnergyAccountant(policies=policies, **options) as accountant:
        accountant.scale_learning_rates(present)
        for _ in accountant.epochs(8):
            for _ in accountant.steps(range(20)):
                present.step()
            counts.append(registered(present))
    return [*counts, registered(present)]


def registered(present: torch.optim.Optimizer) -> int:
    """Return the number of hooks that an optimizer calls in a step."""
    own = (present._optimizer_step_pre_hooks, present._optimizer_step_post_hooks)
    everyone = (_global_optimizer_pre_hooks, _global_optimizer_post_hooks)
    return sum(map(len, (*own, *everyone)))


def main() -> None:
    """Print the tables."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    print("| rates | groups | a step, µs | in a landing, µs | more for each group, µs |\n|---|---|---|---|---|")
    worst = 0.0
    for is_tensor in (False, True):
        for groups in GROUPS:
            plain, landing = costs(groups, is_tensor=is_tensor)
            more = (landing - plain) / groups
            worst = max(worst, more)
            kind = "tensors" if is_tensor else "numbers"
            print(f"| {kind} | {groups} | {plain:.1f} | {landing:.1f} | {more:.2f} |", flush=True)
    met = "Met" if worst < BAR_MICROSECONDS else "MISSED"
    print(f"\n{met}: a landing costs less than {BAR_MICROSECONDS:g} µs for each group and step ({worst:.1f} at most).")
    print("\n| hooks of the optimizer | in each epoch, and after the run |\n|---|---|")
    print(f"| no policy lands | {hooks(0.0)} |\n| a landing after epoch 3 | {hooks(0.5)} |")


if __name__ == "__main__":
    main()
