"""What runs paid to reach a quality, and what became of those that did not."""

import math
import struct

import pytest
from support.quality_curves import trained
from support.reaching_runs import TARGET, reached

from green_callbacks.analysis.comparing import Group, RunPoint
from green_callbacks.analysis.comparing.equal_quality import Side, Target, parse_target
from green_callbacks.analysis.comparing.equal_quality.reaching import first_reached, spent_without
from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import Metric

RUN = {"metric_names": ("val_acc",)}


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("val_acc=0.92", ("val_acc", 0.92)),
        (" val_loss = 3e-1 ", ("val_loss", 0.3)),
        ("val_acc>=0.92", ("val_acc", 0.92)),
        ("val_loss<=0.3", ("val_loss", 0.3)),
        ("a=b=-1", ("a=b", -1.0)),
    ],
)
def test_a_quality_is_a_metric_and_a_value(text, target):
    assert parse_target(text) == target


@pytest.mark.parametrize("text", ["val_acc", "0.92", "=0.92", "val_acc=", "val_acc=nan", "val_acc=0,92", "a=inf", ""])
def test_no_quality_is_refused_with_an_example(text):
    with pytest.raises(ConfigurationError, match=r"Write METRIC=VALUE, such as val_acc=0\.92\."):
        parse_target(text)


def test_the_first_value_that_is_good_enough_counts_with_all_before():
    run = trained([0.5, 0.91, 0.7, 0.95], **RUN)
    assert first_reached(run, TARGET) == RunPoint(1, 0.91, 2.0, pytest.approx(2 / 3), 120.0)
    assert first_reached(run, Target(Metric("val_acc", "max"), 0.99)) is None


def test_a_metric_that_falls_is_reached_from_above():
    target = Target(Metric("val_loss", "min"), 0.3)
    assert [target.is_reached(value) for value in (0.31, 0.3, 0.2)] == [False, True, True]


def test_rounding_in_single_precision_is_no_failure():
    single = struct.unpack("f", struct.pack("f", 0.9))[0]
    assert single < 0.9
    assert TARGET.is_reached(single)
    assert not TARGET.is_reached(0.8999)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_reaches_nothing(value):
    assert not TARGET.is_reached(value)
    assert not Target(Metric("val_loss", "min"), 0.3).is_reached(value)


def test_runs_are_sorted_by_what_became_of_them():
    runs = [
        trained([0.95], name="reached", **RUN),
        trained([0.5], name="missed", **RUN),
        trained([], name="killed early", is_closed=False, began_epochs=False),
        trained([], name="failed", began_epochs=True),
        trained([], name="wrapper", began_epochs=False),
        trained([], name="other", metric_names=("val_loss",)),
    ]
    side = Side.of(Group("side", runs), TARGET)
    assert [each.run.run_id for each in side.reached] == ["reached"]
    assert [run.run_id for run in side.missed] == ["missed", "failed"]
    assert [(run.run_id, why) for run, why in side.left_out] == [
        ("killed early", "without any epoch"),
        ("wrapper", "without any epoch"),
        ("other", "with values of other metrics than val_acc"),
    ]
    assert side.size == 3


def test_costs_that_are_not_known_are_none():
    [unmeasured] = Side.of(Group("side", [trained([0.95], **{**RUN, "kwh": 0.0, "name": "a"})]), TARGET).reached
    assert unmeasured.cost("energy") == 0.0
    group = Group("side", [trained([0.95], name="a", **RUN)])
    [known] = Side.of(group, TARGET).reached
    assert (known.cost("energy"), known.cost("time")) == (1.0, 60.0)
    run = reached("a", 1.0, kwh=None).runs[0]
    assert Side.of(Group("side", [run]), TARGET).reached[0].cost("energy") is None
    assert spent_without(run, "emissions") is None
    assert spent_without(run, "time") == 60.0
    assert spent_without(trained([], name="none"), "time") == 0.0
    assert Side.of(reached("a", math.inf), TARGET).reached[0].cost("energy") is None


@pytest.mark.parametrize(("value", "text"), [(0.92, "val_acc 0.92"), (90.0, "val_acc 90"), (1e-5, "val_acc 1e-05")])
def test_a_quality_is_written_without_spare_digits(value, text):
    assert str(Target(Metric("val_acc", "max"), value)) == text
