import csv
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks.lightning.tiny import EPOCH_JOULES, TinyModule, grams, kg, monitor, trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, ProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from green_callbacks import CarbonBudget, MarginalGain, TensorBoardSink
from green_callbacks.clock import ScriptedClock

event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
fsspec = pytest.importorskip("fsspec")
event_file_loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")


def near(value: float) -> Any:
    return pytest.approx(value, rel=1e-6)  # Lightning logs 32 bits


def test_a_csv_logger_has_what_is_monitored_beside_the_runs_own_metrics_and_the_rest_in_a_row_of_its_own(
    tmp_path: Path, clock: ScriptedClock
):
    logger = CSVLogger(tmp_path)
    callback = monitor(clock, policies=[CarbonBudget("1 kg")])

    trainer(tmp_path, callback, logger=logger).fit(TinyModule(clock))

    with Path(logger.log_dir, "metrics.csv").open(encoding="utf-8") as file:
        everything = list(csv.DictReader(file))
    rows = [row for row in everything if row["green/emissions_total_g"]]
    assert [(row["step"], row["green/gpu_watts"]) for row in everything if row["green/gpu_watts"]] == [
        ("3", "300.0"),
        ("7", "300.0"),
        ("11", "300.0"),
    ]
    assert [float(row["green/emissions_total_g"]) for row in rows] == [near(grams(n * EPOCH_JOULES)) for n in (1, 2, 3)]
    assert [row["step"] for row in rows] == ["3", "7", "11"]
    assert all(row["train_loss_epoch"] for row in rows)
    left = [float(row["green/budget_left_g"]) for row in rows]
    assert left == [near(1000 - grams(n * EPOCH_JOULES)) for n in (1, 2, 3)]


def test_a_checkpoint_may_go_by_emissions(tmp_path: Path, clock: ScriptedClock):
    cheapest = ModelCheckpoint(tmp_path, monitor="green/emissions_total_g", mode="max")

    trainer(tmp_path, monitor(clock), cheapest, enable_checkpointing=True).fit(TinyModule(clock))

    assert float(cheapest.best_model_score) == near(grams(3 * EPOCH_JOULES))


def test_early_stopping_may_go_by_emissions_wherever_it_stands(tmp_path: Path, clock: ScriptedClock):
    enough = EarlyStopping("green/emissions_total_g", mode="min", stopping_threshold=0.0, patience=1)
    callback = monitor(clock)

    trainer(tmp_path, enough, callback, max_epochs=9).fit(TinyModule(clock))

    assert callback.accountant.close().epochs == 2  # it only ever rises


@pytest.mark.parametrize("options", [{"val_check_interval": 0.5}, {}])
def test_early_stopping_that_asks_too_early_is_told_so_before_it_fails(
    tmp_path: Path, clock: ScriptedClock, options: dict[str, Any]
):
    asking = EarlyStopping("green/emissions_total_g", check_on_train_epoch_end=None if options else False)
    callback = monitor(clock)

    with pytest.raises(RuntimeError, match="Early stopping conditioned on metric"):  # of Lightning
        trainer(tmp_path, asking, callback, **options).fit(TinyModule(clock))

    (notice,) = callback.accountant.close().notices
    assert "check_on_train_epoch_end=True" in notice


def test_the_progress_bar_shows_the_emissions_so_far(tmp_path: Path, clock: ScriptedClock):
    shown: list[dict[str, Any]] = []

    class Bar(ProgressBar):
        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            shown.append(dict(self.get_metrics(trainer, pl_module)))

    trainer(tmp_path, monitor(clock), Bar(), enable_progress_bar=True).fit(TinyModule(clock))

    (key,) = {name for name in shown[-1] if name.startswith("green/")}
    assert key == "green/emissions_total_g"
    assert float(shown[-1][key]) == near(grams(2 * EPOCH_JOULES))


def test_without_a_logger_callbacks_still_see_the_numbers(tmp_path: Path, clock: ScriptedClock):
    quiet = trainer(tmp_path, monitor(clock), logger=False)

    quiet.fit(TinyModule(clock))

    assert float(quiet.callback_metrics["green/energy_wh"]) == near(grams(EPOCH_JOULES))
    assert "val_acc" in quiet.callback_metrics


def test_where_nothing_is_measured_no_number_is_logged(tmp_path: Path, clock: ScriptedClock):
    quiet = trainer(tmp_path, monitor(clock, sources=[]))

    quiet.fit(TinyModule(clock))

    assert not [name for name in quiet.callback_metrics if name.startswith("green/")]


