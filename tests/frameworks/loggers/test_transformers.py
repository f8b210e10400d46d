"""Under Hugging Face's ``Trainer``, the numbers lie in the runs of its own reporters, at its own steps."""

import pytest

mlflow, wandb = pytest.importorskip("mlflow"), pytest.importorskip("wandb")
pytest.importorskip("accelerate")  # without it there is no training
monitors = pytest.importorskip("green_callbacks.transformers", exc_type=ImportError)
torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")

pytestmark = pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy is deprecated"
)  # in MLflow's own queries


class Line(torch.nn.Module):
    """A model of one weight."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, x, labels=None):
        return {"loss": (self.weight * x - labels).pow(2).mean()}


def test_the_numbers_lie_in_the_runs_of_the_reporters(tracking, tmp_path, monkeypatch):
    from support.runs import QUIET
    from support.wandb_file import read_wandb_file

    from green_callbacks.sources import ScriptedSource

    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    options = {**QUIET, "sinks": None, "strict": True, "sources": [ScriptedSource(300.0)]}
    monitor = monitors.EmissionsMonitor(**options)
    data = [{"x": torch.ones(1), "labels": torch.zeros(1)}] * 8
    arguments = transformers.TrainingArguments(
        str(tmp_path),
        num_train_epochs=2,
        per_device_train_batch_size=4,
        use_cpu=True,
        report_to=["mlflow", "wandb"],
        save_strategy="no",
        disable_tqdm=True,
    )
    transformers.Trainer(Line(), arguments, train_dataset=data, callbacks=[monitor]).train()
    run, shown = wandb.run, mlflow.last_active_run()  # its reporter has ended it
    wandb.finish()

    grams = 1000 * monitor.accountant.close().emissions_kg
    file = read_wandb_file(next(tmp_path.rglob(f"run-{run.id}.wandb")))
    assert [step for step, _ in file.curve("green/emissions_g", "train/global_step")] == [2, 4]
    assert file.summary["green/emissions_total_g"] == pytest.approx(grams)
    points = tracking.get_metric_history(shown.info.run_id, "green/emissions_g")
    assert [point.step for point in points] == [2, 4]
    assert tracking.get_run(shown.info.run_id).data.metrics["green/emissions_total_g"] == pytest.approx(grams)
