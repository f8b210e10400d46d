"""Runs of a search that share a budget: real processes with real accountants, on scripted energy."""

import os
import random
import signal
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from green_callbacks import CarbonBudget
from green_callbacks.errors import BudgetSpentError
from support.forking import forked
from support.runs import KG_PER_JOULE, WATTS, scripted

EPOCH_JOULES = 3_000.0
PARTS = 4
"""How many times an epoch writes down what it has truly used."""


@dataclass(frozen=True)
class Search:
    """Runs that begin together.

    Attributes:
        folder: Folder for ledgers, and for the true energy of each run.
        share: Budget as a share of what all runs plan.
        registry: URL of the registry. None for files.
        runs: Number of processes.
        epochs: Planned epochs of each run.
        epoch_seconds: Duration of an epoch by the clock on the wall, in s.
        spread: Largest relative difference of an epoch's energy from the mean.
        killed: Number of runs that are killed inside their third epoch.
        on_outage: What the runs do while the registry is away.
    """

    folder: Path
    share: float
    registry: str | None = None
    runs: int = 64
    epochs: int = 40
    epoch_seconds: float = 0.5
    spread: float = 0.0
    killed: int = 0
    on_outage: str = "share"
    children: list[int] = field(default_factory=list, compare=False)

    @property
    def budget_kg(self) -> float:
        """The budget in kgCO2e."""
        return self.share * self.runs * self.epochs * EPOCH_JOULES * KG_PER_JOULE

    @property
    def project(self) -> str:
        """The folder of the ledgers, which names the project."""
        return str(self.folder / "logs")

    def start(self) -> None:
        """Start all runs. They begin to train at the same moment."""
        (self.folder / "truth").mkdir(parents=True)
        begin = time.time() + 0.02 * self.runs
        for number in range(self.runs):
            child = forked()
            if child == 0:
                status = 1
                try:
                    time.sleep(max(0.0, begin - time.time()))
                    self._train(number)
                    status = 0
                except BaseException:  # noqa: BLE001  a fork must never return into its parent's code
                    (self.folder / "truth" / f"{number}.error").write_text(traceback.format_exc())
                finally:
                    os._exit(status)
            self.children.append(child)

    def wait(self, seconds: float) -> None:
        """Wait until all runs have ended, and fail if one hangs or has failed."""
        deadline = time.monotonic() + seconds
        while self.children and time.monotonic() < deadline:
            self.children[:] = [child for child in self.children if os.waitpid(child, os.WNOHANG) == (0, 0)]
            time.sleep(0.05)
        hanging = len(self.children)
        for child in self.children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        errors = [path.read_text() for path in (self.folder / "truth").glob("*.error")]
        assert not hanging, f"{hanging} runs hang."
        assert not errors, errors[0]

    def true_kg(self) -> float:
        """Return what all runs have truly emitted, killed ones included, in kgCO2e."""
        return sum(float(path.read_text()) for path in (self.folder / "truth").glob("*.joules")) * KG_PER_JOULE

    def _train(self, number: int) -> None:
        from green_callbacks.accountant.shared_budgets.link import LINKS

        policy = CarbonBudget(
            self.budget_kg, project=self.project, registry=self.registry, on_outage=self.on_outage, warn_at=()
        )
        accountant, clock = scripted(ledger=None, policies=[policy], name=f"scripted:{number}")
        try:
            accountant.start(folder=Path(self.project) / f"run{number}")
            for epoch in accountant.epochs(self.epochs):
                self._epoch(number, epoch, clock)
        except BudgetSpentError:
            pass
        accountant.close()
        LINKS._finish()

    def _epoch(self, number: int, epoch: int, clock) -> None:
        drawn = random.Random(1_000 * number + epoch)
        joules = EPOCH_JOULES * (1 + drawn.uniform(-self.spread, self.spread))
        truth = self.folder / "truth" / f"{number}.joules"
        used = float(truth.read_text()) if truth.exists() else 0.0
        for part in range(PARTS):
            clock.advance(joules / PARTS / WATTS)
            used += joules / PARTS
            written = truth.with_suffix(".new")
            written.write_text(str(used))
            written.replace(truth)
            time.sleep(self.epoch_seconds / PARTS)
            if number < self.killed and epoch == 2 and part == 1:
                os.kill(os.getpid(), signal.SIGKILL)
