"""Reports what training shows of each sample, and never stands in its way."""

import json
import logging
from pathlib import Path

import pytest
import torch
from frameworks.lightning.tiny import BATCHES, WATTS, monitor, trainer
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from support.warm_python import run_script
from torch.utils.data import ConcatDataset, DataLoader, Subset

from green_callbacks import DataReport as ForLoops
from green_callbacks import Summary
from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import ConfigurationError
from green_callbacks.ledger import read_ledger
from green_callbacks.ledger.data_file import data_file_of, read_data_totals
from green_callbacks.lightning import DataReport, Indexed

SAMPLES = 8
pytestmark = pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no")


class Scripted(LightningModule):
    """Each sample holds its own loss. Sample 0 is never known."""

    def __init__(self, clock, losses=None, keys=("loss", "per_sample_loss", "index")):
        super().__init__()
        self.clock, self.keys = clock, keys
        self.layer = torch.nn.Linear(1, 1)
        self.losses = losses or (lambda epoch, index: (index == 0) * 3.0 + 0.1)

    def training_step(self, batch, batch_idx):
        self.clock.advance(1.0)
        index = batch["index"] if isinstance(batch, dict) else batch[-1]
        losses = self.losses(self.current_epoch, index)
        loss = sum(each.sum() for each in self.parameters()) * 0 + torch.nan_to_num(losses).mean()
        known = {"loss": loss, "per_sample_loss": losses, "index": index, "correct": losses < 0.05}
        return {key: known[key] for key in self.keys}

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.0)


class Validated(Scripted):
    """Returns the same in its validation."""

    def validation_step(self, batch, batch_idx):
        self.clock.advance(0.5)
        return {"loss": self.layer.weight.sum(), "per_sample_loss": torch.zeros(2), "index": torch.tensor([0, 1])}


@pytest.fixture
def clock():
    return ScriptedClock()


def pairs(count=SAMPLES):
    return [(torch.zeros(1), 0) for _ in range(count)]


def loader(dataset=None, **options):
    return DataLoader(Indexed(pairs()) if dataset is None else dataset, batch_size=2, **options)


def fit(folder, clock, callback, data=None, module=None, callbacks=None, ckpt_path=None, **options):
    used = [callback, monitor(clock)] if callbacks is None else callbacks
    fitting = trainer(folder, *used, **{"max_epochs": 6, **options})
    fitting.fit(module or Scripted(clock), loader() if data is None else data, ckpt_path=ckpt_path)
    return fitting


def written(folder):
    (path,) = folder.glob("green-callbacks/*.data.json")
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("is_first", [True, False])
def test_visits_and_joules_are_exact_wherever_the_callback_stands(is_first, tmp_path, clock):
    callback, energy = DataReport(), monitor(clock)
    callbacks = [callback, energy] if is_first else [energy, callback]
    fitting = trainer(tmp_path, *callbacks, max_epochs=6, num_sanity_val_steps=1)
    fitting.fit(Validated(clock), loader(shuffle=True), loader())

    totals = read_data_totals(data_file_of(energy.accountant.ledger))
    assert (totals.samples, totals.visits, totals.dataset_size) == (8, 48, 8)
    assert totals.known_visits == 7 * 3, "each sample but one was known at its three visits before, from epoch 3 on"
    assert totals.training_joules == pytest.approx([6 * BATCHES * WATTS] * 3)
    assert totals.known_joules == pytest.approx([3 * BATCHES * WATTS * 7 / 8] * 3)
    assert written(tmp_path)["indices"] == {
        "known_at_once": [1, 2, 3, 4, 5, 6, 7],
        "forgotten": [],
        "never_learned": [0],
        "probably_mislabeled": [0],
    }


def test_the_summary_and_a_later_reader_say_it(tmp_path, clock):
    said, callback = [], DataReport()
    energy = monitor(clock, sinks=[Summary(said.append)])
    fit(tmp_path, clock, callback, callbacks=[energy, callback])

    (text,) = said
    flat = " ".join(text.split())
    assert "44 % of the visits went to samples that were known already" in flat
    assert "1 sample is probably mislabeled (12 %)." in flat
    assert f"{energy.accountant.run_id}.data.json beside the ledger." in flat


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (("loss",), "returns no losses of samples"),
        (("loss", "index"), "returns no losses of samples"),
        (("loss", "per_sample_loss"), "returns no index"),
    ],
)
def test_without_losses_or_indices_it_says_so_once_and_does_nothing(keys, sentence, tmp_path, clock, caplog):
    callback, energy = DataReport(), monitor(clock)
    fit(tmp_path, clock, callback, module=Scripted(clock, keys=keys), callbacks=[callback, energy])

    assert sum(sentence in record.getMessage() for record in caplog.records) == 1
    assert not list(tmp_path.rglob("*.data.json"))
    assert any(sentence in text for text in read_ledger(energy.accountant.ledger).notices.values())