def test_a_barebones_trainer_is_accounted_all_the_same(tmp_path: Path, clock: ScriptedClock):
    from lightning.pytorch import Trainer

    callback = monitor(clock, ledger=tmp_path / "run.jsonl")

    Trainer(barebones=True, max_epochs=2, accelerator="cpu", default_root_dir=tmp_path, callbacks=[callback]).fit(
        TinyModule(clock)
    )

    assert callback.accountant.close().epochs == 2


@pytest.fixture
def shown(tmp_path: Path, clock: ScriptedClock) -> Path:
    """A folder of events: three epochs and a test, with the sink of the package beside Lightning's own logger."""
    logger = TensorBoardLogger(tmp_path / "tb")
    policies = [CarbonBudget("1 kg"), MarginalGain("val_acc")]
    callback = monitor(clock, policies=policies, sinks=[TensorBoardSink()])
    trainer(tmp_path, callback, logger=logger, log_every_n_steps=1).fit(TinyModule(clock, [0.1, 0.2, 0.3]))
    return Path(logger.log_dir)


def events(folder: Path) -> Any:
    everything = dict.fromkeys(event_accumulator.DEFAULT_SIZE_GUIDANCE, 0)
    return event_accumulator.EventAccumulator(str(folder), size_guidance=everything).Reload()


def test_tensorboard_shows_the_epochs_at_the_runs_own_steps(shown: Path):
    scalars = events(shown)

    steps = {tag: [event.step for event in scalars.Scalars(tag)] for tag in scalars.Tags()["scalars"]}
    assert steps["val_acc"] == steps["green/emissions_total_g"] == steps["green/gpu_watts"] == [3, 7, 11]
    assert [event.value for event in scalars.Scalars("green/energy_wh")] == [near(grams(EPOCH_JOULES))] * 3


def test_the_quality_is_shown_against_the_emissions(shown: Path):
    points = events(shown).Scalars("green/1_quality_by_mg_co2e")

    assert [point.step for point in points] == [round(kg(n * EPOCH_JOULES) * 1e6) for n in (1, 2, 3)]
    assert [point.value for point in points] == [near(0.1), near(0.2), near(0.3)]


def test_no_tag_is_written_twice_for_a_step(shown: Path):
    written: Counter[tuple[str, int]] = Counter()
    for file in shown.glob("events.*"):
        for event in event_file_loader.EventFileLoader(str(file)).Load():
            written.update((value.tag, event.step) for value in event.summary.value if value.tag.startswith("green/"))

    repeated = {tag for (tag, _), count in written.items() if count > 1}
    assert written
    assert repeated <= {"green/provenance/text_summary"}  # first how it is known, in the end what it came to


def test_the_page_and_the_charts_stand_in_the_one_file_of_the_run(shown: Path):
    everything = events(shown)

    pages = [event.tensor_proto.string_val[0].decode() for event in everything.Tensors("green/provenance/text_summary")]
    assert "Totals" in pages[-1]
    assert "custom_scalars__config__" in everything.Tags()["tensors"]
    assert len(list(shown.glob("events.*"))) == 1
    assert [folder.name for folder in shown.iterdir() if folder.is_dir()] == ["green-callbacks"]
    assert list((shown / "green-callbacks").glob("events.*")) == []


def test_an_exception_leaves_one_file_with_the_totals(tmp_path: Path, clock: ScriptedClock):
    class Failing(TinyModule):
        def on_train_epoch_start(self) -> None:
            if self.current_epoch == 1:
                raise RuntimeError

    logger = TensorBoardLogger(tmp_path / "tb")
    callback = monitor(clock, sinks=[TensorBoardSink()])

    with pytest.raises(RuntimeError):
        trainer(tmp_path, callback, logger=logger).fit(Failing(clock))

    folder = Path(logger.log_dir)
    pages = events(folder).Tensors("green/provenance/text_summary")
    assert "Totals" in pages[-1].tensor_proto.string_val[0].decode()
    assert len(list(folder.glob("events.*"))) == 1


def test_without_a_tensorboard_logger_the_sink_writes_every_scalar_itself(tmp_path: Path, clock: ScriptedClock):
    pytest.importorskip("tensorboardX")
    callback = monitor(clock, sinks=[TensorBoardSink(tmp_path / "own")])

    trainer(tmp_path, callback, logger=CSVLogger(tmp_path)).fit(TinyModule(clock))

    assert [event.step for event in events(tmp_path / "own").Scalars("green/emissions_total_g")] == [0, 1, 2]


def test_a_logger_of_ones_own_kind_of_tensorboard_is_known(tmp_path: Path, clock: ScriptedClock):
    class Logger(TensorBoardLogger):
        pass

    logger = Logger(tmp_path / "tb")

    trainer(tmp_path, monitor(clock, sinks=[TensorBoardSink()]), logger=[CSVLogger(tmp_path), logger]).fit(
        TinyModule(clock)
    )

    assert "green/provenance/text_summary" in events(Path(logger.log_dir)).Tags()["tensors"]


