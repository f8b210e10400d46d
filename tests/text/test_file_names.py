import pytest
from hypothesis import given
from hypothesis import strategies as st

from green_callbacks.text import is_plain_name, plain_name
from green_callbacks.text.file_names import shortened


@pytest.mark.parametrize("name", ["20250101T120000-a1b2c3", "run.1", "a", "x" * 100])
def test_a_plain_name_stands_for_a_file(name):
    assert is_plain_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "../x", "a/b", "a\\b", "C:x", "/x", "x" * 101, "a\n", "a\x1b[0m", "ä", 7, None]
)
def test_no_other_name_does(name):
    assert not is_plain_name(name)


@pytest.mark.parametrize("name", ["CON", "nul.jsonl", "com1", "run.", "LPT9.txt"])
def test_names_that_windows_keeps_for_itself_are_not_plain(name):
    assert not is_plain_name(name)


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_any_name_has_a_plain_one_that_is_always_the_same(name):
    assert is_plain_name(plain_name(name))
    assert plain_name(name) == plain_name(name)


def test_plain_names_stay_and_others_stay_apart():
    assert plain_name("20250101T120000-a1b2c3") == "20250101T120000-a1b2c3"
    assert len({plain_name(name) for name in ("../a", "/a", "a/", "..\\a", "")}) == 5


def test_a_name_is_cut_between_letters():
    assert shortened("é" * 100, 5) == "éé"
    assert shortened("val_acc", 100) == "val_acc"
