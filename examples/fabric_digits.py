"""Train with Lightning Fabric on two processes. The accountant needs no callback and finds the processes by itself."""

import torch
from lightning.fabric import Fabric
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from green_callbacks import CarbonBudget, EnergyAccountant, MarginalGain

EPOCHS = 60


def train(fabric: Fabric) -> None:
    """Train until more training no longer pays, on all processes alike."""
    fabric.seed_everything(1)
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32) / 16
    y = torch.tensor(digits.target)
    layers = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    model, optimizer = fabric.setup(layers, torch.optim.Adam(layers.parameters(), lr=1e-3))
    loader = fabric.setup_dataloaders(DataLoader(TensorDataset(x[:1400], y[:1400]), batch_size=32, shuffle=True))
    x_val, y_val = x[1400:].to(fabric.device), y[1400:].to(fabric.device)

    with EnergyAccountant(location="FR", policies=[CarbonBudget("100 g"), MarginalGain("val_acc")]) as accountant:
        for _epoch in accountant.epochs(EPOCHS):
            for xs, ys in accountant.steps(loader):
                optimizer.zero_grad()
                fabric.backward(nn.functional.cross_entropy(model(xs), ys))
                optimizer.step()
                accountant.observe(samples=len(xs))
            with accountant.phase("validation"), torch.no_grad():
                val_acc = (layers(x_val).argmax(dim=1) == y_val).float().mean().item()
            accountant.observe({"val_acc": val_acc})  # on every rank, never inside `if fabric.is_global_zero:`
    run = accountant.close()
    print(f"Rank {fabric.global_rank} stops. {accountant.stop_reason}")
    if fabric.is_global_zero:
        print(f"{run.epochs} of {EPOCHS} epochs. The records of all ranks are in {run.ledger}.")


if __name__ == "__main__":
    Fabric(accelerator="cpu", devices=2, strategy="ddp_fork").launch(train)