class Plateau(TinyModule):
    """Lets a schedule go by a number of the package."""

    key = "green/emissions_total_g"

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=1.0)
        schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="min", patience=0, factor=0.1)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "monitor": self.key}}


def test_a_schedule_may_go_by_emissions(tmp_path: Path, clock: ScriptedClock):
    module = Plateau(clock)

    trainer(tmp_path, monitor(clock), max_epochs=4).fit(module)

    assert module.optimizers().param_groups[0]["lr"] == pytest.approx(1e-3)  # it only ever rises


def test_what_somebody_monitors_is_among_the_metrics_and_what_nobody_does_is_not(tmp_path: Path, clock: ScriptedClock):
    module = Plateau(clock)
    module.key = "green/gpu_watts"
    run = trainer(tmp_path, monitor(clock, policies=[CarbonBudget("1 kg"), MarginalGain("val_acc")]))

    run.fit(module)

    assert {name for name in run.callback_metrics if name.startswith("green/")} == {
        "green/emissions_total_g",
        "green/emissions_g",
        "green/energy_wh",
        "green/watts",
        "green/budget_left_g",
        "green/gpu_watts",
        "green/facility_energy_total_wh",  # for budgets of searches
    }


def test_a_module_may_log_a_key_of_the_package_itself(tmp_path: Path, clock: ScriptedClock):
    class Same(TinyModule):
        def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
            self.log("green/emissions_total_g", 1.0, on_step=True)
            return super().training_step(batch, batch_idx)

    callback = monitor(clock)
    trainer(tmp_path, callback, logger=CSVLogger(tmp_path)).fit(Same(clock))

    assert callback.accountant.close().epochs == 3


class Adversaries(TinyModule):
    """Two optimizers that step by hand: two steps a batch by Lightning's count."""

    def __init__(self, clock: ScriptedClock) -> None:
        super().__init__(clock)
        self.automatic_optimization = False

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> None:  # type: ignore[override]
        for optimizer in self.optimizers():
            optimizer.zero_grad()
            self.manual_backward(super().training_step(batch, batch_idx))
            optimizer.step()

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(self.parameters(), lr=0.01) for _ in range(2)]


def test_parts_and_ends_of_epochs_share_the_axis_of_the_loggers(tmp_path: Path, clock: ScriptedClock):
    logger = TensorBoardLogger(tmp_path / "tb")

    trainer(tmp_path, monitor(clock, decide_every=2), logger=logger, log_every_n_steps=1).fit(Adversaries(clock))

    scalars = events(Path(logger.log_dir))
    for tag in ("green/emissions_total_g", "green/gpu_watts"):
        steps = [event.step for event in scalars.Scalars(tag)]
        assert steps == sorted(steps)
        assert steps[-1] == [event.step for event in scalars.Scalars("val_acc")][-1] == 11


def test_a_module_that_logs_its_own_step_has_all_numbers_on_its_axis(tmp_path: Path, clock: ScriptedClock):
    class ByEpoch(TinyModule):
        def on_train_epoch_end(self) -> None:
            self.log("step", float(self.current_epoch))

        def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
            super().validation_step(batch, batch_idx)
            self.log("step", float(self.current_epoch))

    logger = TensorBoardLogger(tmp_path / "tb")

    trainer(tmp_path, monitor(clock), logger=logger, log_every_n_steps=1).fit(ByEpoch(clock))

    scalars = events(Path(logger.log_dir))
    for tag in ("green/watts", "green/gpu_watts", "val_acc"):
        assert [event.step for event in scalars.Scalars(tag)] == [0, 1, 2]


@pytest.mark.parametrize("kind", [TensorBoardLogger, CSVLogger, None])
def test_logs_in_a_bucket_get_the_ledger_beside_them(
    tmp_path: Path, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch, kind: Any
):
    monkeypatch.chdir(tmp_path)
    callback = monitor(clock)
    url = f"memory://{tmp_path.name}"

    run = trainer(Path(), callback, default_root_dir=url, logger=kind(url) if kind else False)
    run.fit(TinyModule(clock))

    totals = callback.accountant.close()
    (copied,) = [path for path in fsspec.filesystem("memory").find(f"/{tmp_path.name}") if path.endswith(".jsonl")]
    assert fsspec.filesystem("memory").cat_file(copied) == totals.ledger.read_bytes()
    assert copied.startswith(str(run.log_dir).removeprefix("memory:/")), "beside the logs"
    assert [str(totals.ledger) in notice for notice in totals.notices] == [True]
    assert [path.name for path in tmp_path.iterdir()] == ["green-callbacks"]
