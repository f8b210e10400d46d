"""Constants are found, varied wherever a module holds them, and restored."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from constants import SECTIONS, Work, done, main, mark, measured, parsed
from wing import Constant, constants, functions_called, variations

COUNTER, SAMPLED = 0, 2
"""Sections of the table."""
SIGMAS = "common.power_integral.SAMPLING_SIGMAS"
"""A constant that widens the bounds of sampled power, and is not read where there is a counter."""

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the stand-in for the driver needs Linux")


@pytest.fixture(scope="module")
def found():
    return constants()


def held(constant):
    """Return what all the modules that hold a constant have."""
    return [getattr(sys.modules[module], name) for module, name in constant.homes]


def test_constants_are_found_in_many_modules_with_who_reads_them(found):
    assert len({constant.module for constant in found}) > 10
    assert sum(bool(constant.readers) for constant in found) > 100


def test_a_constant_is_varied_wherever_it_is_held_and_then_as_before(found):
    imported = [constant for constant in found if len(constant.homes) > 1]
    assert imported
    for constant in imported:
        with constant.varied(1e6):
            assert set(held(constant)) == {1e6}
        assert held(constant) == [constant.value] * len(constant.homes)


def test_a_constant_is_as_before_after_a_value_that_fails(found):
    with pytest.raises(ZeroDivisionError), found[0].varied(0):
        1 / held(found[0])[0]
    assert held(found[0]) == [found[0].value] * len(found[0].homes)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("_WATTS", 20.0, [10.0, 40.0]),
        ("_SECONDS", 0.9, [0.45, 1.8]),
        ("_FORGETTING", 0.75, [0.875, 0.5]),
        ("_PARTS", 3, [1, 6]),
        ("_ATTEMPTS", 1, [None, 2]),
        ("_PERIODS", (0.5, 2.0), [(0.25, 1.0), (1.0, 4.0)]),
    ],
)
def test_values_are_halved_and_doubled_and_shares_near_one_by_what_they_lack(name, value, expected):
    constant = Constant("module", name, value, (), frozenset(), is_read_at_import=False)
    assert variations(constant) == expected


@pytest.mark.no_cover
def test_a_variation_that_is_not_read_changes_nothing_and_one_that_is_does(found):
    called = functions_called(lambda: measured(SECTIONS[SAMPLED], 1, 0))
    present = done(Work(SAMPLED, 1, 2))
    assert done(Work(SAMPLED, 1, 2)) == present
    unread = next(constant for constant in found if not constant.readers & called)
    assert mark(done(Work(SAMPLED, 1, 2, None, unread, 0.1)), present) == "="
    [sigmas] = [constant for constant in found if constant.title == SIGMAS]
    assert sigmas.readers & called
    assert mark(done(Work(SAMPLED, 1, 2, present, sigmas, 3 * sigmas.value)), present) in ("~", "*")


@pytest.mark.no_cover
def test_the_table_says_what_a_constant_did_where_it_is_read_and_only_there(capsys):
    main(parsed(["--quick", "--only", SIGMAS]))
    printed = capsys.readouterr().out
    titles = [section.title for section in SECTIONS if f"{section.title}:" in printed]
    assert SECTIONS[SAMPLED].title in titles
    assert SECTIONS[COUNTER].title not in titles
    rows = [line for line in printed.splitlines() if line.startswith(f"  {SIGMAS.rpartition('.')[2]} ")]
    assert len(rows) == len(titles)
    assert "Not read on these traces" in printed
