"""Train in a plain PyTorch loop with a cosine schedule, and land where more training no longer pays."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from green_callbacks import CarbonBudget, EnergyAccountant, MarginalGain, Plan

EPOCHS = 60


def main() -> None:
    """Train, and print where the run landed."""
    torch.manual_seed(1)
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32) / 16
    y = torch.tensor(digits.target)
    order = torch.randperm(len(x))
    train, val = order[:1400], order[1400:]
    loader = DataLoader(TensorDataset(x[train], y[train]), batch_size=32, shuffle=True)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    loss_fn = nn.CrossEntropyLoss()

    rule, budget = MarginalGain("val_acc", landing=0.2), CarbonBudget("1 kWh", landing=0.1)
    with EnergyAccountant(location="FR", policies=[rule, budget], plan=Plan(anneals=True)) as accountant:
        accountant.scale_learning_rates(optimizer)
        for _epoch in accountant.epochs(EPOCHS):
            for xs, ys in accountant.steps(loader):
                optimizer.zero_grad()
                loss_fn(model(xs), ys).backward()
                optimizer.step()
            schedule.step()
            with accountant.phase("validation"), torch.no_grad():
                val_acc = (model(x[val]).argmax(dim=1) == y[val]).float().mean().item()
            accountant.observe({"val_acc": val_acc}, samples=len(train))
    run = accountant.close()
    print(f"{run.epochs} of {EPOCHS} epochs. {run.stop_reason}")
    print(f"val_acc: {val_acc:.4f}")


if __name__ == "__main__":
    main()