def test_the_index_of_a_mapping_need_not_be_returned(tmp_path, clock):
    callback = DataReport()
    data = loader(Indexed([{"x": torch.zeros(1)} for _ in range(SAMPLES)]))
    fit(tmp_path, clock, callback, data, Scripted(clock, keys=("loss", "per_sample_loss")))
    assert callback.report.totals().visits == 48


def test_answers_win_over_losses(tmp_path, clock):
    callback = DataReport()
    fit(tmp_path, clock, callback, module=Scripted(clock, keys=("loss", "per_sample_loss", "index", "correct")))
    totals = callback.report.totals()
    assert totals.never_learned == 8
    assert totals.known_by == "A sample counts as known while the network classifies it correctly."


@pytest.mark.parametrize("options", [{"accumulate_grad_batches": 2}, {"max_steps": 9}, {"limit_train_batches": 3}])
def test_each_batch_counts_once_however_the_trainer_counts(options, tmp_path, clock):
    callback = DataReport()
    fitting = fit(tmp_path, clock, callback, **options)
    batches = fitting.fit_loop.epoch_loop.total_batch_idx + 1
    assert callback.report.totals().visits == 2 * batches


def test_workers_subsets_and_orders_change_no_index(tmp_path, clock):
    callback = DataReport()
    data = loader(Subset(Indexed(pairs(20)), range(10, 18)), shuffle=True, num_workers=1, persistent_workers=True)
    fit(tmp_path, clock, callback, data)
    assert written(tmp_path)["indices"]["known_at_once"] == list(range(10, 18))
    assert callback.report.totals().dataset_size == 20


def test_two_wrapped_parts_are_said(tmp_path, clock, caplog):
    data = loader(ConcatDataset([Indexed(pairs()), Indexed(pairs())]))
    fit(tmp_path, clock, DataReport(), data, max_epochs=1)
    assert "2 parts of the training set are wrapped" in caplog.text


def odd(epoch, index):
    losses = (index == 0) * 3.0 + 0.1
    return torch.where(index == 5, torch.nan, losses)


def test_losses_that_are_no_numbers_are_left_out_and_said(tmp_path, clock, caplog):
    callback = DataReport()
    fit(tmp_path, clock, callback, module=Scripted(clock, odd))
    assert callback.report.totals().samples == 7
    assert "6 visits had a loss that is NaN or infinite" in caplog.text


class Other(Scripted):
    """Returns what is no index, or losses that do not fit."""

    def __init__(self, clock, change):
        super().__init__(clock)
        self.change = change

    def training_step(self, batch, batch_idx):
        return {**super().training_step(batch, batch_idx), **self.change}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"index": ["a", "b"]}, "no list of whole numbers"),
        ({"index": torch.tensor([0.0, 1.0])}, "no list of whole numbers"),
        ({"index": 3}, "no list of whole numbers"),
        ({"index": torch.tensor([True, False])}, "no list of whole numbers"),
        ({"index": torch.tensor([0, 1, 2])}, "3 indices and losses of shape (2,)"),
        ({"per_sample_loss": torch.ones(2, 5)}, "2 indices and losses of shape (2, 5)"),
        ({"per_sample_loss": torch.tensor(1.0)}, "losses of shape ()"),
        ({"per_sample_loss": ["a", "b"]}, "are no numbers"),
        ({"correct": torch.ones(3)}, "answers of shape (3,)"),
        ({"index": torch.tensor([-1, 2**40])}, "16 visits had a negative or too large index"),
    ],
)
def test_what_cannot_be_counted_is_said_once_and_training_goes_on(change, sentence, tmp_path, clock, caplog):
    callback = DataReport()
    fitting = fit(tmp_path, clock, callback, module=Other(clock, change), max_epochs=2)
    callback.report.totals()
    assert fitting.current_epoch == 2
    assert callback.report.totals().visits == 0
    assert sum(sentence in record.getMessage() for record in caplog.records) == 1


