"""How long the page that compares runs takes to appear."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.many_runs import make_runs


def main() -> None:
    """Make runs, and measure the page of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--make", type=Path, metavar="FOLDER", help="only write the runs into this folder")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--killed", type=float, default=0.05, metavar="SHARE", help="share of runs without an end")
    arguments = parser.parse_args()
    made = make_runs(arguments.make, arguments.runs, arguments.epochs, killed=arguments.killed)
    print(f"{len(made)} runs in {arguments.make}")


if __name__ == "__main__":
    main()
