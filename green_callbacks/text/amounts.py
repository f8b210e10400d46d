"""Amounts as people read them, in grams, watt-hours and hours with a fitting prefix."""

from green_callbacks.units import JOULES_PER_KWH, MINUTES_PER_HOUR, SECONDS_PER_MINUTE


def format_mass(kg: float) -> str:
    """Write a mass of CO2e in its most readable unit.

    Args:
        kg: Mass in kg.

    Returns:
        Three significant digits and mg, g, kg or t.

    Example:
        >>> format_mass(0.0123), format_mass(1500)
        ('12.3 g', '1.50 t')
    """
    return _scaled(kg, (("t", 1e3), ("kg", 1.0), ("g", 1e-3), ("mg", 1e-6)))


def format_energy(kwh: float) -> str:
    """Write an energy in its most readable unit.

    Args:
        kwh: Energy in kWh.

    Returns:
        Three significant digits and MWh, kWh, Wh or J.

    Example:
        >>> format_energy(0.25)
        '250 Wh'
    """
    return _scaled(kwh, (("MWh", 1e3), ("kWh", 1.0), ("Wh", 1e-3), ("J", 1 / JOULES_PER_KWH)))


def format_duration(seconds: float) -> str:
    """Write a duration in its two most readable units.

    Args:
        seconds: Duration in s.

    Returns:
        Seconds with three digits, or minutes and seconds, or hours and minutes.

    Example:
        >>> format_duration(4.5), format_duration(8100)
        ('4.50 s', '2 h 15 min')
    """
    if round(seconds, 1) < SECONDS_PER_MINUTE:
        return f"{seconds:#.3g} s"
    minutes, rest = divmod(round(seconds), SECONDS_PER_MINUTE)
    if minutes < MINUTES_PER_HOUR:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, MINUTES_PER_HOUR)
    return f"{hours} h {minutes} min"


def _scaled(value: float, units: tuple[tuple[str, float], ...]) -> str:
    for unit, size in units:
        rounded = float(f"{value / size:.3g}")
        if abs(rounded) >= 1:
            return f"{_three_digits(rounded)} {unit}"
    unit, size = units[-1]
    return f"{_three_digits(value / size)} {unit}"


def _three_digits(value: float) -> str:
    if 0 < abs(value) < 0.01:  # noqa: PLR2004  # two decimals would call it nothing
        return f"{value:.2g}"
    decimals = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0  # noqa: PLR2004
    return f"{value:.{decimals}f}"
