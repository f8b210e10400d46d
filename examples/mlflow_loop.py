"""Train a small classifier in a plain PyTorch loop. MLflow shows its energy and emissions beside its accuracy."""

import mlflow
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from green_callbacks import EnergyAccountant, MlflowSink, Summary

EPOCHS = 5


def main() -> None:
    """Train, and read the emissions from MLflow."""
    torch.manual_seed(1)
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32) / 16
    y = torch.tensor(digits.target)
    train, val = slice(0, 1400), slice(1400, None)
    loader = DataLoader(TensorDataset(x[train], y[train]), batch_size=32, shuffle=True)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_fn = nn.CrossEntropyLoss()

    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    # Without sinks=, an accountant finds the open run, too. The sink is named here to upload the ledger.
    sinks = [Summary(), MlflowSink(ledger_artifact=True)]
    with mlflow.start_run() as run, EnergyAccountant(location="FR", sinks=sinks) as accountant:
        for epoch in accountant.epochs(EPOCHS):
            for xs, ys in loader:
                optimizer.zero_grad()
                loss_fn(model(xs), ys).backward()
                optimizer.step()
            with torch.no_grad():
                val_acc = (model(x[val]).argmax(dim=1) == y[val]).float().mean().item()
            accountant.observe({"val_acc": val_acc}, samples=len(x[train]))
            mlflow.log_metric("val_acc", val_acc, step=epoch)

    client = mlflow.MlflowClient()
    for point in client.get_metric_history(run.info.run_id, "green/emissions_g"):
        print(f"epoch {point.step}: {point.value:.2g} g CO2e")
    tags = client.get_run(run.info.run_id).data.tags
    print(f"In all {float(tags['green/emissions_total_g']):.2g} g CO2e in {tags['green/place']}.")
    print("See it with: mlflow ui --backend-store-uri sqlite:///mlflow.db")


if __name__ == "__main__":
    main()
