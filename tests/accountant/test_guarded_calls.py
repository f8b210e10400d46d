import decimal
from fractions import Fraction

import pytest

from green_callbacks.accountant.guarded_calls import Guarded, as_number


class Raising:
    """Raises whatever is asked of it."""

    def __float__(self):
        raise ZeroDivisionError

    def __repr__(self):
        raise ZeroDivisionError

    __str__ = __repr__


@pytest.mark.parametrize("value", [1, 0.5, True, decimal.Decimal("0.25"), Fraction(1, 2), float("inf")])
def test_numbers_of_any_kind_are_numbers(value):
    assert as_number(value) == float(value)


@pytest.mark.parametrize(
    "value", ["0.5", b"1", bytearray(b"1"), 1j, {}, [0.5], (1,), object(), Raising(), 10**400, decimal.Decimal("sNaN")]
)
def test_what_is_no_number_is_left_out_and_named_once_with_a_remedy(value, caplog):
    guarded = Guarded()
    for _ in range(3):
        assert guarded.numbers({"odd\x1b": value, "val_acc": 0.5, "none": None}) == {"val_acc": 0.5}
    [message] = caplog.messages
    assert "odd" in message
    assert "Log a scalar" in message
    assert message.isprintable()


def test_an_array_of_one_element_is_its_element():
    class Array:
        shape, dtype = (1, 1), None

        def __init__(self, item):
            self._item = item

        def item(self):
            return self._item

    assert as_number(Array(0.5)) == 0.5
    with pytest.raises(TypeError):
        as_number(Array("0.5"))


def test_a_name_of_any_kind_is_a_name():
    assert Guarded().numbers({1: 0.5, ("a", "b"): 1.0}) == {"1": 0.5, "('a', 'b')": 1.0}
    assert Guarded().numbers({Raising(): 0.5}) == {}


def test_what_raises_is_not_known_and_said_once(caplog):
    guarded = Guarded()
    assert [guarded.ask("The size of a batch", lambda: 1 / 0, None) for _ in range(3)] == [None] * 3
    assert [guarded.ask("The size of a batch", lambda: 4, None)] == [4]
    guarded.tell("Logging", lambda: 1 / 0)
    assert caplog.messages == [
        "The size of a batch cannot be read (ZeroDivisionError: division by zero). It counts as not known.",
        "Logging failed (ZeroDivisionError: division by zero). Training goes on without it.",
    ]


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_passes_through(end):
    def interrupted():
        raise end

    with pytest.raises(end):
        Guarded().ask("x", interrupted, None)


def test_new_names_for_ever_are_not_remembered_for_ever(caplog):
    guarded = Guarded()
    for number in range(1000):
        guarded.numbers({f"m{number}": "text"})
    assert len(caplog.messages) == 200
