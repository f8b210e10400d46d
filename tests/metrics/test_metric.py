"""A metric as a value: its key, and the direction in which it improves."""

from math import inf, nan

import pytest

from green_callbacks.errors import ConfigurationError
from green_callbacks.metrics import Metric


def test_the_direction_is_as_given_or_else_by_the_name():
    assert Metric.of("val_loss") == Metric("val_loss", "min")
    assert Metric.of("val_loss", "max") == Metric("val_loss", "max")
    with pytest.raises(ConfigurationError, match="'val_x' does not say"):
        Metric.of("val_x")


@pytest.mark.parametrize(
    ("name", "mode", "rises"),
    [
        ("val_loss", "auto", False),
        ("val_loss", "max", True),
        ("val_x", "min", False),
        ("val_x", "auto", True),
        ("val_loss", None, False),
        ("val_acc", "upwards", True),
    ],
)
def test_where_nothing_says_so_more_is_better(name, mode, rises):
    assert Metric.or_rising(name, mode).rises == rises


def test_the_best_value_is_finite():
    values = [nan, 0.3, inf, 0.5, -inf]
    assert Metric("val_acc", "max").best(values) == 0.5
    assert Metric("val_loss", "min").best(values) == 0.3
    assert Metric("val_acc", "max").best([nan, inf]) is None
    assert Metric("val_acc", "max").best([]) is None
