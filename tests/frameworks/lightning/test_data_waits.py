"""The wait for the training loader, and nothing else that lies between two batches."""

import copy

import pytest
from frameworks.lightning.tiny import BATCHES, TinyModule, epochs, monitor, trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.profilers import SimpleProfiler
from torch.utils.data import DataLoader, Dataset, IterableDataset


class SlowData(Dataset):
    def __init__(self, clock):
        self.clock = clock

    def __len__(self):
        return BATCHES

    def __getitem__(self, index):
        self.clock.advance(2.0)
        return [1.0, 2.0]


class SlowStream(IterableDataset):
    def __init__(self, clock):
        self.clock = clock

    def __iter__(self):
        for _ in range(BATCHES):
            self.clock.advance(2.0)
            yield [1.0, 2.0]


class SlowModule(TinyModule):
    kind = SlowData

    def train_dataloader(self):
        return DataLoader(self.kind(self.clock), batch_size=1, collate_fn=_collate)


class StreamingModule(SlowModule):
    kind = SlowStream


class ManualModule(SlowModule):
    automatic_optimization = False

    def training_step(self, batch, batch_idx):
        loss = super().training_step(batch, batch_idx)
        self.optimizers().zero_grad()
        self.manual_backward(loss)
        self.optimizers().step()


class Busy(Callback):
    """A callback whose hooks between two batches take long."""

    def __init__(self, clock):
        self.clock = clock

    def on_train_batch_end(self, *_):
        self.clock.advance(50.0)

    on_train_batch_start = on_train_batch_end


def _collate(rows):
    import torch

    return torch.tensor(rows)


def waits(callback):
    return [record.data_wait_seconds for record in epochs(callback.accountant.history)]


@pytest.mark.parametrize("kind", [SlowModule, ManualModule])
@pytest.mark.parametrize("options", [{}, {"val_check_interval": 2}, {"accumulate_grad_batches": 2}])
def test_only_the_loader_counts(clock, tmp_path, kind, options):
    if kind is ManualModule and "accumulate_grad_batches" in options:
        pytest.skip("Lightning refuses it")
    ours = monitor(clock, ledger=False)
    trainer(tmp_path, Busy(clock), ours, Busy(clock), **options).fit(kind(clock))
    assert waits(ours) == pytest.approx([2.0 * BATCHES] * 3)


def test_a_stream_is_seen_although_the_trainer_fetches_a_batch_ahead(clock, tmp_path):
    ours = monitor(clock, ledger=False)
    trainer(tmp_path, ours).fit(StreamingModule(clock))
    first, *later = waits(ours)
    assert first == pytest.approx(2.0 * (BATCHES - 1))  # the first batch is fetched before the first epoch
    assert later == pytest.approx([2.0 * BATCHES] * 2)


def test_a_limited_epoch_counts_what_it_fetched(clock, tmp_path):
    ours = monitor(clock, ledger=False)
    trainer(tmp_path, ours, limit_train_batches=2).fit(SlowModule(clock))
    assert waits(ours) == pytest.approx([4.0] * 3)


def test_the_trainer_has_its_profiler_back_afterwards(clock, tmp_path):
    ours = monitor(clock, ledger=False)
    lightning = trainer(tmp_path, ours)
    before = lightning.profiler
    lightning.fit(SlowModule(clock))
    assert lightning.profiler is before
    assert waits(ours) == pytest.approx([2.0 * BATCHES] * 3)


def test_the_trainer_has_its_profiler_back_after_an_exception(clock, tmp_path):
    class Failing(SlowModule):
        def training_step(self, batch, batch_idx):
            raise KeyError(batch_idx)

    ours = monitor(clock, ledger=False)
    lightning = trainer(tmp_path, ours)
    before = lightning.profiler
    with pytest.raises(KeyError):
        lightning.fit(Failing(clock))
    assert lightning.profiler is before
    assert copy.deepcopy(ours).accountant.history.data_wait_seconds is None


def test_a_profiler_of_the_user_stays_and_the_wait_is_unknown(clock, tmp_path):
    ours, profiler = monitor(clock, ledger=False), SimpleProfiler()
    lightning = trainer(tmp_path, ours, profiler=profiler)
    lightning.fit(SlowModule(clock))
    assert lightning.profiler is profiler
    assert waits(ours) == [None] * 3
