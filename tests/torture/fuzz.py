"""Ledgers and checkpoints that say anything: no exception but ours, no hang.

``make torture`` reads 10,000 of them, in all the ways in which a user comes to one. What they say is made by
``tests/support/hostile.py`` (ledgers) and ``tests/support/hostile_states.py`` (checkpoints).

    python tests/torture/fuzz.py --times 5000 --seed 0
"""

# ruff: noqa: T201  a script that prints

import argparse
import faulthandler
import io
import json
import logging
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support import hostile, hostile_states

HERE = Path(__file__).resolve()

HANG_SECONDS = 5
SHOWN = 20
OPTIONS: dict[str, Any] = {"sources": [], "sinks": [], "carbon_intensity": 100.0, "pue": 1.0}


class HungError(Exception):
    """What is read takes too long."""


def read_whole(path: Path) -> None:
    """Read a ledger as a user does: by the function, by the command, for a project, to go on with."""
    from green_callbacks import CarbonBudget, EnergyAccountant, read_ledger
    from green_callbacks.cli import main
    from green_callbacks.errors import BudgetSpentError, ConfigurationError, LedgerError

    def go_on(ledger: Path, *policies: Any) -> None:
        with EnergyAccountant(ledger=ledger, policies=policies, **OPTIONS) as accountant:
            accountant.begin_epoch(0)
            accountant.end_epoch()

    for read in (
        lambda: read_ledger(path),
        lambda: main(["summary", str(path)]),
        lambda: go_on(path.parent / "own" / "run.jsonl", CarbonBudget("100 kg", project=str(path.parent / "*.jsonl"))),
        lambda: go_on(path),
    ):
        try:
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                read()
        except (LedgerError, ConfigurationError, BudgetSpentError):  # a ledger may say that all is spent
            continue


def resume(state: Any) -> None:
    """Go on with a checkpoint."""
    from green_callbacks import EnergyAccountant
    from green_callbacks.errors import ConfigurationError, LedgerError

    accountant = EnergyAccountant(ledger=False, **OPTIONS)
    try:
        accountant.load_state_dict(state)
        accountant.begin_epoch(0)
        accountant.end_epoch()
    except (LedgerError, ConfigurationError):
        return
    finally:
        accountant.close()


def fault_of(work: Callable[[], None]) -> str | None:
    """Do something within a time; return what it raised that is not ours, and where, or that it hung."""

    def hung(*_: object) -> None:
        raise HungError

    signal.signal(signal.SIGALRM, hung)
    signal.alarm(HANG_SECONDS)
    try:
        work()
    except HungError:
        return f"hangs for more than {HANG_SECONDS} s"
    # Whatever is raised here is the finding.
    except BaseException as error:  # noqa: BLE001
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
        return f"{type(error).__name__} at {place}: {str(error)[:80]}"
    finally:
        signal.alarm(0)
    return None


def ledgers(times: int, seed: int) -> Counter[str]:
    """Read hostile ledgers; return the faults with how often."""
    faults = Counter[str]()
    for _, data in hostile.hostile_ledgers(times, seed):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run.jsonl"
            path.write_bytes(data)
            if fault := fault_of(lambda path=path: read_whole(path)):
                faults[fault] += 1
    return faults


def states(times: int, seed: int) -> Counter[str]:
    """Resume from hostile checkpoints; return the faults with how often."""
    from green_callbacks import EnergyAccountant

    faults = Counter[str]()
    with EnergyAccountant(ledger=False, **OPTIONS) as accountant:
        whole = json.loads(json.dumps(accountant.state_dict())) | {"history": hostile_states.whole_state()}
    for number in range(seed, seed + times):
        state = hostile_states.damaged(whole, number)
        if fault := fault_of(lambda state=state: resume(state)):
            faults[fault] += 1
    return faults


KINDS = {"ledgers": ledgers, "checkpoints": states}


def main(times: int, seed: int) -> int:
    """Fuzz, print the table, and return 1 if there was a fault."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    faulthandler.enable()
    total = 0
    for name, fuzz in KINDS.items():
        began = time.monotonic()
        faults = fuzz(times, seed)
        total += faults.total()
        print(f"{name}: {times} read in {time.monotonic() - began:.0f} s, {faults.total()} faults", flush=True)
        for fault, count in faults.most_common(SHOWN):
            print(f"    {count} x {fault}")
    return int(total > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5000, help="ledgers, and as many checkpoints (5000)")
    parser.add_argument("--seed", type=int, default=0, help="the first of the seeds (0)")
    given = parser.parse_args()
    sys.exit(main(given.times, given.seed))
