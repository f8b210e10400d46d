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
    """One carbon intensity for all times.

    Attributes:
        intensity: The intensity; at least 0 and less than 1,500 gCO2e/kWh. 0 is for a machine off the grid.

    Raises:
        ConfigurationError: The intensity is out of range, or holds what is no number or no text.
    """

    is_instant: ClassVar[bool] = True

    intensity: Intensity

    def __post_init__(self) -> None:
        object.__setattr__(self, "intensity", checked_intensity(self.intensity))

    @classmethod
    def given(
        cls, g_per_kwh: float | str, *, zone: str | None = None, name: str | None = None, found_by: FoundBy = "argument"
    ) -> Self:
        """Make one of a number.

        Nothing is known of how far it is from the truth: low and high are the number itself.

        Args:
            g_per_kwh: Carbon intensity in gCO2e/kWh, as a number or written out.
            zone: Code of the place, as a label.
            name: Name of the place, as a label.
            found_by: Where the number was given.

        Returns:
            The constant intensity.

        Raises:
            ConfigurationError: It is no number, or out of range.
        """
        try:
            value = given_number(g_per_kwh)
        except ValueError as fault:
            msg = f"A carbon intensity is a number of gCO2e/kWh from 0 to 1500, or a provider of one: {fault}."
            raise ConfigurationError(msg) from None
        if 0 < value < 1:
            _logger.warning(
                "A carbon intensity of %g gCO2e/kWh is below that of any grid: if it is in kg, multiply by 1000.", value
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
            when: Time of day, aware.
        """
        return self.intensity
