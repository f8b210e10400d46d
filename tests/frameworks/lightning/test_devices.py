from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer

from green_callbacks._frameworks.lightning.trainer import LightningRanks, learning_rate, tensorboard_writer
from green_callbacks._frameworks.torch.gpus import gpu_name, gpu_uuids
from green_callbacks.accountant.guarded_calls import Guarded

UUID = "8932f937-d72c-4106-c12f-20bd9faed9f6"


@pytest.mark.parametrize("name", ["cpu", "meta"])
def test_training_elsewhere_counts_no_gpu(name: str):
    assert gpu_uuids(torch.device(name)) == ()


def test_the_gpu_of_the_rank_is_named_as_the_driver_names_it(monkeypatch: pytest.MonkeyPatch):
    asked: list[Any] = []

    def properties(device: torch.device) -> Any:
        asked.append(device)
        return SimpleNamespace(uuid=UUID)

    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)

    assert gpu_uuids(torch.device("cuda", 1)) == (f"GPU-{UUID}", f"MIG-{UUID}")
    assert asked == [torch.device("cuda", 1)]


def test_where_torch_does_not_say_the_environment_decides(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace())

    assert gpu_uuids(torch.device("cuda", 0)) is None


@pytest.mark.parametrize(("device", "name"), [("cpu", ""), ("meta", ""), ("cuda:1", "cuda:1"), ("mps", "mps")])
def test_what_a_rank_trains_on_is_named_unless_it_is_the_processors(device: str, name: str):
    assert gpu_name(torch.device(device)) == name


def test_torch_does_not_say_which_graphics_card_of_intel_it_is():
    assert gpu_uuids(torch.device("xpu", 0)) is None


def test_without_an_optimizer_there_is_no_learning_rate():
    assert learning_rate(SimpleNamespace(optimizers=[])) is None


def test_sums_over_ranks_keep_64_bits_and_leave_what_was_summed_alone():
    ranks, vector = LightningRanks(Trainer(accelerator="cpu", logger=False, barebones=True)), [1 / 3, 123456789.123]

    assert ranks.sum(vector) == vector == [1 / 3, 123456789.123]
    assert ranks.gather({"a": 1}) == [{"a": 1}]
    assert (ranks.rank, ranks.size) == (0, 1)


def test_only_rank_0_writes_to_tensorboard():
    assert tensorboard_writer(SimpleNamespace(is_global_zero=False), Guarded()) is None
