"""Train in a plain PyTorch loop, judge the average of the recent weights, and keep it when the rule stops the run."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader, TensorDataset

from green_callbacks import EnergyAccountant, MarginalGain, Plan
from green_callbacks.torch import recent_average

EPOCHS = 60


def main() -> None:
    """Train, and put the averaged weights into the model."""
    torch.manual_seed(1)
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32) / 16
    y = torch.tensor(digits.target)
    order = torch.randperm(len(x))
    train, val = order[:1400], order[1400:]
    loader = DataLoader(TensorDataset(x[train], y[train]), batch_size=32, shuffle=True)
    model = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 10))
    average = AveragedModel(model, multi_avg_fn=recent_average(), use_buffers=True)
    average.eval()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    loss_fn = nn.CrossEntropyLoss()

    # The average need not wait until the learning rate is zero.
    rule = MarginalGain("val_acc", on_annealing="stop")
    with EnergyAccountant(location="FR", policies=[rule], plan=Plan(anneals=True)) as accountant:
        for _epoch in accountant.epochs(EPOCHS):
            for xs, ys in loader:
                optimizer.zero_grad()
                loss_fn(model(xs), ys).backward()
                optimizer.step()
                average.update_parameters(model)
            schedule.step()
            with accountant.phase("validation"), torch.no_grad():
                val_acc = (average(x[val]).argmax(dim=1) == y[val]).float().mean().item()
            accountant.observe({"val_acc": val_acc}, samples=len(train))
    print(f"{accountant.close().epochs} of {EPOCHS} epochs. {accountant.stop_reason}")
    print(f"val_acc of the average: {val_acc:.4f}")
    model.load_state_dict(average.module.state_dict())


if __name__ == "__main__":
    main()
