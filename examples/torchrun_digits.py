"""Train on several processes in a plain PyTorch loop: ``torchrun --nproc-per-node 2 torchrun_digits.py``.

The accountant finds the other processes by itself. There is one ledger and one decision, and each device counts once.
"""

import torch
import torch.distributed as dist
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from green_callbacks import CarbonBudget, EnergyAccountant, MarginalGain

EPOCHS = 60


def main() -> None:
    """Train until more training no longer pays, on all processes alike."""
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    rank = dist.get_rank()
    if torch.cuda.is_available():
        torch.cuda.set_device(rank % torch.cuda.device_count())
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(1)
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32) / 16
    y = torch.tensor(digits.target)
    data = TensorDataset(x[:1400], y[:1400])
    sampler: DistributedSampler[object] = DistributedSampler(data)
    loader = DataLoader(data, batch_size=32, sampler=sampler)
    layers = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).to(device)
    model = DistributedDataParallel(layers)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_fn = nn.CrossEntropyLoss()
    x_val, y_val = x[1400:].to(device), y[1400:].to(device)

    with EnergyAccountant(location="FR", policies=[CarbonBudget("100 g"), MarginalGain("val_acc")]) as accountant:
        for epoch in accountant.epochs(EPOCHS):
            sampler.set_epoch(epoch)
            for xs, ys in accountant.steps(loader):
                optimizer.zero_grad()
                loss_fn(model(xs.to(device)), ys.to(device)).backward()
                optimizer.step()
                accountant.observe(samples=len(xs))
            with accountant.phase("validation"), torch.no_grad():
                val_acc = (layers(x_val).argmax(dim=1) == y_val).float().mean().item()
            accountant.observe({"val_acc": val_acc})  # on every rank, never inside `if rank == 0:`
    run = accountant.close()
    print(f"Rank {rank} stops. {accountant.stop_reason}")
    if rank == 0:
        print(f"{run.epochs} of {EPOCHS} epochs. The records of all ranks are in {run.ledger}.")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
