"""Interrupts at random instants: a timer's signal, whose handler raises, or closes the run and takes its state."""

# ruff: noqa: T201  a script that prints

import faulthandler
import json
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(1, str(Path(__file__).resolve().parents[1]))

from trial import Interrupted, SlowSource, accountant_of, our_threads, problems_after, train

HERE = Path(__file__).resolve()
HANG_SECONDS = 20.0
LONGEST_SECONDS = 0.02
"""A signal comes after a random time up to this, in s, which is how long a training takes."""


def raises(accountant: Any) -> None:
    """Raise, as Ctrl-C does."""
    raise Interrupted


def closes(accountant: Any) -> None:
    """Close the run and take its state, as a handler of SIGTERM does; training goes on without us."""
    accountant.close()
    json.dumps(accountant.state_dict())


def saves_and_raises(accountant: Any) -> None:
    """Take the state, and raise: what Slurm's requeue handlers come to."""
    json.dumps(accountant.state_dict())
    raise Interrupted


HANDLERS: dict[str, Callable[[Any], None]] = {
    "raises": raises,
    "closes": closes,
    "saves and raises": saves_and_raises,
}


def one(ledger: Path, handler: Callable[[Any], None], seconds: float) -> tuple[bool, list[str]]:
    """Train until a signal comes; return whether it came, and what does not hold afterwards."""
    threads = our_threads()
    accountant, clock = accountant_of(ledger, SlowSource)
    came: list[str] = []

    def handle(*_: object) -> None:
        came.append("came")
        handler(accountant)

    signal.signal(signal.SIGALRM, handle)
    found: list[str] = []
    try:
        accountant.start()
        signal.setitimer(signal.ITIMER_REAL, seconds)
        train(accountant, clock)
    except Interrupted:
        pass
    except BaseException as error:  # noqa: BLE001  a user's except clause, which sees all
        found.append(f"the user sees {type(error).__name__}: {error}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    found += problems_after(accountant, ledger, clock, threads)
    ledger.unlink(missing_ok=True)
    return bool(came), found


def main(name: str, seed: int, times: int) -> None:
    """Interrupt many trainings; print the seed of each as it begins, so that one that hangs is known, and the faults.

    A training that hangs ends the process, with the traceback of all threads.
    """
    done, faults = 0, Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(seed, seed + times):
            print(number, flush=True)
            faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
            began = time.monotonic()
            rng = random.Random(number)
            came, found = one(Path(folder) / f"{number}.jsonl", HANDLERS[name], rng.uniform(0.0001, LONGEST_SECONDS))
            faulthandler.cancel_dump_traceback_later()
            done += came
            faults.update(found)
            if time.monotonic() - began > HANG_SECONDS / 2:
                faults["it took ten seconds and more"] += 1
    print(json.dumps([done, faults]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
