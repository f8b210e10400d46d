"""Train with Hugging Face Accelerate on two processes: ``torchrun --nproc-per-node 2 accelerate_digits.py``.

The accountant finds the processes by itself, and its state travels in the checkpoints of Accelerate. A second call
goes on where the first one stopped.
"""

from pathlib import Path

import torch
from accelerate import Accelerator
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from green_callbacks import CarbonBudget, EnergyAccountant, MarginalGain

EPOCHS = 60
CHECKPOINT = Path("checkpoint")


def main() -> None:
    """Train until more training no longer pays, on all processes alike."""
    accelerator = Accelerator()
    torch.manual_seed(1)
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32) / 16
    y = torch.tensor(digits.target)
    layers = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    data = DataLoader(TensorDataset(x[:1400], y[:1400]), batch_size=32, shuffle=True)
    model, optimizer, loader = accelerator.prepare(layers, torch.optim.Adam(layers.parameters(), lr=1e-3), data)
    x_val, y_val = x[1400:].to(accelerator.device), y[1400:].to(accelerator.device)

    accountant = EnergyAccountant(location="FR", policies=[CarbonBudget("100 g"), MarginalGain("val_acc")])
    accelerator.register_for_checkpointing(accountant)
    if CHECKPOINT.exists():
        accelerator.load_state(str(CHECKPOINT))
    with accountant:
        for _epoch in accountant.epochs(EPOCHS):
            for xs, ys in accountant.steps(loader):
                optimizer.zero_grad()
                accelerator.backward(nn.functional.cross_entropy(model(xs), ys))
                optimizer.step()
                accountant.observe(samples=len(xs))
            with accountant.phase("validation"), torch.no_grad():
                val_acc = (layers(x_val).argmax(dim=1) == y_val).float().mean().item()
            accountant.observe({"val_acc": val_acc})  # on every rank, never inside `if accelerator.is_main_process:`
    accelerator.save_state(str(CHECKPOINT))
    run = accountant.close()
    print(f"Rank {accelerator.process_index} stops. {accountant.stop_reason}")
    if accelerator.is_main_process:
        print(f"{run.epochs} of {EPOCHS} epochs. The records of all ranks are in {run.ledger}.")
    accelerator.end_training()


if __name__ == "__main__":
    main()
