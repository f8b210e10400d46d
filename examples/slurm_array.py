"""One training of an array job of Slurm, which may be interrupted and requeued: ``sbatch slurm_array.sh``.

The tasks of the array share one budget, through the folder of their ledgers. All nodes must share that folder. A task
that Slurm starts again goes on with its checkpoint and with its ledger.
"""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from green_callbacks import CarbonBudget, EnergyAccountant
from green_callbacks.errors import BudgetSpentError

BUDGET = "20 Wh"
EPOCHS = 30
REQUEUE = 75  # exit status that asks the batch script for a requeue

ARRAY = os.environ.get("SLURM_ARRAY_JOB_ID", "local")
TASK = os.environ.get("SLURM_ARRAY_TASK_ID", "0")
FOLDER = Path(os.environ.get("SLURM_SUBMIT_DIR", ".")) / f"array_{ARRAY}"
CHECKPOINT = FOLDER / f"task_{TASK}.pt"


class Interruption:
    """Remembers that Slurm has asked the task to end. The loop saves and ends after the present batch."""

    def __init__(self) -> None:
        self.is_asked = False
        for number in (signal.SIGUSR1, signal.SIGTERM):
            signal.signal(number, self.ask)

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Take the signal."""
        self.is_asked = True


def save(model: nn.Module, optimizer: torch.optim.Optimizer, accountant: EnergyAccountant) -> None:
    """Write the checkpoint beside the old one, then replace it, so that a kill never leaves half a file."""
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "green": accountant.state_dict()}
    torch.save(state, CHECKPOINT.with_suffix(".new"))
    CHECKPOINT.with_suffix(".new").replace(CHECKPOINT)


def train(accountant: EnergyAccountant, interruption: Interruption) -> bool:
    """Train until the end, or until Slurm or a policy ends the task.

    Returns:
        Whether there is more to do.
    """
    torch.manual_seed(0)
    x = torch.randn(20_000, 64)
    y = (x[:, :32].sum(dim=1) * x[:, 32:].sum(dim=1) > 0).long()
    loader = DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True)
    hidden = 16 * (1 + int(TASK))  # what the array searches for
    model = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 2))
    optimizer = torch.optim.Adam(model.parameters())
    loss_fn = nn.CrossEntropyLoss()
    if CHECKPOINT.exists():
        state = torch.load(CHECKPOINT, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        accountant.load_state_dict(state["green"])

    with accountant:
        for _ in accountant.epochs(EPOCHS):
            for xs, ys in accountant.steps(loader):
                optimizer.zero_grad()
                loss = loss_fn(model(xs), ys)
                loss.backward()
                optimizer.step()
                if interruption.is_asked:  # the epoch counts as incomplete, and is repeated after the requeue
                    break
            else:
                accountant.observe({"loss": loss.item()})
                accountant.end_epoch()
            save(model, optimizer, accountant)
            if interruption.is_asked:
                break
    return interruption.is_asked and accountant.stop_reason is None and accountant.history.finished_epochs < EPOCHS


def main() -> int:
    """Train, and return the exit status."""
    interruption = Interruption()
    FOLDER.mkdir(parents=True, exist_ok=True)
    accountant = EnergyAccountant(
        location="FR",
        ledger=FOLDER / f"task_{TASK}.jsonl",
        labels={"array": ARRAY, "task": TASK},
        policies=[CarbonBudget(BUDGET, project=FOLDER)],
    )
    try:
        has_more = train(accountant, interruption)
    except BudgetSpentError as error:  # by the other tasks, so a requeue would not help
        print(f"Task {TASK} does not start. {error}")
        return 0
    run = accountant.close()
    print(f"Task {TASK}: {run.epochs} epochs, {1000 * accountant.history.facility_kwh:.3g} Wh. {run.stop_reason or ''}")
    return REQUEUE if has_more else 0


if __name__ == "__main__":
    sys.exit(main())
