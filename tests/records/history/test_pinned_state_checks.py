"""The bounds of what a checkpoint may say: the last value that is taken, and the first that is refused."""

import zlib
from array import array
from base64 import b64encode

import pytest

from green_callbacks.records.history.state import packed_columns, state_checks
from green_callbacks.records.history.state.packed_columns import DamagedError, Unpacker, pack

LONG = "x" * 4_096
INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("check", "taken", "refused"),
    [
        (state_checks.mapping, [{}, {LONG: 1}], [[], None, {1: 1}, {LONG + "x": 1}]),
        (state_checks.names, [(), ("a", LONG)], ["a", None, (1,), (LONG + "x",)]),
        (lambda value, what: state_checks.names(value, what, 1), [("a",)], [(), ("a", "b")]),
        (state_checks.optional_name, [None, "", LONG], [1, LONG + "x"]),
        (lambda value, what: state_checks.whole(value, what, 5), [0, 5], [-1, 6, 1.0, True, None]),
        (lambda value, what: state_checks.whole(value, what, 5, 2), [2], [1]),
        (state_checks.finite, [0.0, 1.5, -3], [INF, -INF, NAN, True, "1", None, 10**400]),
        (state_checks.boolean, [True, False], [0, 1, None]),
    ],
)
def test_a_check_takes_its_bounds_and_refuses_what_lies_beyond(check, taken, refused):
    for value in taken:
        assert check(value, "its rows") == value
    for value in refused:
        with pytest.raises(DamagedError, match=r"^its rows (is|are) n"):
            check(value, "its rows")


def test_a_list_has_the_length_that_is_asked_for():
    assert state_checks.listed((1, 2), "its rows") == [1, 2]
    assert state_checks.listed([1, 2], "its rows", 2) == [1, 2]
    assert state_checks.listed([], "its rows", 0) == []
    for value, length in ([[1], 0], [[1], 2], ["a", 1], [None, None]):
        with pytest.raises(DamagedError):
            state_checks.listed(value, "its rows", length)


def test_lists_and_mappings_have_a_greatest_length(monkeypatch):
    assert state_checks.MOST_NAMES == 100_000
    monkeypatch.setattr(state_checks, "MOST_NAMES", 2)
    assert state_checks.listed([1, 2], "its rows") == [1, 2]
    assert state_checks.mapping({"a": 1, "b": 2}, "its rows") == {"a": 1, "b": 2}
    with pytest.raises(DamagedError):
        state_checks.listed([1, 2, 3], "its rows")
    with pytest.raises(DamagedError):
        state_checks.mapping({"a": 1, "b": 2, "c": 3}, "its rows")


def test_numbers_lie_within_their_bounds():
    state_checks.within([0, 5, 2.5], "its rows", 0, 5)
    for value in (-1, 6, NAN):
        with pytest.raises(DamagedError):
            state_checks.within([1, value], "its rows", 0, 5)


def test_numbers_are_finite_or_unknown_where_they_may_be():
    state_checks.all_finite([1.0, -2.0], "its rows")
    state_checks.all_finite([1.0, NAN], "its rows", or_nan=True)
    for values, or_nan in ([[NAN, 1.0], False], [[INF, 1.0], False], [[1.0, INF], True], [[1.0, -INF], True]):
        with pytest.raises(DamagedError):
            state_checks.all_finite(values, "its rows", or_nan=or_nan)


def test_positions_rise_from_zero_to_the_length():
    state_checks.rising([], 0, "its rows")
    state_checks.rising([0, 1, 4], 5, "its rows")
    for rows, length in ([[-1, 0], 5], [[0, 0], 5], [[2, 1], 5], [[0, 5], 5], [[0], 0]):
        with pytest.raises(DamagedError):
            state_checks.rising(rows, length, "its rows")


@pytest.mark.parametrize("code", ["d", "i", "b", "q"])
def test_numbers_come_back_as_they_were_packed(code):
    column = array(code, range(-3, 40))
    assert Unpacker().numbers(pack(column), code, 43, "its rows") == column
    assert Unpacker().exactly(pack(column), code, 43, "its rows") == column
    for most in (42, 0):
        with pytest.raises(DamagedError):
            Unpacker().numbers(pack(column), code, most, "its rows")
    with pytest.raises(DamagedError):
        Unpacker().exactly(pack(column), code, 44, "its rows")


def test_text_that_is_no_packed_column_is_refused():
    whole = zlib.compress(bytes(16))
    torn, followed, odd = whole[:-1], whole + b"x", zlib.compress(bytes(15))
    for text in (None, 5, "?", "AAAA", *(b64encode(raw).decode() for raw in (torn, followed, odd))):
        with pytest.raises(DamagedError):
            Unpacker().numbers(text, "d", 10, "its rows")


def test_all_columns_of_a_state_share_one_limit(monkeypatch):
    assert packed_columns._MOST_BYTES == 2**28
    monkeypatch.setattr(packed_columns, "_MOST_BYTES", 24)
    unpacker, two = Unpacker(), pack(array("d", [1.0, 2.0]))
    unpacker.numbers(two, "d", 10, "its rows")
    with pytest.raises(DamagedError):
        unpacker.numbers(two, "d", 10, "its rows")
    assert len(unpacker.numbers(pack(array("d", [1.0])), "d", 10, "its rows")) == 1
