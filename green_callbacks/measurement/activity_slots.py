"""What the GPUs of all ranks do, in the vector of a lap."""

from array import array
from collections.abc import Mapping, Sequence
from math import isnan, nan
from typing import Final

from green_callbacks.records import DeviceActivity

_FIELDS: Final = len(DeviceActivity._fields)
"""Number of columns, which are the fields of an activity. Each holds one number of every GPU."""


class ActivitySlots:
    """Places for the activity of GPUs, of which each rank fills its own.

    Args:
        gpus: For each GPU of all ranks its name in records, its name on its host, and whether it is this rank's.

    >>> slots = ActivitySlots([("a/gpu:0", "gpu:0", True), ("b/gpu:0", "gpu:0", False)])
    >>> slots.activity(slots.numbers({"gpu:0": DeviceActivity(60.0, utilization=0.5)}))["a/gpu:0"].utilization
    0.5
    """

    def __init__(self, gpus: Sequence[tuple[str, str, bool]]) -> None:
        self._names = [name for name, _, _ in gpus]
        self._own = [(at, local_name) for at, (_, local_name, is_own) in enumerate(gpus) if is_own]
        self.size = _FIELDS * len(gpus)
        """Number of numbers."""

    def numbers(self, activity: Mapping[str, DeviceActivity]) -> "array[float]":
        """Return the activity of this rank's GPUs. All numbers of other GPUs are 0.

        Args:
            activity: The activity by the name on this host.
        """
        numbers = array("d", [0.0] * self.size)
        for at, local_name in self._own:
            seen = activity.get(local_name)
            if seen is not None:
                values = [nan if value is None else value for value in seen]
                numbers[at * _FIELDS : (at + 1) * _FIELDS] = array("d", values)
        return numbers

    def activity(self, numbers: Sequence[float]) -> dict[str, DeviceActivity]:
        """Return the activity of all GPUs that were observed, by name.

        Args:
            numbers: The sum of the numbers of all ranks.
        """
        found = {}
        for at, name in enumerate(self._names):
            values = numbers[at * _FIELDS : (at + 1) * _FIELDS]
            if values[0] > 0:
                found[name] = DeviceActivity._make([None if isnan(value) else value for value in values])
        return found

    def own(self, activity: Mapping[str, DeviceActivity]) -> dict[str, DeviceActivity]:
        """Return the activity of this rank's GPUs by their names in records.

        Args:
            activity: The activity by the name on this host.
        """
        return {self._names[at]: activity[local_name] for at, local_name in self._own if local_name in activity}
