"""Train a small classifier in a plain PyTorch loop, with a carbon budget."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from green_callbacks import CarbonBudget, EnergyAccountant, MarginalGain

EPOCHS = 200


def main() -> None:
    """Train until more training no longer pays."""
    torch.manual_seed(1)
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32) / 16
    y = torch.tensor(digits.target)
    train, val = slice(0, 1400), slice(1400, None)
    loader = DataLoader(TensorDataset(x[train], y[train]), batch_size=32, shuffle=True)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_fn = nn.CrossEntropyLoss()

    with EnergyAccountant(location="FR", policies=[CarbonBudget("100 g"), MarginalGain("val_acc")]) as accountant:
        for _epoch in accountant.epochs(EPOCHS):
            for xs, ys in loader:
                optimizer.zero_grad()
                loss_fn(model(xs), ys).backward()
                optimizer.step()
            with accountant.phase("validation"), torch.no_grad():
                val_acc = (model(x[val]).argmax(dim=1) == y[val]).float().mean().item()
            accountant.observe({"val_acc": val_acc}, samples=len(x[train]))
    run = accountant.close()
    print(accountant.stop_reason)
    print(f"{run.epochs} epochs, {run.energy_kwh:.2g} kWh, {run.emissions_kg:.2g} kgCO2e")
    print(f"The records are in {run.ledger}.")


if __name__ == "__main__":
    main()
