"""A carbon intensity that does not change."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self

from green_callbacks.carbon.base import checked_intensity
from green_callbacks.errors import ConfigurationError
from green_callbacks.records import Intensity
from green_callbacks.records.intensity import FoundBy
from green_callbacks.text.log import get_logger
from green_callbacks.units import given_number

_logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ConstantIntensity:
    """A carbon intensity that is the same at all times.

    Attributes:
        intensity: The intensity, at least 0 and below 1,500 gCO2e/kWh. A machine off the grid may have 0.

    Raises:
        ConfigurationError: The intensity is out of range, or one of its parts is no number or no text.

    Example:
        >>> ConstantIntensity.given(35.5, name="our solar panels").intensity.g_per_kwh
        35.5
    """

    is_instant: ClassVar[bool] = True

    intensity: Intensity

    def __post_init__(self) -> None:
        object.__setattr__(self, "intensity", checked_intensity(self.intensity))

    @classmethod
    def given(
        cls, g_per_kwh: float | str, *, zone: str | None = None, name: str | None = None, found_by: FoundBy = "argument"
    ) -> Self:
        """Make a constant intensity from a number.

        The error of the number is not known, so both of its bounds are the number itself.

        Args:
            g_per_kwh: Carbon intensity in gCO2e/kWh, as a number or as a text.
            zone: Code of the place, as a label. Defaults to None.
            name: Name of the place, as a label. Defaults to None.
            found_by: Origin of the number. Defaults to ``argument``.

        Returns:
            The constant intensity.

        Raises:
            ConfigurationError: The value is no number, or is out of range.
        """
        try:
            value = given_number(g_per_kwh)
        except ValueError as fault:
            msg = f"A carbon intensity is a number of gCO2e/kWh from 0 to 1500, or a provider, but {fault}."
            raise ConfigurationError(msg) from None
        if 0 < value < 1:
            _logger.warning(
                "A carbon intensity of %g gCO2e/kWh is lower than any grid's. If it is in kg/kWh, multiply it by 1000.",
                value,
            )
        return cls(
            Intensity(
                g_per_kwh=value,
                low_g_per_kwh=value,
                high_g_per_kwh=value,
                zone=zone,
                name=name,
                source=f"given by the user ({found_by})",
                found_by=found_by,
            )
        )

    def at(self, when: datetime) -> Intensity:  # noqa: ARG002  the same at all times
        """Return the intensity.

        Args:
            when: Time of day, aware. It does not matter.
        """
        return self.intensity
