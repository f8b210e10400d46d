"""The function that averages recent weights, as torch calls it."""

import copy
import doctest
import importlib
import logging
import pickle
from decimal import Decimal
from typing import Any

import pytest
import torch
from torch.optim.swa_utils import AveragedModel

import green_callbacks.torch
from green_callbacks import lightning, pytorch_lightning
from green_callbacks.errors import ConfigurationError
from green_callbacks.torch import recent_average

ARGUMENTS = ["avg_fn", "multi_avg_fn"]


class Counted(torch.nn.Module):
    """Holds a number and a statistic, which both are the number of the update, and counts and flags beside them."""

    def __init__(self, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.number = torch.nn.Parameter(torch.zeros((), dtype=dtype))
        self.register_buffer("statistic", torch.zeros(2, dtype=dtype))
        self.register_buffer("count", torch.tensor(0))
        self.register_buffer("flag", torch.tensor(False))  # noqa: FBT003  its value

    def at(self, update: int) -> "Counted":
        with torch.no_grad():
            for each in (self.number, self.statistic, self.count):
                each.fill_(update)
            self.flag.fill_(update % 2)
        return self


def averaged(argument: str, share: float, updates: int, module: Counted | None = None) -> Counted:
    """The average after a number of updates."""
    module = module or Counted()
    average = AveragedModel(module, use_buffers=True, **{argument: recent_average(share)})
    for update in range(1, updates + 1):
        average.update_parameters(module.at(update))
    return average.module


@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize(("share", "reach"), [(0.1, 10), (0.25, 4), (0.5, 2), (1.0, 1)])
@pytest.mark.parametrize("updates", [20, 333])
def test_the_mean_age_is_about_the_share_of_the_updates(argument, share, reach, updates):
    age = updates - averaged(argument, share, updates).number.item()

    assert age == pytest.approx((updates - reach) / (reach + 1), rel=1e-6)
    assert age == pytest.approx(share / (1 + share) * updates, abs=reach)


@pytest.mark.parametrize("argument", ARGUMENTS)
@pytest.mark.parametrize("updates", [1, 2, 10])
def test_the_first_updates_copy_the_weights(argument, updates):
    assert averaged(argument, 0.1, updates).number.item() == updates


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_a_share_of_one_is_the_plain_mean(argument):
    assert averaged(argument, 1, 101).number.item() == pytest.approx(51)


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_statistics_are_averaged_and_counts_and_flags_are_copied(argument):
    average = averaged(argument, 0.1, 101)

    assert average.statistic.tolist() == pytest.approx([average.number.item()] * 2)
    assert (average.count.item(), average.flag.item()) == (101, True)
    assert average.count.dtype == torch.int64


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_complex_weights_are_averaged(argument):
    average = averaged(argument, 0.1, 20, Counted(torch.complex64))

    assert average.number.item() == pytest.approx(20 - 10 / 11, rel=1e-5)
    assert average.number.dtype == torch.complex64


@pytest.mark.parametrize("count", [19, torch.tensor(19), torch.tensor(19, dtype=torch.int32)])
def test_the_count_may_be_a_number_or_a_tensor(count):
    function = recent_average()
    average = torch.tensor([1.0])

    assert function(average, torch.tensor([3.0]), count).item() == pytest.approx(2.0)
    assert average.item() == 1.0, "torch copies the result itself"
    assert function([average], [torch.tensor([3.0])], count) is None
    assert average.item() == pytest.approx(2.0), "a list is changed in place"


def test_the_count_is_not_read_from_its_device():
    average = recent_average()(*(torch.ones(3, device="meta") for _ in range(2)), torch.tensor(9, device="meta"))

    assert average.device.type == "meta", "whose values cannot be read"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_weights_in_16_bits_are_said_once_to_stand_still(dtype, caplog):
    module = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)).to(dtype)
    average = AveragedModel(module, multi_avg_fn=recent_average(), use_buffers=True)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            average.update_parameters(module)

    (message,) = caplog.messages
    assert f"The weights are {dtype}" in message
    assert "bf16-mixed" in message


def test_an_average_in_16_bits_does_stand_still():
    function, average = recent_average(), torch.ones((), dtype=torch.bfloat16)
    for count in range(1000, 3000):
        average = function(average, torch.tensor(1.1, dtype=torch.bfloat16), count)

    assert average.item() == 1.0


def test_it_pickles_copies_and_shows_its_share():
    function = recent_average(0.25)

    for each in (function, pickle.loads(pickle.dumps(function)), copy.deepcopy(function)):
        assert repr(each) == "recent_average(share=0.25)"
        assert each(torch.zeros(1), torch.ones(1), 7).item() == pytest.approx(0.5)
    assert repr(recent_average()) == "recent_average(share=0.1)"


@pytest.mark.parametrize("share", [1, 1.0, Decimal("0.5"), torch.tensor(0.5), 1e-9])
def test_any_number_above_0_and_at_most_1_is_a_share(share):
    assert recent_average(share)(torch.zeros(1), torch.ones(1), 0).item() == 1.0


@pytest.mark.parametrize(
    ("share", "described"),
    [
        (0, "0"),
        (-0.1, "-0.1"),
        (1.01, "1.01"),
        (10, "10"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (True, "True"),
        (None, "None"),
        ("0.1", "'0.1'"),
        ([0.1], "a value of type list"),
        (1j, "a value of type complex"),
    ],
)
def test_anything_else_is_refused_with_the_remedy(share: Any, described: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        recent_average(share)

    assert str(refused.value) == f"share is {described}. Give a number above 0 and at most 1, such as 0.1."


def test_each_adapter_of_torch_has_the_same_function():
    assert lightning.recent_average is pytorch_lightning.recent_average is recent_average


@pytest.mark.parametrize("name", ["green_callbacks.torch", "green_callbacks._frameworks.torch.recent_average"])
def test_the_examples_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
    assert green_callbacks.torch.__all__ == ["recent_average"]
