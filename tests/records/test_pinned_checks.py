"""The bounds of what a file may say: the last value that is taken, and the first that is refused."""

import pytest

from green_callbacks.records import checked


@pytest.mark.parametrize(
    ("check", "taken", "refused"),
    [
        (lambda value: checked.amount(value, 5.0), [0, 0.0, 5, 5.0], [-1e-9, 5.0000001, "1", True, None]),
        (lambda value: checked.amount(value, 5.0, -1.0), [-1.0], [-1.0000001, float("nan")]),
        (lambda value: checked.optional_amount(value, 5.0), [None, 5.0], [5.1, "1"]),
        (lambda value: checked.count(value, 5), [0, 5], [-1, 6, 1.0, True, None]),
        (checked.count, [2**53], [2**53 + 1]),
        (checked.optional_count, [None, 2**53], [2**53 + 1, -1]),
        (checked.flag, [True, False], [0, 1, None]),
        (checked.text, ["", "x" * 300], ["x" * 301, 1, None]),
        (lambda value: checked.text(value, 3), ["abc"], ["abcd"]),
        (checked.optional_text, [None, "x" * 300], ["x" * 301, 1]),
        (lambda value: checked.one_of(value, ("a", "b")), ["a", "b"], ["c", "", ["a"]]),
        (lambda value: checked.mapping(value, 1), [{}, {"a": 1}], [{"a": 1, "b": 2}, [], None]),
        (lambda value: checked.sequence(value, 1), [[], [1]], [[1, 2], (), "a"]),
    ],
)
def test_a_check_takes_its_bounds_and_refuses_what_lies_beyond(check, taken, refused):
    for value in taken:
        assert check(value) == value
    for value in refused:
        with pytest.raises(ValueError, match="expected, not"):
            check(value)


def test_flags_are_a_short_list_of_short_words():
    assert checked.flags(["a"] * 32) == ("a",) * 32
    for refused in (["a"] * 33, ["x" * 301], [1], "a"):
        with pytest.raises(ValueError, match="expected, not"):
            checked.flags(refused)


def test_the_limits_of_a_file():
    assert checked.MAX_COUNT == 2**53
    assert (checked.MAX_SECONDS, checked.MAX_JOULES, checked.MAX_FLOPS) == (1e11, 1e21, 1e40)
    assert (checked.MAX_WATTS, checked.MAX_PUE, checked.MAX_G_PER_KWH) == (1e9, 100.0, 1e5)
    assert (checked.MAX_TOLERANCE, checked.MAX_YEAR) == (1e3, 9999)
    assert (checked.MAX_NAME, checked.MAX_TEXT, checked.MAX_PATH) == (300, 1_000, 4_096)
    assert (checked.MAX_FLAGS, checked.MAX_FILES) == (32, 1_000)


def test_a_name_of_the_greatest_length_stays_and_a_longer_one_ends_with_a_digest():
    assert checked.short("x" * 300) == "x" * 300
    long, other = checked.short("x" * 301), checked.short("x" * 302)
    assert len(long) == len(other) == 300
    assert long != other
    assert (long[:283], long[283]) == ("x" * 283, "~")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ([1, 2], "a list of 2"),
        ({"a": 1}, "a dict of 1"),
        (2**53, str(2**53)),
        (2**53 + 1, "an integer beyond 2**53"),
        (-(2**53) - 1, "an integer beyond 2**53"),
        ("x" * 61, repr("x" * 60)),
        (None, "None"),
    ],
)
def test_a_message_shows_a_wrong_value_in_short(value, shown):
    assert str(checked.wrong(value, "number")) == f"number expected, not {shown}"
