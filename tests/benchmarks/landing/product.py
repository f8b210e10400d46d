"""The same landings in a plain loop with the whole product, to compare with the landings of this benchmark."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from landing.end_to_end import LENGTH, METRIC, End, ends
from landing.landings import landed
from landing.runs import run
from landing.training import Schedule, Training, Workload

from green_callbacks import EnergyAccountant, MarginalGain, Plan
from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import ScriptedSource


@dataclass(frozen=True)
class Path:
    """What one run has done.

    Attributes:
        end: Numbers of steps before the landing and at the end.
        rates: The learning rate of every step, as the optimizer used it.
        training: The ended training.
    """

    end: End
    rates: list[float]
    training: Training


def compared(workload: Workload, rate: float, schedules: Iterable[Schedule], seeds: Iterable[int]) -> None:
    """Print where runs land in this benchmark and in the product, and how much their rates differ.

    Args:
        workload: The workload.
        rate: The highest learning rate.
        schedules: The schedules of the learning rate.
        seeds: The seeds of the runs.
    """
    print(f"\n## The product's own loop, {workload.title}, {workload.epochs} epochs of {workload.epoch_steps} steps\n")
    print("| schedule | seed | lands after step, ends after step | the product | rates differ by | weights equal |")
    print("|---" * 6 + "|")
    for schedule in schedules:
        for seed in seeds:
            here, there = simulated(workload, rate, schedule, seed), real(workload, rate, schedule, seed)
            pairs = zip(here.rates, there.rates, strict=False)
            apart = max(abs(one - other) / max(abs(one), 1e-12) for one, other in pairs)
            both = zip(here.training.weights, there.training.weights, strict=True)
            equal = here.end == there.end and all(torch.equal(*pair) for pair in both)
            places = (f"{begin:,}, {end:,}" for begin, end in (here.end, there.end))
            print(
                f"| {schedule} | {seed} | {' | '.join(places)} | {apart:.1g} | {'yes' if equal else 'NO'} |", flush=True
            )


def simulated(workload: Workload, rate: float, schedule: Schedule, seed: int) -> Path:
    """End a run as this benchmark does: by a replay of the whole plan, from a snapshot.

    Args:
        workload: The workload.
        rate: The highest learning rate.
        schedule: The schedule of the learning rate.
        seed: The seed of the run.
    """
    done = run(workload, rate, schedule, [seed])
    [(begin, end)] = ends(done, MarginalGain(METRIC, landing=LENGTH))
    before = Training(workload, rate, schedule, [seed])
    rates = watched(before)
    before.run(begin)
    if begin == end:
        return Path((begin, end), rates, before)
    after = done.snapshots[begin].resumed()
    return Path((begin, end), rates + landed_rates(after, end - begin), after)


def landed_rates(training: Training, steps: int) -> list[float]:
    """Land a training, and return the rates of the landing.

    Args:
        training: The training.
        steps: The length of the landing in steps.
    """
    rates = watched(training)
    landed(training, steps)
    return rates


def real(workload: Workload, rate: float, schedule: Schedule, seed: int) -> Path:
    """Train in a plain loop that the product ends.

    Args:
        workload: The workload.
        rate: The highest learning rate.
        schedule: The schedule of the learning rate.
        seed: The seed of the run.
    """
    training, clock = Training(workload, rate, schedule, [seed]), ScriptedClock()
    rates = watched(training)
    accountant = EnergyAccountant(
        sources=[ScriptedSource(300.0, clock=clock)],
        clock=clock,
        carbon_intensity=400.0,
        policies=[MarginalGain(METRIC, landing=LENGTH)],
        plan=Plan(anneals=True),
        sinks=[],
        ledger=False,
    )
    begins = None
    logging.disable(logging.WARNING)
    with accountant:
        accountant.scale_learning_rates(training.optimizer)
        for _ in accountant.epochs(workload.epochs):
            for _ in accountant.steps(range(workload.epoch_steps)):
                present_rate = training.present_rate
                training.step()
                clock.advance(1.0)
            [accuracy] = training.accuracy("validation")
            accountant.observe({METRIC: accuracy}, learning_rate=present_rate)
            begins = begins or (accountant.landing and accountant.landing.first_step)
    logging.disable(logging.NOTSET)
    return Path((begins or training.steps, training.steps), rates, training)


def watched(training: Training) -> list[float]:
    """Return a list that grows by the rate of every step. Hooks that put a rate back are called later.

    Args:
        training: The training, before its landing begins.
    """
    rates: list[float] = []
    training.optimizer.register_step_post_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
    return rates
