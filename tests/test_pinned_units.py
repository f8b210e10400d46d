"""The factors between units, and what a message shows of a value."""

import pytest

from green_callbacks import units
from green_callbacks.errors import ConfigurationError
from green_callbacks.policies._option_checks import flag, number


def test_factors_are_the_prefixes_of_their_units():
    assert units.GRAMS_PER_KG == units.MILLIJOULES_PER_JOULE == units.MILLIWATTS_PER_WATT == 1e3
    assert units.MILLIGRAMS_PER_KG == units.MICROJOULES_PER_JOULE == units.MICROWATTS_PER_WATT == 1e6
    assert (units.MICROGRAMS_PER_KG, units.JOULES_PER_KWH, units.SECONDS_PER_HOUR) == (1e9, 3.6e6, 3600.0)
    assert (units.SECONDS_PER_MINUTE, units.MINUTES_PER_HOUR) == (60, 60)


class Several:
    """An array of several elements, which has no item."""

    def item(self):
        raise ValueError


def test_an_array_of_several_elements_is_no_number():
    with pytest.raises(ValueError, match="is no number"):
        units._plain(Several())


def test_an_option_is_a_number_or_true_or_false():
    flag("hard", True)  # noqa: FBT003  the value is what is tested
    for value in ("no", 0, None):
        with pytest.raises(ConfigurationError, match="Write True or False"):
            flag("hard", value)
    assert number("share", "0.5") == 0.5
    for value in (True, b"1", "half", None):
        with pytest.raises(ConfigurationError, match="Write a number"):
            number("share", value)
