"""A short training that is interrupted somewhere, and what must hold afterwards."""

import gc
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.strategies import comparable, totals_of

from green_callbacks import CarbonBudget, EnergyAccountant, MarginalGain, read_ledger
from green_callbacks.clock import ScriptedClock
from green_callbacks.sources import ScriptedSource

EPOCHS = 2
WATTS = 300.0
_PATIENCE_SECONDS = 3.0


class Interrupted(BaseException):
    """What an interrupt raises: nothing may catch it but the user."""


class Ask:
    """A user's own policy, which looks at the history and never stops."""

    def __call__(self, history: Any, plan: Any) -> bool:
        return len(history) > 1000


class SlowSource(ScriptedSource):
    """A sensor that takes a millisecond to read."""

    def read(self) -> Any:
        time.sleep(0.001)
        return super().read()


def accountant_of(ledger: Path, kind: type[ScriptedSource] = ScriptedSource) -> tuple[EnergyAccountant, ScriptedClock]:
    """Make an accountant of two scripted devices, with policies and a ledger; return it and its clock."""
    clock = ScriptedClock()
    accountant = EnergyAccountant(
        sources=[kind({"a:0": WATTS, "b:0": WATTS / 2}, clock=clock)],
        carbon_intensity=1000.0,
        pue=1.0,
        sinks=[],
        policies=[CarbonBudget("1 kg"), MarginalGain("val_acc"), Ask()],
        ledger=ledger,
        clock=clock,
    )
    return accountant, clock


def train(accountant: EnergyAccountant, clock: ScriptedClock, epochs: int = EPOCHS) -> None:
    """Train, validate, observe, decide; then close."""
    for epoch in range(epochs):
        accountant.begin_epoch(epoch)
        clock.advance(5.0)
        with accountant.phase("validation"):
            clock.advance(2.0)
        accountant.observe({"val_acc": 1 - 1 / (epoch + 2)}, samples=10)
        accountant.end_epoch()
        clock.advance(1.0)
    accountant.close()


def problems_after(
    accountant: EnergyAccountant, ledger: Path, clock: ScriptedClock, threads: set[threading.Thread]
) -> list[str]:
    """Close a run that was interrupted, and return what does not hold, as sentences; nothing raises.

    Args:
        accountant: The accountant.
        ledger: Its ledger.
        clock: Its clock.
        threads: The threads of the package before it was started.
    """
    found = []
    for what, check in (
        ("close() raises", accountant.close),
        ("state_dict() raises", accountant.state_dict),
        ("the history raises", lambda: _history_problem(accountant, clock)),
        ("the ledger raises", lambda: _ledger_problem(accountant, ledger)),
        ("the threads raise", lambda: _thread_problem(threads)),
    ):
        try:
            said = check()
        # Whatever is raised here is the finding.
        except BaseException as error:  # noqa: BLE001
            found.append(f"{what} {type(error).__name__}: {error}")
        else:
            found += [said] if isinstance(said, str) else []
    return found


def _history_problem(accountant: EnergyAccountant, clock: ScriptedClock) -> str | None:
    """Compare what is summed with the records, and both with the truth: nothing is lost, nothing counted twice."""
    history = accountant.history
    records = list(history)
    if len(records) != len(history):
        return f"the history has {len(history)} records, and {len(records)} of them come out"
    joules = sum(record.energy_joules or 0.0 for record in records)
    if not math.isclose(joules, history.energy_joules or 0.0, abs_tol=1e-6):
        return f"the records sum up to {joules} J, the history to {history.energy_joules} J"
    run = accountant.close()
    if not math.isclose(run.energy_joules or 0.0, joules, abs_tol=1e-6):
        return f"the records sum up to {joules} J, the run to {run.energy_joules} J"
    if joules > 1.5 * WATTS * clock.monotonic() + 1e-6:
        return f"{joules} J were counted, {1.5 * WATTS * clock.monotonic()} J used"
    epochs = [record.epoch for record in records if record.epoch is not None]
    if epochs != sorted(set(epochs)):
        return f"the epochs are {epochs}"
    return None


def _ledger_problem(accountant: EnergyAccountant, ledger: Path) -> str | None:
    """Compare what the ledger reads back as with the history."""
    if not ledger.exists():
        return None if not len(accountant.history) else "there is no ledger"
    contents = read_ledger(ledger)
    if [comparable(record) for record in contents.history] != [comparable(record) for record in accountant.history]:
        there = [(record.epoch, record.complete) for record in contents.history]
        here = [(record.epoch, record.complete) for record in accountant.history]
        return f"the ledger holds {there}, the history {here}"
    if totals_of(contents.history) != totals_of(accountant.history):
        return "the totals of the ledger are others than those of the history"
    return None if contents.is_closed else "the ledger is not closed"


def our_threads() -> set[threading.Thread]:
    """Return the threads of the package."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("green_callbacks")}


def _thread_problem(before: set[threading.Thread]) -> str | None:
    if our_threads() - before:
        gc.collect()  # a run that nobody holds closes itself
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while left := our_threads() - before:
        if time.monotonic() > deadline:
            return f"{len(left)} threads are left: {left.pop().name}"
        time.sleep(0.005)
    return None


Injected = Callable[[Callable[[], None]], bool]
"""Does something and interrupts it; returns whether it came to that."""


def attempt(ledger: Path, inject: Injected, kind: type[ScriptedSource] = ScriptedSource) -> list[str] | None:
    """Train with an interrupt.

    Args:
        ledger: A file that is not there yet.
        inject: What interrupts.
        kind: The sensor.

    Returns:
        What does not hold afterwards; None if the training had ended before the interrupt came.
    """
    threads = our_threads()
    accountant, clock = accountant_of(ledger, kind)
    seen: BaseException | None = None
    came = False
    try:
        accountant.start()
        came = inject(lambda: train(accountant, clock))
    except BaseException as error:  # noqa: BLE001  a user's except clause, which sees all
        seen, came = error, True
    found = problems_after(accountant, ledger, clock, threads)
    ledger.unlink(missing_ok=True)
    if seen is not None and not isinstance(seen, Interrupted):
        found.append(f"the user sees {type(seen).__name__}: {seen}")
    if came and seen is None:
        found.append("the interrupt was swallowed")
    return found if came else None