class Raising(Callback):
    """Raises in its fourth epoch."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == 3:
            raise RuntimeError


def test_after_an_exception_there_is_a_report_in_the_summary_too(tmp_path, clock):
    said, callback = [], DataReport()
    energy = monitor(clock, sinks=[Summary(said.append)])
    with pytest.raises(RuntimeError):
        fit(tmp_path, clock, callback, callbacks=[energy, callback, Raising()])
    assert written(tmp_path)["totals"]["visits"] == 24
    assert "samples that were known already" in " ".join(said[0].split())


class CutShort(Callback):
    """Raises within its fourth epoch."""

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if (trainer.current_epoch, batch_idx) == (3, 1):
            raise RuntimeError


def test_an_epoch_that_is_cut_short_leaves_the_energy_of_the_others(tmp_path, clock):
    callback, energy = DataReport(), monitor(clock)
    with pytest.raises(RuntimeError):
        fit(tmp_path, clock, callback, callbacks=[energy, callback, CutShort()])
    totals = callback.report.totals()
    assert totals.visits == 28
    assert totals.training_joules == pytest.approx([3 * BATCHES * WATTS] * 3)
    fit(tmp_path, clock, callback, callbacks=[callback, energy], max_epochs=2)
    totals = callback.report.totals()
    assert totals.training_joules == pytest.approx([(5 * BATCHES + 2) * WATTS] * 3), "its record came later"


class Saved(Callback):
    """Saves a checkpoint in the third epoch, before that epoch is recorded."""

    def on_validation_end(self, trainer, pl_module):
        if trainer.current_epoch == 2:
            trainer.save_checkpoint(f"{trainer.default_root_dir}/saved.ckpt")


def test_a_checkpoint_before_the_end_of_its_epoch_loses_no_energy(tmp_path, clock):
    first, resumed = DataReport(), DataReport()
    for callback, options in ((first, {}), (resumed, {"ckpt_path": tmp_path / "saved.ckpt"})):
        fitting = trainer(tmp_path, callback, monitor(clock), Saved(), max_epochs=6, enable_checkpointing=True)
        fitting.fit(Validated(clock), loader(), loader(), **options)
    totals = resumed.report.totals()
    assert totals.training_joules == pytest.approx([6 * BATCHES * WATTS] * 3)
    assert totals.known_joules == pytest.approx([3 * BATCHES * WATTS * 7 / 8] * 3)


@pytest.mark.parametrize("change", [{"energy": {}}, {"energy": None}, {"dataset_size": "x"}, {"version": 9}])
def test_a_damaged_state_is_said_and_counts_begin_anew(change, tmp_path, clock, caplog):
    first, saved = DataReport(), ModelCheckpoint(tmp_path / "saved", save_last=True)
    fit(tmp_path, clock, first, callbacks=[first, monitor(clock), saved], max_epochs=1, enable_checkpointing=True)
    path = tmp_path / "saved" / "last.ckpt"
    checkpoint = torch.load(path, weights_only=False)
    checkpoint["callbacks"][DataReport.state_key].update(change)
    torch.save(checkpoint, path)
    resumed = DataReport()
    fit(tmp_path, clock, resumed, ckpt_path=path, max_epochs=2)
    assert resumed.report.totals().visits == SAMPLES
    assert "The state of the report on the data" in caplog.text


def test_a_resumed_run_counts_like_an_uninterrupted_one(tmp_path, clock):
    whole = DataReport()
    fit(tmp_path / "whole", clock, whole)
    first, saved = DataReport(), ModelCheckpoint(tmp_path / "saved", save_last=True)
    fit(tmp_path / "a", clock, first, callbacks=[first, monitor(clock), saved], max_epochs=4, enable_checkpointing=True)
    resumed, energy = DataReport(), monitor(clock)
    fit(tmp_path / "b", clock, resumed, callbacks=[energy, resumed], ckpt_path=tmp_path / "saved" / "last.ckpt")

    expected = whole.report.totals()
    totals = resumed.report.totals()
    assert totals._replace(run_id="") == expected._replace(run_id="")
    assert totals.known_joules == pytest.approx([3 * BATCHES * WATTS * 7 / 8] * 3)
    assert data_file_of(energy.accountant.ledger).exists(), "beside the ledger that goes on"


def test_another_data_set_after_a_resume_is_said(tmp_path, clock, caplog):
    first, saved = DataReport(), ModelCheckpoint(tmp_path / "saved", save_last=True)
    fit(tmp_path, clock, first, callbacks=[first, monitor(clock), saved], max_epochs=2, enable_checkpointing=True)
    resumed = DataReport()
    data = loader(Indexed(pairs(12)))
    fit(tmp_path, clock, resumed, data, ckpt_path=tmp_path / "saved" / "last.ckpt", max_epochs=3)
    assert "has grown from 8 to 12 samples" in caplog.text
    assert resumed.report.totals().visits == 16 + 12


def test_a_second_fit_goes_on_and_another_run_begins_anew(tmp_path, clock):
    callback, energy = DataReport(), monitor(clock)
    for _ in range(2):
        fit(tmp_path, clock, callback, callbacks=[callback, energy], max_epochs=2)
    totals = callback.report.totals()
    assert totals.visits == 32
    assert totals.training_joules == pytest.approx([4 * BATCHES * WATTS] * 3)
    fit(tmp_path, clock, callback, callbacks=[callback, monitor(clock)], max_epochs=2)
    assert callback.report.totals().visits == 16


def test_without_a_ledger_it_is_said_and_a_path_helps(tmp_path, clock, caplog):
    callback = DataReport()
    fit(tmp_path, clock, callback, callbacks=[callback, monitor(clock, ledger=False)], max_epochs=1)
    assert "is written to no file, because the run has no ledger" in caplog.text
    assert not list(tmp_path.rglob("*.data.json"))
    named = DataReport(path=tmp_path / "mine.json")
    fit(tmp_path, clock, named, callbacks=[named], max_epochs=1)
    totals = read_data_totals(tmp_path / "mine.json")
    assert totals.visits == 8
    assert totals.training_joules is None, "without a monitor"


def test_a_folder_that_cannot_be_written_is_said(tmp_path, clock, caplog):
    tmp_path.joinpath("file").write_text("")
    callback = DataReport(path=tmp_path / "file" / "report.json")
    fit(tmp_path, clock, callback, max_epochs=1)
    assert "cannot be written" in caplog.text


def test_a_fast_development_run_writes_nothing(tmp_path, clock):
    callback = DataReport()
    fit(tmp_path, clock, callback, fast_dev_run=2)
    assert callback.report.totals().visits == 0
    assert not list(tmp_path.rglob("*.data.json"))


def test_a_report_for_loops_is_no_callback(tmp_path, clock):
    with pytest.raises(ConfigurationError, match=r"import DataReport from green_callbacks\.lightning"):
        trainer(tmp_path, ForLoops())


def test_it_is_told_as_information(tmp_path, clock, caplog):
    caplog.set_level(logging.INFO, "green_callbacks")
    fit(tmp_path, clock, DataReport())
    assert "The samples are listed in" in caplog.text


def test_tensors_on_an_accelerator_are_joined_there_and_read_later(monkeypatch):
    class Event:
        def record(self, stream):
            waited.append(stream)

        def synchronize(self):
            waited.append("waited")

    class OnGpu(torch.Tensor):
        is_cpu, is_cuda = False, True

        def to(self, *options, **named):
            return self.as_subclass(torch.Tensor)

    waited, report = [], ForLoops()
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: "stream")
    index, losses = torch.arange(4).as_subclass(OnGpu), torch.tensor([0.1, 0.1, 3.0, 0.2], dtype=torch.bfloat16)
    for _ in range(256):
        report.observe(index, losses.as_subclass(OnGpu))
    assert "stream" in waited
    assert "waited" not in waited, "no step waits"
    assert report.totals().visits == 1024
    assert report.totals().never_learned == 1


def test_visits_of_two_processes_come_together_and_a_resumed_run_goes_on(tmp_path):
    done = run_script([Path(__file__).with_name("data_ranks.py"), tmp_path], tmp_path)
    assert done.returncode == 0, done.stderr

    seen = {path.stem: path.read_text() for path in tmp_path.glob("rank*.txt")}
    assert seen == {"rank0-6": "60 9", "rank1-6": "0 0", "rank0-8": "80 9", "rank1-8": "0 0"}
    assert written(tmp_path)["indices"]["known_at_once"] == list(range(1, 9))
    assert written(tmp_path)["totals"]["dataset_size"] == 9
