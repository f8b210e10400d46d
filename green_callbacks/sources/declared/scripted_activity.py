"""What scripted GPUs do besides using energy."""

from collections.abc import Callable, Collection, Mapping
from math import ceil
from typing import Final

from green_callbacks.errors import ConfigurationError
from green_callbacks.records import ActivityTotals, DeviceActivity
from green_callbacks.records.activity import is_possible
from green_callbacks.units import described

Activity = DeviceActivity | Callable[[float], DeviceActivity]
"""What a device does. It is constant, or a function of the time since the source opened, in s."""

_PIECE_SECONDS: Final = 1.0
"""Longest piece of time that one answer of a function stands for, in s. Real drivers are asked as often."""
_MOST_PIECES: Final = 1_000
"""Largest number of pieces between two readings (by convention). A script may leap over years."""


class ScriptedActivity:
    """The activity of scripted devices, as totals.

    Args:
        scripts: What each device does, by name.

    >>> script = ScriptedActivity({"gpu:0": DeviceActivity(1.0, utilization=0.4)})
    >>> script.until(60.0, 0.0)["gpu:0"].observed_seconds
    60.0
    """

    def __init__(self, scripts: Mapping[str, Activity]) -> None:
        self._scripts = dict(scripts)
        self._reached: tuple[float, dict[str, ActivityTotals]] | None = None

    def begin(self) -> None:
        """Forget what was observed so far, because the source was opened again."""
        self._reached = None

    def until(
        self, seconds: float, origin_seconds: float, is_lost: Callable[[float], bool] | None = None
    ) -> dict[str, ActivityTotals]:
        """Return the totals up to a time.

        Args:
            seconds: Time since the source opened, in s.
            origin_seconds: Monotonic time of the opening, in s.
            is_lost: Returns whether the devices do not answer at a time. Defaults to never.
        """
        if self._reached is None:
            self._reached = 0.0, {name: ActivityTotals(origin_seconds) for name in self._scripts}
        reached, totals = self._reached
        if seconds > reached:
            totals = {
                name: self._added(before, self._scripts[name], reached, seconds, is_lost)
                for name, before in totals.items()
            }
            self._reached = seconds, totals
        return totals

    @staticmethod
    def _added(
        before: ActivityTotals, script: Activity, first: float, last: float, is_lost: Callable[[float], bool] | None
    ) -> ActivityTotals:
        is_steady = isinstance(script, DeviceActivity) and is_lost is None
        pieces = 1 if is_steady else min(_MOST_PIECES, ceil((last - first) / _PIECE_SECONDS))
        piece_seconds = (last - first) / pieces
        for piece in range(pieces):
            at = first + (piece + 0.5) * piece_seconds
            if is_lost is None or not is_lost(at):
                seen = script if isinstance(script, DeviceActivity) else checked(script(at))
                before = before.plus(seen._replace(observed_seconds=piece_seconds))
        return before


def checked(activity: object) -> DeviceActivity:
    """Return an activity whose values are numbers.

    Args:
        activity: The activity, of any type.

    Raises:
        ConfigurationError: It is no activity, or has a value that no device can have.
    """
    if isinstance(activity, DeviceActivity):
        values = [value for value in (*activity.means, activity.limit_watts) if value is not None]
        if all(isinstance(value, int | float) for value in values) and is_possible(activity):
            return activity
    msg = (
        "activity must be a DeviceActivity of numbers of at least 0, with shares of at most 1, or a function of one, "
        f"not {activity!r}."
    )
    raise ConfigurationError(msg)


def checked_scripts(activity: object, names: Collection[str]) -> dict[str, Activity]:
    """Return the scripts by device.

    Args:
        activity: A script for all devices, a mapping of scripts by device, or None.
        names: Names of the devices.

    Raises:
        ConfigurationError: It is none of these, or names another device.
    """
    if activity is None:
        return {}
    scripts = activity if isinstance(activity, Mapping) else dict.fromkeys(names, activity)
    if not set(scripts) <= set(names):
        msg = f"activity must name devices of the source, which are {', '.join(names)}, unlike {described(activity)}."
        raise ConfigurationError(msg)
    return {name: script if callable(script) else checked(script) for name, script in scripts.items()}
