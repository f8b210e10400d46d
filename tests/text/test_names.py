import pytest

from green_callbacks.text import is_plain_name


@pytest.mark.parametrize("name", ["20250101T120000-a1b2c3", "run.1", "a", "x" * 100])
def test_a_plain_name_stands_for_a_file(name):
    assert is_plain_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "../x", "a/b", "a\\b", "C:x", "/x", "x" * 101, "a\n", "a\x1b[0m", "ä", 7, None]
)
def test_no_other_name_does(name):
    assert not is_plain_name(name)
