"""Train networks of several sizes and learning rates on handwritten digits, and compare what they cost and reached."""

import itertools
import logging
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from green_callbacks import CarbonBudget, EnergyAccountant, MarginalGain

LOGS = Path("logs", "digits")
EPOCHS = 30
BATCH = 32
WIDTHS = (8, 64, 512)
RATES = (3e-4, 1e-3, 1e-2)


def train(width: int, rate: float, images: Tensor, labels: Tensor) -> None:
    """Train one network until a rule stops it."""
    torch.manual_seed(1)
    train_x, val_x = images[:1400], images[1400:]
    train_y, val_y = labels[:1400], labels[1400:]
    model = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))
    loss_fn = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    ledger = LOGS / f"width_{width}_rate_{rate:g}" / "green-callbacks" / "ledger.jsonl"
    rule = MarginalGain("val_acc", acceptable=0.9)
    with EnergyAccountant(
        location="DE", pue=1.2, ledger=ledger, policies=[CarbonBudget("100 mg"), rule], sinks=[]
    ) as accountant:
        for _ in accountant.epochs(EPOCHS):
            order = torch.randperm(len(train_x))
            for begin in range(0, len(order), BATCH):
                batch = order[begin : begin + BATCH]
                optimizer.zero_grad()
                loss_fn(model(train_x[batch]), train_y[batch]).backward()
                optimizer.step()
            with accountant.phase("validation"), torch.no_grad():
                val_acc = (model(val_x).argmax(dim=1) == val_y).float().mean().item()
            accountant.observe({"val_acc": val_acc}, samples=len(train_x))


def main() -> None:
    """Train all combinations."""
    logging.getLogger("green_callbacks").setLevel(logging.ERROR)
    digits = load_digits()
    images, labels = torch.tensor(digits.data, dtype=torch.float32) / 16, torch.tensor(digits.target)
    for width, rate in itertools.product(WIDTHS, RATES):
        train(width, rate, images, labels)
    print(f"Compare the runs in the tab Carbon of tensorboard --logdir {LOGS.parent}")


if __name__ == "__main__":
    main()
