import logging
from pathlib import Path

import pytest

from green_callbacks.text.log import MultilineText, get_logger

EVIL = "val\nCRITICAL root: forged\x1b[2J"
SHOWN = r"val\nCRITICAL root: forged\x1b[2J"


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO)
    return caplog


class Mute:
    def __str__(self):
        raise ZeroDivisionError

    __repr__ = __str__


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (EVIL, SHOWN),
        (OSError(EVIL), SHOWN),
        (Path("/tmp") / "a\nb", r"/tmp/a\nb"),
        (Mute(), "<a Mute that has no text>"),
    ],
)
def test_an_argument_stays_on_its_line(said, value, shown):
    get_logger("green_callbacks.test").warning("Seen: %s.", value)
    assert said.messages == [f"Seen: {shown}."]


def test_arguments_by_name_and_as_they_are_written_in_python_are_safe_too(said):
    get_logger("green_callbacks.test").warning("%(name)s, %(count)d", {"name": EVIL, "count": 3})
    get_logger("green_callbacks.test").warning("%r and %r", EVIL, Mute())
    assert said.messages == [f"{SHOWN}, 3", f"{EVIL!r} and <Mute>"]


def test_an_exception_that_is_the_message_is_safe(said):
    get_logger("green_callbacks.test").error(ValueError(f"100 % {EVIL}"))
    assert said.messages == [f"100 % {SHOWN}"]


def test_the_message_itself_its_numbers_and_lines_of_ours_stay_as_they_are(said):
    get_logger("green_callbacks.test").info("two\nlines: %s %d %.1f %s", MultilineText("a\nb\x1b"), 3, 0.25, None)
    assert said.messages == ["two\nlines: a\nb\\x1b 3 0.2 None"]


def test_it_is_the_standard_logger_of_that_name_with_one_filter(said):
    logger = get_logger("green_callbacks.test")
    assert logger is logging.getLogger("green_callbacks.test") is get_logger("green_callbacks.test")
    assert len(logger.filters) == 1


def test_no_other_logger_is_touched(said):
    get_logger("green_callbacks.test")
    logging.getLogger("another").warning("%s", EVIL)
    assert said.messages == [EVIL]


def test_a_traceback_is_still_there(said):
    try:
        int(EVIL)
    except ValueError:
        get_logger("green_callbacks.test").exception("It failed.")
    assert said.records[0].exc_info[0] is ValueError


def test_nothing_is_put_into_words_below_the_level(said):
    class Counting:
        asked = 0

        def __str__(self):
            Counting.asked += 1
            return "x"

    get_logger("green_callbacks.test").debug("%s", Counting())
    assert Counting.asked == 0
