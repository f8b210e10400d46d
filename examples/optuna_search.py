"""Search for the settings of a small network with Optuna, with one budget for all trials and a pruner in kilograms."""

import optuna
import torch
from torch import nn

from green_callbacks.optuna import KilogramHalvingPruner, SearchBudget, SearchGain, TrialRun

EPOCHS = 30


def points() -> tuple[torch.Tensor, torch.Tensor]:
    """Return points in five arms of a spiral, with the number of the arm."""
    draw = torch.Generator().manual_seed(1)
    arms = torch.randint(0, 5, (2000,), generator=draw)
    radius = torch.rand(2000, generator=draw)
    angle = 1.26 * arms + 4 * radius + 0.15 * torch.randn(2000, generator=draw)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1), arms


def train(trial: optuna.Trial, run: TrialRun, x: torch.Tensor, y: torch.Tensor) -> float:
    """Train one network, and return its accuracy. The run stops where the pruner or the budget says so."""
    width = trial.suggest_int("width", 4, 256, log=True)
    rate = trial.suggest_float("rate", 1e-4, 1e-1, log=True)
    torch.manual_seed(trial.number)
    hidden = nn.Sequential(nn.Linear(2, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
    model = nn.Sequential(hidden, nn.Linear(width, 5))
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    loss_fn = nn.CrossEntropyLoss()
    best = 0.0
    for _ in run.accountant.epochs(EPOCHS):
        for batch in run.accountant.steps(torch.split(torch.randperm(1400), 32)):
            optimizer.zero_grad()
            loss_fn(model(x[batch]), y[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            val_acc = (model(x[1400:]).argmax(dim=1) == y[1400:]).float().mean().item()
        run.accountant.observe({"val_acc": val_acc})
        best = max(best, val_acc)
    return best


def main() -> None:
    """Search until the budget is spent, or until another trial no longer pays."""
    x, y = points()
    budget = SearchBudget("400 J", monitor="val_acc", location="FR", sinks=[])

    def objective(trial: optuna.Trial) -> float:
        with budget.of(trial) as run:
            return train(trial, run, x, y)

    study = optuna.create_study(study_name="spirals", direction="maximize", pruner=KilogramHalvingPruner())
    study.optimize(objective, n_trials=30, callbacks=[budget, SearchGain(min_gain_per_kg=0.1)])
    print(budget.summary(study))


if __name__ == "__main__":
    main()
