"""How many samples an epoch has seen: a number where that is certain, and none where it is not."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from frameworks.lightning.tiny import TinyModule, monitor, trainer
from lightning.pytorch.utilities import CombinedLoader
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from green_callbacks.clock import ScriptedClock
from green_callbacks.errors import ConfigurationError

TEN = torch.ones(10, 2)


class Loading(TinyModule):
    """Takes batches of any kind from a loader of any kind."""

    def __init__(self, clock: ScriptedClock, loader: Any) -> None:
        super().__init__(clock)
        self.loader = loader

    def training_step(self, batch: Any, batch_idx: int) -> torch.Tensor:
        self.clock.advance(1.0)
        return self.layer(torch.ones(1, 2)).mean()

    def transfer_batch_to_device(self, batch: Any, device: Any, dataloader_idx: int) -> Any:
        return batch

    def train_dataloader(self) -> Any:
        return self.loader


def seen(folder: Path, module: TinyModule, **options: Any) -> int | None:
    """The samples of an epoch."""
    callback = monitor(module.clock, sinks=[], ledger=False)
    trainer(folder, callback, **{"max_epochs": 1, "limit_val_batches": 0, **options}).fit(module)
    return callback.accountant.history[0].samples


class Stream(IterableDataset[torch.Tensor]):
    def __init__(self, count: int = 10) -> None:
        self.count = count

    def __iter__(self) -> Iterator[torch.Tensor]:
        return iter(torch.ones(self.count, 2))


class Sizes(Sampler[list[int]]):
    """Batches of 1, 2 and 3."""

    def __iter__(self) -> Iterator[list[int]]:
        yield from ([0], [1, 2], [3, 4, 5])

    def __len__(self) -> int:
        return 3


class Lying(Sampler[int]):
    """Says that it has more than it has."""

    def __iter__(self) -> Iterator[int]:
        return iter(range(7))

    def __len__(self) -> int:
        return 10


class Pictures(Dataset[Any]):
    def __len__(self) -> int:
        return 10

    def __getitem__(self, at: int) -> Any:
        return torch.ones(3, 8 + at, 9), {"boxes": torch.ones(at + 1, 4)}


class Graphs:
    """A batch as PyTorch Geometric makes it."""

    def __init__(self, count: int) -> None:
        self.num_graphs = count
        self.x = torch.ones(7 * count, 3)


def listed(rows: Sequence[Any]) -> Any:
    return tuple(zip(*rows, strict=True))


def time_first(rows: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.stack(list(rows)).repeat(1, 3).T  # six steps of time, each of a batch


def views(rows: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.cat([torch.stack(list(rows))] * 2)


def loaded(data: Any = TEN, **options: Any) -> Callable[[], Any]:
    return lambda: DataLoader(data, **{"batch_size": 4, **options})


@pytest.mark.parametrize(
    ("make", "samples"),
    [
        pytest.param(loaded(), 10, id="the last batch is short"),
        pytest.param(loaded(drop_last=True), 8, id="the last batch is dropped"),
        pytest.param(loaded(shuffle=True), 10, id="shuffled"),
        pytest.param(loaded(sampler=SubsetRandomSampler(range(5))), 5, id="a subset"),
        pytest.param(loaded(sampler=WeightedRandomSampler([1.0] * 10, 9)), 9, id="weighted"),
        pytest.param(loaded(sampler=DistributedSampler(TEN, num_replicas=4, rank=0)), 3, id="a share, padded"),
        pytest.param(
            lambda: DataLoader(TEN, batch_sampler=BatchSampler(SequentialSampler(TEN), 3, drop_last=False)),
            10,
            id="a batch sampler of torch",
        ),
        pytest.param(
            lambda: DataLoader(TEN, batch_sampler=BatchSampler(RandomSampler(TEN), 3, drop_last=True)),
            9,
            id="a batch sampler of torch that drops",
        ),
        pytest.param(lambda: DataLoader(TEN, batch_sampler=Sizes()), 6, id="batches of several sizes"),
        pytest.param(loaded(sampler=Lying()), 7, id="a sampler that ends early"),
        pytest.param(loaded(Pictures(), collate_fn=listed), 10, id="lists of pictures"),
        pytest.param(loaded(collate_fn=time_first), 10, id="time first"),
        pytest.param(loaded(collate_fn=views), 10, id="two views of each"),
        pytest.param(loaded(collate_fn=lambda rows: Graphs(len(rows))), 10, id="what says nothing"),
        pytest.param(loaded([(torch.ones(2), "a", 0.5)] * 10), 10, id="texts and numbers beside"),
        pytest.param(loaded(Stream()), 10, id="a stream"),
        pytest.param(loaded(Stream(), drop_last=True), 8, id="a stream without its end"),
        pytest.param(loaded(Stream(), num_workers=2), 20, id="a stream of two workers"),
        pytest.param(loaded(Stream(), drop_last=True, collate_fn=time_first), 8, id="a stream, time first, no end"),
        pytest.param(loaded(Stream(), collate_fn=time_first), None, id="a stream, time first"),
        pytest.param(loaded(Stream(), collate_fn=views), None, id="a stream, two views of each"),
        pytest.param(lambda: [loaded()()], 10, id="a list of one loader"),
        pytest.param(lambda: {"a": loaded()(), "b": loaded()()}, None, id="two loaders"),
        pytest.param(lambda: CombinedLoader([loaded()(), loaded()()], "min_size"), None, id="combined loaders"),
        pytest.param(
            lambda: DataLoader([(torch.ones(n, 2), torch.ones(n)) for n in (2, 3)], batch_size=None),
            5,
            id="batches made beforehand, with labels",
        ),
        pytest.param(
            lambda: DataLoader([torch.ones(3, 8, 8)] * 2, batch_size=None), None, id="a picture, or three of them"
        ),
        pytest.param(
            lambda: DataLoader([(torch.ones(3, 8, 8), torch.tensor(1))] * 2, batch_size=None), None, id="a labeled one"
        ),
        pytest.param(lambda: DataLoader(["a", "b"], batch_size=None), None, id="texts"),
        pytest.param(lambda: DataLoader([Graphs(2), Graphs(5)], batch_size=None), 7, id="graphs"),
        pytest.param(
            lambda: DataLoader([(torch.ones(n), torch.ones(n)) for n in (20, 30)], batch_size=None),
            None,
            id="packed sequences",
        ),
        pytest.param(
            lambda: DataLoader(TEN, batch_sampler=Sizes(), collate_fn=lambda rows: torch.cat(list(rows))),
            None,
            id="packed by a batch sampler",
        ),
    ],
)
def test_samples_are_certain_or_absent(
    tmp_path: Path, clock: ScriptedClock, make: Callable[[], Any], samples: int | None
):
    assert seen(tmp_path, Loading(clock, make())) == samples


@pytest.mark.parametrize(
    ("options", "samples"),
    [
        ({"limit_train_batches": 2}, 8),
        ({"overfit_batches": 1}, 4),
        ({"accumulate_grad_batches": 2}, 10),
        ({"max_steps": 2, "max_epochs": -1}, 8),
    ],
)
def test_only_what_was_done_counts(tmp_path: Path, clock: ScriptedClock, options: dict[str, Any], samples: int):
    assert seen(tmp_path, Loading(clock, loaded()()), **options) == samples


def test_an_epoch_that_max_steps_cuts_short_is_not_complete(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock)
    trainer(tmp_path, callback, max_steps=6, max_epochs=-1, limit_val_batches=0).fit(TinyModule(clock))
    assert [(record.complete, record.samples) for record in callback.accountant.history] == [(True, 8), (False, 4)]


def test_parts_of_an_epoch_share_its_samples_out(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock, decide_every=2)
    trainer(tmp_path, callback, max_epochs=1).fit(Loading(clock, loaded(torch.ones(9, 2), batch_size=2)()))
    assert [record.samples for record in callback.accountant.history] == [4, 4, 1]


def test_a_batch_that_changes_on_its_way_to_the_device_is_measured_by_nothing(tmp_path: Path, clock: ScriptedClock):
    class Doubling(Loading):
        def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
            return torch.cat([batch, batch])

    assert seen(tmp_path, Doubling(clock, DataLoader(TEN, batch_sampler=Sizes()))) is None
    assert seen(tmp_path, Doubling(clock, loaded()())) == 10


@pytest.mark.filterwarnings("ignore:.*`dataloader_iter`")
def test_a_module_that_draws_batches_itself_leaves_them_unknown(tmp_path: Path, clock: ScriptedClock):
    class Drawing(TinyModule):
        def training_step(self, dataloader_iter: Any) -> torch.Tensor:  # type: ignore[override]
            next(dataloader_iter)
            batch, _, _ = next(dataloader_iter)
            return self.layer(batch).mean()

    assert seen(tmp_path, Drawing(clock)) is None


def test_a_batch_that_cannot_be_asked_has_no_samples_and_ends_nothing(
    tmp_path: Path, clock: ScriptedClock, caplog: pytest.LogCaptureFixture
):
    class Bad(dict[str, Any]):
        def items(self) -> Any:
            raise ZeroDivisionError

    class Loader:
        def __iter__(self) -> Iterator[Any]:
            return iter([Bad(x=TEN)] * 3)

    assert seen(tmp_path, Loading(clock, Loader())) is None
    assert len([message for message in caplog.messages if message.startswith("The size of a batch")]) == 1


def test_what_the_user_observes_goes_before_what_is_counted(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock)

    class Counting(TinyModule):
        def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
            callback.accountant.observe(samples=100)
            return super().training_step(batch, batch_idx)

    trainer(tmp_path, callback, max_epochs=2).fit(Counting(clock))

    assert [record.samples for record in callback.accountant.history] == [400, 400]


def test_the_user_may_say_how_many_samples_an_epoch_has(tmp_path: Path, clock: ScriptedClock):
    callback = monitor(clock, samples_per_epoch=50)

    trainer(tmp_path, callback, max_steps=6, max_epochs=-1).fit(TinyModule(clock))

    assert [record.samples for record in callback.accountant.history] == [50, None]


@pytest.mark.parametrize("samples", [0, -1, 2.5, True, "50"])
def test_a_number_of_samples_that_cannot_be_is_refused(clock: ScriptedClock, samples: Any):
    with pytest.raises(ConfigurationError, match="samples_per_epoch="):
        monitor(clock, samples_per_epoch=samples)
