import copy
import logging
import os
import pickle
import re
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning
import torch
from frameworks.lightning.tiny import EPOCH_JOULES, WATTS, TinyBody, TinyModule, kg, monitor, quiet, scripted, trainer
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO
from support.disk import largest_file

from green_callbacks import CarbonBudget, History, MarginalGain, Summary, read_ledger
from green_callbacks.cli import main
from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import ConfigurationError
from green_callbacks.lightning import FrontCheckpoint
from green_callbacks.pytorch_lightning import EmissionsMonitor as OldRootMonitor
from green_callbacks.pytorch_lightning import FrontCheckpoint as OldRootCheckpoint
from green_callbacks.sources import ScriptedSource

SCORES = (0.1, 0.5, 0.4, 0.8, 0.85, 0.86, 0.87, 0.88)
README = Path(__file__).parents[3] / "README.md"
STATE = "green_callbacks.EmissionsMonitor"


class LearningBody(TinyBody):
    """Training sets a weight to the score of the epoch, and validation finds what is there."""

    def script(self, clock: ScriptedClock, scores: Any) -> None:
        super().script(clock, scores)
        self.register_buffer("learned", torch.zeros(()))

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        self.learned.fill_(self.score())
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        self.clock.advance(0.5)
        self.log("val_acc", self.learned.clone())
        self.log("val_loss", 1 - self.learned)


class Learning(LearningBody, TinyModule):
    def __init__(self, clock: ScriptedClock, scores: Any = SCORES) -> None:
        super().__init__(clock, scores)


def fit(folder: Path, module: TinyModule, *callbacks: Any, resumed: str | None = None, **options: Any) -> Any:
    """Train for as many epochs as there are scores, unless told otherwise."""
    options = {"max_epochs": len(module.scores), "enable_checkpointing": True, **options}
    fitted = trainer(folder, *callbacks, **options)
    fitted.fit(module, ckpt_path=resumed, weights_only=resumed is not None or None)
    return fitted


def epochs_of(checkpoint: FrontCheckpoint) -> list[int | None]:
    return [point.epoch for point in checkpoint.points.values()]


def path_of(checkpoint: FrontCheckpoint, epoch: int) -> str:
    return next(path for path, point in checkpoint.points.items() if point.epoch == epoch)


