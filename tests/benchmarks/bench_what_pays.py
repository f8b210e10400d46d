"""What choosing samples, epochs and a learning rate bring at the same cost, and what ``green-callbacks compare`` says.

Run it where torch, scikit-learn, mnist1d and SciPy are installed. It takes about half an hour on an idle core, and two
minutes with ``--quick``, which trains few runs of mnist1d only::

    python tests/benchmarks/bench_what_pays.py

Every run has a ledger. A finished run is not trained again, so a run of this script that was ended goes on. The script
writes ``what_pays/results.csv``, and prints the tables of the page ``green_callbacks.what_pays``.

The energy is scripted: a sample that is trained on costs 1 J. The time of a busy machine would say little. Choosing
samples costs nothing here, because the losses come from training, and validation costs nothing for any method.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import torch
from what_pays.audit import KEPT, audit
from what_pays.plans import Group, all_groups, quick_groups
from what_pays.report import print_tables
from what_pays.results import Results
from what_pays.training import trained


def main(arguments: argparse.Namespace) -> None:
    """Train what is not trained yet, and print the tables."""
    torch.set_num_threads(1)
    folder: Path = arguments.ledgers
    groups = quick_groups() if arguments.quick else all_groups()
    ledgers = [ledger for group in groups for ledger in runs(group, folder)]
    results = Results.of(ledgers)
    audited = audit(folder)
    if not arguments.quick:
        results.keep()
        KEPT.write_text(audited, encoding="utf-8")
        print_tables(results)
    print(f"\n{audited}")


def runs(group: Group, folder: Path) -> list[Path]:
    """Train the runs of a group that are not trained yet.

    Args:
        group: The group.
        folder: The folder of all ledgers.

    Returns:
        The ledgers of the group.
    """
    began = time.monotonic()
    ledgers = [trained(group, seed, folder) for seed in range(group.seeds)]
    took = time.monotonic() - began
    print(f"{group.workload}, rate x {group.factor:g}, {group.method}: {len(ledgers)} runs, {took:.0f} s", flush=True)
    return ledgers


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="train few runs of mnist1d only, and write no results")
    parser.add_argument("--ledgers", type=Path, default=Path("build/what_pays"), help="folder (build/what_pays)")
    main(parser.parse_args())
