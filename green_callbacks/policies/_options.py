"""The options of a rule, checked where they are given."""

from green_callbacks.errors import ConfigurationError


def number(name: str, value: object) -> float:
    """Take an option as a number, of whatever kind it is.

    Args:
        name: Name of the option.
        value: What was given for it.

    Raises:
        ConfigurationError: It is no number.
    """
    try:
        return float(value)  # type: ignore[arg-type]  # anything may have been given
    except (TypeError, ValueError, OverflowError):
        msg = f"{name} is {value!r}: write a number."
        raise ConfigurationError(msg) from None
