"""Which GPUs of a process count."""

from types import SimpleNamespace

import torch

from green_callbacks._frameworks.transformers.devices import devices_of


def model_on(*devices):
    return SimpleNamespace(parameters=lambda: [SimpleNamespace(device=torch.device(device)) for device in devices])


def arguments(device, n_gpu=1):
    return SimpleNamespace(device=torch.device(device), n_gpu=n_gpu)


def test_a_model_on_several_gpus_counts_all_of_them():
    found = devices_of(arguments("cuda:0"), model_on("cuda:0", "cuda:2", "meta", "cpu"))

    assert found == [torch.device("cuda:0"), torch.device("cuda:2")]


def test_copies_of_the_model_count_all_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)

    assert len(devices_of(arguments("cuda:0", n_gpu=3), model_on("cuda:0"))) == 3


def test_a_processor_counts_no_gpu():
    assert devices_of(arguments("cpu", n_gpu=0), model_on("cpu")) == [torch.device("cpu")]
    assert devices_of(arguments("cpu", n_gpu=0), None) == [torch.device("cpu")]


def test_a_gpu_without_a_number_is_not_counted_twice(monkeypatch):
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)

    assert devices_of(arguments("cuda"), model_on("cuda:0")) == [torch.device("cuda:0")]
