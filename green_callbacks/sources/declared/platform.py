"""The rest of the machine, as a constant power that the user declares."""

from collections.abc import Mapping

from green_callbacks.clock import Clock
from green_callbacks.records import Reading
from green_callbacks.sources.common.device import SYSTEM_CLOCK, LiveSource, checked_at_least_zero
from green_callbacks.sources.common.option_checks import checked_name


class PlatformSource(LiveSource[float]):
    """The rest of the machine as a constant power, such as board, fans, disks, and losses of the power supply.

    It is added to the measured devices as a device of its own. Its method is ``modelled``, because nobody measures it
    now.

    Args:
        watts: Power in W.
        name: Name of the device. Defaults to ``"platform"``.
        component: Component of the device. Defaults to ``"platform"``.
        tolerance: Relative tolerance of the constant, e.g. 0.2 for ±20 %. Defaults to 0.
        clock: The clock. Defaults to the machine's.

    Raises:
        ConfigurationError: The power or the tolerance is negative or not finite.

    Example:
        >>> from green_callbacks.clock import ScriptedClock
        >>> clock = ScriptedClock()
        >>> source = PlatformSource(80.0, clock=clock)
        >>> source.open()
        >>> clock.advance(10.0)
        >>> source.read()["platform"].joules
        800.0
    """

    def __init__(
        self,
        watts: float,
        *,
        name: str = "platform",
        component: str = "platform",
        tolerance: float = 0.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__()
        self._watts = checked_at_least_zero(watts, "watts")
        self._name = checked_name(name, "name")
        self._component = checked_name(component, "component")
        self._tolerance = checked_at_least_zero(tolerance, "tolerance")
        self._clock = clock

    is_instant = True

    def _begin(self) -> float:
        return self._clock.monotonic()

    def read(self) -> Mapping[str, Reading]:
        """Return the declared power times the time since the source opened.

        Returns:
            The one device. Empty while the source is closed.
        """
        opened_at = self._live
        if opened_at is None:
            return {}
        joules = self._watts * (self._clock.monotonic() - opened_at)
        reading = Reading(joules=joules, component=self._component, method="modelled", tolerance=self._tolerance)
        return {self._name: reading}
