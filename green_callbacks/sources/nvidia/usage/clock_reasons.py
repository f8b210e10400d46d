"""The reasons for which a GPU lowers its clocks, as NVIDIA's driver tells them."""

from typing import Final, NamedTuple

_POWER_CAP: Final = 0x4
"""Bit for clocks at the power limit (``SwPowerCap`` in ``nvml.h``). A full load may set it at the default limit."""
_SLOWDOWN: Final = 0x8
"""Bit for a slowdown by the hardware (``HwSlowdown`` in ``nvml.h``). Heat, a brake or a high power set it."""
_THERMAL: Final = 0x20 | 0x40
"""Bits for a chip that is too hot (``SwThermalSlowdown`` and ``HwThermalSlowdown`` in ``nvml.h``)."""
_HARDWARE_HEAT: Final = 0x40
"""Bit for heat that the hardware has noticed (``HwThermalSlowdown`` in ``nvml.h``). It sets the bit of a slowdown."""
_BRAKE: Final = 0x80
"""Bit for a brake of the power supply (``HwPowerBrakeSlowdown`` in ``nvml.h``)."""


class ClockReasons(NamedTuple):
    """Why a GPU lowers its clocks now.

    Attributes:
        thermal: Whether the chip is too hot.
        power_cap: Whether it is at its power limit.
        hardware: Whether a brake of the hardware works, other than heat.
    """

    thermal: bool
    power_cap: bool
    hardware: bool

    @classmethod
    def of(cls, bits: int) -> "ClockReasons":
        """Read the driver's answer.

        Args:
            bits: The answer. Clocks that are low because the GPU is idle, or because a user set them, are no reason.

        >>> ClockReasons.of(0x4 | 0x1)
        ClockReasons(thermal=False, power_cap=True, hardware=False)
        """
        is_slowed = bool(bits & _SLOWDOWN) and not bits & _HARDWARE_HEAT
        return cls(bool(bits & _THERMAL), bool(bits & _POWER_CAP), is_slowed or bool(bits & _BRAKE))