def files(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*.ckpt"))


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = (record for record in caplog.records if record.name.startswith("green_callbacks"))
    return [record.getMessage() for record in ours if record.levelno >= logging.WARNING]


def test_the_best_the_knee_and_points_between_are_kept(tmp_path: Path, clock: ScriptedClock):
    checkpoint = FrontCheckpoint("val_acc", keep=3)

    fit(tmp_path, Learning(clock), checkpoint, monitor(clock))

    assert [os.path.relpath(path, tmp_path) for path in checkpoint.points] == [
        "checkpoints/front-epoch=1-val_acc=0.5-kg=0.000833.ckpt",
        "checkpoints/front-epoch=3-val_acc=0.8-kg=0.00167.ckpt",
        "checkpoints/front-epoch=7-val_acc=0.88-kg=0.00333.ckpt",
    ]
    assert epochs_of(checkpoint) == [1, 3, 7]
    assert files(tmp_path) == sorted(checkpoint.points)
    assert list(checkpoint.best_k_models) == list(checkpoint.points)
    assert checkpoint.best_model_path == path_of(checkpoint, 7)
    assert float(checkpoint.best_model_score) == pytest.approx(0.88)


def test_every_file_holds_the_metric_that_it_claims_and_the_account_of_its_epoch(tmp_path: Path, clock: ScriptedClock):
    checkpoint = FrontCheckpoint("val_acc")

    fit(tmp_path, Learning(clock), monitor(clock), checkpoint)

    assert len(checkpoint.points) == 5
    for path, point in checkpoint.points.items():
        module, saved = Learning(clock), torch.load(path, weights_only=True)
        module.load_state_dict(saved["state_dict"])
        (found,) = trainer(tmp_path).validate(module, verbose=False)
        assert found["val_acc"] == pytest.approx(point.value)
        account = saved["callbacks"][STATE]
        assert History.from_columns(account["history"])[-1].epoch == point.epoch == saved["epoch"]
        assert path in account["checkpoints"]["val_acc"]["files"], "what is resumed from it knows its file"
        assert point.kg == pytest.approx(kg(((point.epoch or 0) + 1) * EPOCH_JOULES))


def test_the_summaries_name_the_file_of_every_point(
    tmp_path: Path, clock: ScriptedClock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    texts: list[str] = []
    callback = monitor(clock, sinks=[Summary(texts.append)])

    fit(tmp_path, Learning(clock), callback, FrontCheckpoint("val_acc", keep=3))

    said = (
        "On the way val_acc 0.5000 at 833 mg (epoch 1, checkpoints/front-epoch=1-val_acc=0.5-kg=0.000833.ckpt), "
        "0.8000 at 1.67 g (epoch 3, the knee, checkpoints/front-epoch=3-val_acc=0.8-kg=0.00167.ckpt), "
        "0.8800 at 3.33 g (epoch 7, checkpoints/front-epoch=7-val_acc=0.88-kg=0.00333.ckpt)."
    )
    ledger = str(callback.accountant.close().ledger)
    assert main(["summary", ledger]) == 0
    assert said in " ".join(texts[0].split())
    assert said in " ".join(capsys.readouterr().out.split())

    Path("checkpoints/front-epoch=3-val_acc=0.8-kg=0.00167.ckpt").unlink()
    assert main(["summary", ledger]) == 0
    assert "(epoch 1, the knee, checkpoints" in " ".join(capsys.readouterr().out.split()), "of those that are left"


def test_the_readme_shows_what_a_run_says(tmp_path: Path, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    texts: list[str] = []
    scores = [0.5] * 3 + [0.9] * 7 + [0.92] * 12 + [0.93]
    watts = WATTS * 0.1 / kg(EPOCH_JOULES)  # for 100 g an epoch
    callback = monitor(clock, sources=[ScriptedSource(watts, clock=clock)], sinks=[Summary(texts.append)])

    fit(tmp_path, Learning(clock, scores), callback, FrontCheckpoint("val_acc", "logs", keep=3))

    shown = re.findall(r"```text\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert [text for text in shown if text in texts[0]] == shown


def test_a_run_that_was_moved_still_finds_its_files(
    tmp_path: Path, clock: ScriptedClock, capsys: pytest.CaptureFixture[str]
):
    callback = monitor(clock)
    fit(tmp_path / "here", Learning(clock), callback, FrontCheckpoint("val_acc", keep=2))
    ledger = callback.accountant.close().ledger.relative_to(tmp_path / "here")

    (tmp_path / "here").rename(tmp_path / "there")

    kept = read_ledger(tmp_path / "there" / ledger).checkpoints["val_acc"]
    assert sorted(kept.that_exist().rows) == files(tmp_path / "there")
    main(["summary", str(tmp_path / "there" / ledger)])
    assert "there/checkpoints/front-epoch=7" in capsys.readouterr().out


def test_what_it_watches_stands_for_the_quality_unless_a_policy_says_otherwise(tmp_path: Path):
    def summary(*policies: Any) -> tuple[str, int, int]:
        texts: list[str] = []
        clock = ScriptedClock()
        callback = monitor(clock, policies=policies, sinks=[Summary(texts.append)])
        fit(tmp_path, Learning(clock), callback, FrontCheckpoint("val_loss"))
        head = next(line for line in texts[0].splitlines() if line.startswith("epoch "))
        return head.split()[-1], texts[0].count("On the way val_acc"), texts[0].count("On the way val_loss")

    assert summary() == ("val_loss", 0, 1)
    assert summary(MarginalGain("val_acc", report_only=True)) == ("val_acc", 1, 1)


def test_a_loss_is_better_when_it_is_lower(tmp_path: Path, clock: ScriptedClock):
    checkpoint = FrontCheckpoint("val_loss", keep=3)

    fit(tmp_path, Learning(clock), monitor(clock), checkpoint)

    assert epochs_of(checkpoint) == [1, 3, 7]
    assert "val_loss=0.12" in checkpoint.best_model_path


def test_each_metric_may_have_files_of_its_own(tmp_path: Path, clock: ScriptedClock):
    rising, falling = FrontCheckpoint("val_acc", keep=2), FrontCheckpoint("val_loss", tmp_path / "others", keep=1)
    callback = monitor(clock)

    fit(tmp_path, Learning(clock), callback, rising, falling, ModelCheckpoint(tmp_path / "plain"))

    assert len(files(tmp_path / "checkpoints")) == 2
    assert files(tmp_path / "others") == [falling.best_model_path]
    assert len(files(tmp_path / "plain")) == 1
    assert sorted(read_ledger(callback.accountant.close().ledger).checkpoints) == ["val_acc", "val_loss"]


def test_only_epochs_with_a_validation_can_be_points(tmp_path: Path, clock: ScriptedClock):
    checkpoint = FrontCheckpoint("val_acc")

    fit(tmp_path, Learning(clock), monitor(clock), checkpoint, check_val_every_n_epoch=3)

    assert epochs_of(checkpoint) == [2, 5]


def test_an_epoch_with_two_validations_counts_by_the_last(tmp_path: Path, clock: ScriptedClock):
    checkpoint = FrontCheckpoint("val_acc")

    fit(tmp_path, Learning(clock, (0.5, 0.6)), monitor(clock), checkpoint, val_check_interval=0.5)

    assert epochs_of(checkpoint) == [0, 1]


def test_a_metric_that_comes_after_the_epoch_is_not_taken_for_that_of_the_next(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
):
    class Late(Learning):
        def on_train_epoch_end(self) -> None:
            self.log("late_acc", self.score())

    fit(tmp_path, Late(clock), monitor(clock), FrontCheckpoint("late_acc"))

    assert files(tmp_path) == []
    (late,) = (said for said in warnings_in(caplog) if "known one epoch late" in said)
    assert "on_validation_epoch_end" in late


def test_a_metric_that_is_missing_is_named_with_those_there_are(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
):
    fit(tmp_path, Learning(clock), monitor(clock), FrontCheckpoint("val_accuracy"))

    (said,) = warnings_in(caplog)
    assert said.startswith("FrontCheckpoint watches the metric 'val_accuracy' and cannot act so far: ")
    assert "val_acc, val_loss" in said
    assert files(tmp_path) == []


def test_a_run_that_knows_no_emissions_keeps_its_best(tmp_path: Path, clock: ScriptedClock):
    checkpoint = FrontCheckpoint("val_acc")

    fit(tmp_path, Learning(clock), monitor(clock, sources=[]), checkpoint)

    assert epochs_of(checkpoint) == [7]
    assert files(tmp_path) == [checkpoint.best_model_path]


@pytest.mark.parametrize("ledger", [None, False])
def test_a_resumed_run_goes_on_with_its_files(tmp_path: Path, clock: ScriptedClock, ledger: Any):
    first = FrontCheckpoint("val_acc", keep=3)
    fit(tmp_path, Learning(clock), monitor(clock, ledger=ledger), first, max_epochs=4)
    assert epochs_of(first) == [0, 1, 3]

    clock, resumed = ScriptedClock(), FrontCheckpoint("val_acc", keep=3)
    callback = monitor(clock, ledger=ledger)
    fit(tmp_path, Learning(clock), callback, resumed, resumed=path_of(first, 3))

    assert epochs_of(resumed) == [1, 3, 7]
    assert files(tmp_path) == sorted(resumed.points)
    assert callback.accountant.close().energy_joules == pytest.approx(8 * EPOCH_JOULES)


def test_a_resumed_run_without_a_better_epoch_knows_its_best(tmp_path: Path, clock: ScriptedClock):
    first = FrontCheckpoint("val_acc")
    fit(tmp_path, Learning(clock, (0.9,)), monitor(clock), first)

    clock, resumed = ScriptedClock(), FrontCheckpoint("val_acc")
    fit(tmp_path, Learning(clock, (0.9, 0.1)), monitor(clock), resumed, resumed=first.best_model_path)

    assert resumed.best_model_path == first.best_model_path
    assert epochs_of(resumed) == [0]


def test_files_of_epochs_that_are_done_again_are_left_alone(tmp_path: Path, clock: ScriptedClock):
    first = FrontCheckpoint("val_acc", keep=2)
    fit(tmp_path, Learning(clock), monitor(clock), first, ModelCheckpoint(tmp_path / "all", save_top_k=-1))
    lost = {path for path, point in first.points.items() if point.epoch > 1}

    clock, again = ScriptedClock(), FrontCheckpoint("val_acc", keep=2)
    worse = Learning(clock, (0.1, 0.5, 0.4, 0.6))
    fit(tmp_path, worse, monitor(clock), again, resumed=str(tmp_path / "all" / "epoch=1-step=8.ckpt"))

    assert epochs_of(again)[-1] == 3
    assert "-kg=0.00417" in again.best_model_path, "what was done in vain counts"
    assert set(files(tmp_path / "checkpoints")) == lost | set(again.points)


def test_the_file_that_a_run_was_resumed_from_is_not_removed(tmp_path: Path, clock: ScriptedClock):
    first = FrontCheckpoint("val_acc", keep=1)
    fit(tmp_path, Learning(clock), monitor(clock), first, max_epochs=2)

    clock, resumed = ScriptedClock(), FrontCheckpoint("val_acc", keep=1)
    fit(tmp_path, Learning(clock), monitor(clock), resumed, resumed=first.best_model_path)

    assert files(tmp_path) == sorted([first.best_model_path, resumed.best_model_path])


def test_files_in_another_folder_than_its_own_are_not_removed(tmp_path: Path, clock: ScriptedClock):
    first = FrontCheckpoint("val_acc", tmp_path / "theirs")
    fit(tmp_path, Learning(clock), monitor(clock), first, max_epochs=4)

    clock, own = ScriptedClock(), FrontCheckpoint("val_acc", tmp_path / "own", keep=1)
    fit(tmp_path, Learning(clock), monitor(clock), own, resumed=first.best_model_path)

    assert files(tmp_path / "theirs") == sorted(first.points)
    assert files(tmp_path / "own") == [own.best_model_path]


def test_a_file_that_the_user_has_removed_makes_room_for_another(tmp_path: Path, clock: ScriptedClock):
    first = FrontCheckpoint("val_acc", keep=2)
    fit(tmp_path, Learning(clock), monitor(clock), first, max_epochs=4)
    Path(path_of(first, 1)).unlink()

    clock, resumed = ScriptedClock(), FrontCheckpoint("val_acc", keep=2)
    fit(tmp_path, Learning(clock), monitor(clock), resumed, resumed=path_of(first, 3))

    assert epochs_of(resumed) == [3, 7]


def test_a_second_fit_adds_to_the_first(tmp_path: Path, clock: ScriptedClock):
    callback, checkpoint = monitor(clock), FrontCheckpoint("val_acc")

    fit(tmp_path, Learning(clock, (0.5, 0.6)), callback, checkpoint)
    fit(tmp_path, Learning(clock, (0.4, 0.9)), callback, checkpoint)

    points = [(point.epoch, round(point.value, 3)) for point in checkpoint.points.values()]
    assert points == [(0, 0.5), (1, 0.6), (1, 0.9)]
    assert files(tmp_path) == sorted(checkpoint.points)


def test_another_run_overwrites_nothing(tmp_path: Path):
    for _ in range(2):
        clock = ScriptedClock()
        fit(tmp_path, Learning(clock, (0.5,)), monitor(clock), FrontCheckpoint("val_acc"))

    assert [Path(path).name for path in files(tmp_path)] == [
        "front-epoch=0-val_acc=0.5-kg=0.000417-v1.ckpt",
        "front-epoch=0-val_acc=0.5-kg=0.000417.ckpt",
    ]


def test_a_policys_stop_leaves_the_checkpoint_of_its_last_epoch(tmp_path: Path, clock: ScriptedClock):
    checkpoint = FrontCheckpoint("val_acc")

    fit(tmp_path, Learning(clock), monitor(clock, policies=[CarbonBudget(f"{2.5 * EPOCH_JOULES} J")]), checkpoint)

    assert epochs_of(checkpoint) == [0, 1]


def test_a_full_disk_is_one_warning_and_training_goes_on(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    class Full(Learning):
        """The disk is full from epoch 3 on, and has room again in the last."""

        def on_validation_end(self) -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (64 if 2 < self.current_epoch < 7 else soft, hard))

    callback, checkpoint = monitor(clock, ledger=False), FrontCheckpoint("val_acc", keep=3)
    with largest_file(soft):
        fit(tmp_path, Full(clock), callback, checkpoint)

    (said,) = warnings_in(caplog)
    assert "front-epoch=3-val_acc=0.8-kg=0.00167.ckpt could not be saved" in said
    assert "Free the disk, or name another folder with dirpath=" in said
    assert callback.accountant.close().epochs == 8
    assert epochs_of(checkpoint) == [0, 1, 7], "what was there is kept until something stands in its place"
    assert files(tmp_path) == sorted(checkpoint.points)


def test_a_file_that_cannot_be_removed_is_one_warning(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_: Any, **__: Any) -> None:
        msg = "read-only"
        raise PermissionError(msg)

    monkeypatch.setattr(TorchCheckpointIO, "remove_checkpoint", refuse)
    checkpoint = FrontCheckpoint("val_acc", keep=1)

    fit(tmp_path, Learning(clock), monitor(clock), checkpoint)

    (said,) = warnings_in(caplog)
    assert "PermissionError: read-only" in said
    assert epochs_of(checkpoint) == [7]


def test_without_a_monitor_there_is_no_fit(tmp_path: Path, clock: ScriptedClock):
    with pytest.raises(ConfigurationError, match="there is none\\. Add one to the callbacks"):
        fit(tmp_path, Learning(clock), FrontCheckpoint("val_acc"))

    assert clock.monotonic() == 0.0


@pytest.mark.parametrize(
    "options", [{"monitor": "val_x"}, {"monitor": 3}, {"mode": "up"}, {"keep": 0}, {"keep": 2.5}, {"keep": -1}]
)
def test_options_that_cannot_work_are_refused_at_once(options: dict[str, Any]):
    with pytest.raises(ConfigurationError):
        FrontCheckpoint(**{"monitor": "val_acc", **options})


def test_it_can_be_written_in_yaml(tmp_path: Path):
    jsonargparse = pytest.importorskip("jsonargparse")
    parser = jsonargparse.ArgumentParser()
    parser.add_argument("--callbacks", type=list[Callback])
    options = {"monitor": "val_x", "mode": "min", "keep": 2, "dirpath": str(tmp_path)}

    entry = {"class_path": "green_callbacks.lightning.FrontCheckpoint", "init_args": options}
    (checkpoint,) = parser.instantiate(parser.parse_object({"callbacks": [entry]})).callbacks

    assert (checkpoint.monitor, checkpoint.mode, str(checkpoint.dirpath)) == ("val_x", "min", str(tmp_path))


def test_it_saves_no_more_than_weights_where_that_is_asked_for(tmp_path: Path, clock: ScriptedClock):
    checkpoint = FrontCheckpoint("val_acc", keep=1, save_weights_only=True)

    fit(tmp_path, Learning(clock), monitor(clock), checkpoint)

    assert "optimizer_states" not in torch.load(checkpoint.best_model_path, weights_only=True)


def test_a_trial_of_the_code_leaves_no_file(tmp_path: Path, clock: ScriptedClock):
    fit(tmp_path, Learning(clock), monitor(clock), FrontCheckpoint("val_acc"), fast_dev_run=True)

    assert files(tmp_path) == []


def test_lightning_tests_the_best_and_its_loggers_are_told(tmp_path: Path, clock: ScriptedClock):
    heard: list[str] = []

    class Told(CSVLogger):
        def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
            heard.append(checkpoint_callback.best_model_path)

    logger, module = Told(tmp_path), Learning(clock)
    checkpoint = FrontCheckpoint("val_acc", keep=2)

    fitted = fit(tmp_path, module, monitor(clock), checkpoint, logger=logger)
    fitted.test(module, ckpt_path="best", weights_only=True, verbose=False)

    assert len(heard) == 7
    assert heard[-1] == checkpoint.best_model_path
    assert Path(checkpoint.best_model_path).parent == Path(logger.log_dir, "checkpoints")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_it_copies_and_pickles(tmp_path: Path, clock: ScriptedClock, copied: Callable[[Any], Any]):
    checkpoint = copied(FrontCheckpoint("val_acc", keep=2))
    fit(tmp_path, Learning(clock), monitor(clock), checkpoint)

    assert copied(checkpoint).points == checkpoint.points


def test_the_old_root_keeps_alike(tmp_path: Path, clock: ScriptedClock):
    class Old(LearningBody, pytorch_lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.script(clock, SCORES)

    checkpoint = OldRootCheckpoint("val_acc", keep=3)
    options = quiet(tmp_path) | {"max_epochs": 8, "enable_checkpointing": True}
    pytorch_lightning.Trainer(**options, callbacks=[OldRootMonitor(**scripted(clock)), checkpoint]).fit(Old())

    assert isinstance(checkpoint, pytorch_lightning.callbacks.ModelCheckpoint)
    assert [point.epoch for point in checkpoint.points.values()] == [1, 3, 7]
    assert files(tmp_path) == sorted(checkpoint.points)
    assert FrontCheckpoint.__doc__ == OldRootCheckpoint.__doc__
