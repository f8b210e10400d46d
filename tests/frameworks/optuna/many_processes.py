"""A search of several processes, each trial with a price of its own: ``many_processes.py FOLDER STORAGE …``.

The processes share a study and a budget. Beside them, each writes what its trials have really spent. Epochs take
real time, so that the processes meet in the registry, and scripted energy, so that the truth is known to the last bit.
"""

import argparse
import json
import multiprocessing
import os
import random
import time
from pathlib import Path

import optuna

from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import BudgetSpentError
from green_callbacks.optuna import KilogramHalvingPruner, SearchBudget
from green_callbacks.sources import ScriptedSource

WATTS = 1000.0
GRAMS_PER_KWH = 100.0


def spend(run, draw, trial, given, truth):
    """Train up to ten epochs at a random price, and write down what they took."""
    clock = run.accountant._settings.clock
    hours = draw.lognormvariate(0.0, 0.7) * given.budget_kg / (given.trials * 10 * WATTS / 1e3 * GRAMS_PER_KWH / 1e3)
    quality = draw.random()
    kg = 0.0
    try:
        for epoch in run.accountant.epochs(10):
            time.sleep(given.seconds)
            took = hours * draw.uniform(0.8, 1.2)
            clock.advance(3600.0 * took)
            kg += took * WATTS / 1e3 * GRAMS_PER_KWH / 1e3
            run.accountant.observe({"val_acc": quality * (1 - 0.7 ** (epoch + 1))})
            if draw.random() < given.failing:
                raise RuntimeError
            if draw.random() < given.killed:
                truth.write(f"{json.dumps([trial.number, kg])}\n")
                truth.flush()
                os._exit(9)
    finally:
        truth.write(f"{json.dumps([trial.number, kg])}\n")
        truth.flush()
    return quality


def work(number, given):
    """Search as one process."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    draw = random.Random(f"{given.seed} {number} {os.getpid()}")
    study = optuna.load_study(study_name="many", storage=storage_of(given), pruner=KilogramHalvingPruner())
    monitor = "val_acc" if given.prunes else None
    budget = SearchBudget(f"{given.budget_kg} kg", project=given.folder / "ledgers", monitor=monitor)
    with (given.folder / f"truth-{number}-{os.getpid()}.txt").open("a") as truth:

        def objective(trial):
            trial.suggest_float("x", 0, 1)
            clock = ScriptedClock()
            source = ScriptedSource(WATTS, name=f"gpu:{number}-{trial.number}", clock=clock)  # shared with nobody
            options = {"sources": [source], "clock": clock, "pue": 1.0, "sinks": []}
            with budget.of(trial, carbon_intensity=GRAMS_PER_KWH, **options) as run:
                return spend(run, draw, trial, given, truth)

        done = optuna.study.MaxTrialsCallback(given.trials, states=None)
        study.optimize(objective, callbacks=[budget, done], catch=[RuntimeError, BudgetSpentError])


def storage_of(given):
    if given.storage == "journal":
        file = optuna.storages.journal.JournalFileBackend(str(given.folder / "study.log"))
        return optuna.storages.JournalStorage(file)
    return given.storage


def searched(given):
    """Search, and return what was spent by the truth, by the ledgers and by the trials."""
    given.folder.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(study_name="many", storage=storage_of(given), direction="maximize")
    forks = multiprocessing.get_context("spawn")
    workers = [forks.Process(target=work, args=(number, given)) for number in range(given.processes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    lines = [line for path in given.folder.glob("truth-*.txt") for line in path.read_text().splitlines()]
    budget = SearchBudget(f"{given.budget_kg} kg", project=given.folder / "ledgers")
    totals = budget.summary(study)
    attributes = sum(trial.user_attrs.get("green_callbacks:emissions_kg") or 0.0 for trial in study.trials)
    return {
        "truth": sum(json.loads(line)[1] for line in lines),
        "ledgers": totals.kg + totals.other_kg,
        "attributes": attributes,
        "trials": len(study.trials),
        "states": {state: len(totals.in_state(state)) for state in ("complete", "pruned", "failed", "unfinished")},
        "exit codes": sorted({worker.exitcode for worker in workers}),
    }


def parsed(arguments=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("storage", nargs="?", default="journal")
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--budget-kg", type=float, default=1.0)
    parser.add_argument("--seconds", type=float, default=0.05)
    parser.add_argument("--prunes", action="store_true")
    parser.add_argument("--failing", type=float, default=0.01)
    parser.add_argument("--killed", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    print(json.dumps(searched(parsed())))  # noqa: T201  a script
