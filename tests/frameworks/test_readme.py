import os
import re
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

import pytest

from green_callbacks import CarbonBudget, MarginalGain

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def lightning_names():
    import torch
    from lightning.pytorch import LightningModule
    from torch.utils.data import DataLoader, TensorDataset

    class Model(LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def training_step(self, batch, _):
            return self.layer(batch[0]).square().mean()

        def validation_step(self, batch, _):
            self.log("val_acc", 1 / (1 + self.layer(batch[0]).square().mean()))

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    loader = DataLoader(TensorDataset(torch.ones(4, 4)))
    return {"model": Model(), "train_loader": loader, "val_loader": loader}


def keras_names():
    import keras
    import numpy as np

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = np.ones((8, 4)), np.zeros(8)
    return {"model": model, "x": x, "y": y, "x_val": x, "y_val": y}


def transformers_names():
    import torch
    from transformers import TrainingArguments

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def forward(self, x, labels):
            out = self.layer(x)
            return {"loss": (out - labels).square().mean(), "logits": out}

    data = [{"x": torch.ones(4), "labels": torch.ones(1)} for _ in range(8)]
    args = TrainingArguments("logs", eval_strategy="epoch", use_cpu=True, report_to="none", disable_tqdm=True)
    names = {"model": Model(), "args": args, "data": data, "test": data}
    return {**names, "metrics": lambda _: {"accuracy": 0.5}}


def loop_names():
    values = iter(1 - 0.5**epoch for epoch in range(1000))
    return {"train_one_epoch": lambda: next(values), "train_loader": range(20), "train_step": lambda batch: batch}


def names_for(snippet):
    policies = [CarbonBudget("500 g"), MarginalGain("val_acc")]  # of the first snippet
    named = {"lightning": lightning_names, "keras": keras_names, "transformers": transformers_names}
    for framework, names in named.items():
        if f"green_callbacks.{framework} import" in snippet:
            pytest.importorskip(framework)
            return {"policies": policies, **names()}
    return loop_names()


@pytest.mark.filterwarnings("ignore")  # the frameworks', on how small these models are
@pytest.mark.parametrize("snippet", SNIPPETS, ids=["lightning", "keras", "transformers", "loop", "inside"])
def test_a_snippet_runs_and_leaves_a_ledger(snippet, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    exec(compile(snippet, "README.md", "exec"), names_for(snippet))

    assert list(tmp_path.rglob("*.jsonl"))


def test_every_file_that_is_linked_is_there():
    links = re.findall(r"\]\(([^)]+)\)", README)

    assert [link for link in links if not link.startswith("http") and not (ROOT / link).exists()] == []
