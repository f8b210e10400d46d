"""What a landing makes up at equal energy, and what the rule saves and loses with one: small sets, trained again.

Run it where torch, scikit-learn and mnist1d are installed. It takes about ten minutes on an idle core, and a minute or
two with ``--quick``, which leaves out mnist1d and most seeds, too few runs for the bars::

    python tests/benchmarks/bench_landing.py

Every figure is a mean over workloads and seeds. A workload is a set with an optimizer. The whole plan of a run is
trained once, and is left at early points without a landing, with a landing, or with the recent average of the weights.
"""

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
from landing import equal_energy, late
from landing.end_to_end import Outcome, outcomes
from landing.equal_energy import Ending, endings
from landing.late import Late
from landing.product import compared
from landing.report import print_end_to_end, print_equal_energy, print_low_rate
from landing.runs import run, tuned
from landing.training import ANNEALED, Schedule, Workload
from landing.workloads import WORKLOADS

SCHEDULES: tuple[Schedule, ...] = ("constant", *ANNEALED)
LOW: tuple[Schedule, ...] = ("cosine", "linear")
LOW_SHARE = 0.2
"""Share of the tuned rate at which a run is still learning when it ends."""
LONG_EPOCHS = replace(WORKLOADS[1], rates=(0.003,), batch=8, epochs=22)
"""A workload whose landings may end inside an epoch, because few epochs fit into them."""
QUICK_SEEDS, SEEDS = 2, 5


@dataclass
class Results:
    """All that the tables are made of.

    Attributes:
        ended: Early ends at equal energy.
        ended_low: The same at low rates.
        late: Landings late in a schedule.
        found: Ends by the rule, by the way to end.
    """

    ended: list[Ending] = field(default_factory=list)
    ended_low: list[Ending] = field(default_factory=list)
    late: list[Late] = field(default_factory=list)
    found: defaultdict[str, list[Outcome]] = field(default_factory=lambda: defaultdict(list))

    def add(self, workload: Workload, rate: float, seeds: Sequence[int]) -> None:
        """Train a workload with every schedule, and end its runs early.

        Args:
            workload: The workload.
            rate: The highest learning rate.
            seeds: The seeds of the runs.
        """
        points = equal_energy.marks(workload.steps)
        for schedule in SCHEDULES:
            done = run(workload, rate, schedule, seeds, points | late.marks(schedule, workload.steps))
            self.ended += endings(done)
            self.late += late.landings(done) if schedule in ANNEALED else ()
            for way, outcome in outcomes(done):
                self.found[way].append(outcome)
        if workload.optimizer == "AdamW":
            for schedule in LOW:
                self.ended_low += endings(run(workload, LOW_SHARE * rate, schedule, seeds, points))

    def print(self) -> None:
        """Print the tables."""
        print_equal_energy(self.ended)
        print_low_rate(self.ended_low)
        late.print_late(self.late)
        print_end_to_end(self.found)


def main(arguments: argparse.Namespace) -> None:
    """Train everything, and print the tables."""
    torch.set_num_threads(1)
    seeds = range(arguments.seeds or (QUICK_SEEDS if arguments.quick else SEEDS))
    results = Results()
    for workload in WORKLOADS:
        if arguments.quick and workload.name == "mnist1d":
            continue
        rate = workload.rates[-1] if arguments.quick else tuned(workload, seeds)
        results.add(workload, rate, seeds)
        print(
            f"{workload.title}: {workload.epochs} epochs, {workload.steps:,} steps, rate {rate:g}; {spent()}",
            flush=True,
        )
    print(f"\nSeeds {seeds.start} to {seeds.stop - 1}; {', '.join(SCHEDULES)}; torch {torch.__version__}.")
    results.print()
    for workload in (WORKLOADS[1],) if arguments.quick else (WORKLOADS[1], LONG_EPOCHS):
        compared(workload, workload.rates[-1], ANNEALED, seeds[:2])
    print(f"\n{spent()}.")


def spent() -> str:
    """Return the time that the benchmark has taken so far, in words."""
    return (
        f"{(time.monotonic() - BEGAN) / 60:.1f} minutes so far, {time.process_time() / 60:.1f} of them on a processor"
    )


if __name__ == "__main__":
    BEGAN = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="leave out mnist1d and most seeds")
    parser.add_argument("--seeds", type=int, help=f"runs of each workload and schedule, at least two ({SEEDS})")
    main(parser.parse_args())
