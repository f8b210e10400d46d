"""What the devices of open sources did so far, and what they did between two snapshots."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from green_callbacks.records import ActivityTotals, DeviceActivity
from green_callbacks.sources.base import EnergySource
from green_callbacks.text.log import get_logger

logger = get_logger(__name__)

NOT_WATCHED: Final[Mapping[str, ActivityTotals]] = {}
MOST_WATCHED: Final = 64
"""Largest number of devices whose activity a record holds (by convention). So records of large runs stay small."""


class ActivityWatch:
    """Asks the sources that know what their devices do. They answer from memory."""

    def __init__(self) -> None:
        self._sources: tuple[EnergySource, ...] = ()
        self._checked: dict[EnergySource, Mapping[str, ActivityTotals]] = {}
        """The last answer of each source that was found to be valid. Most edges see the same answer again."""

    def add(self, sources: Iterable[EnergySource]) -> None:
        """Add open sources. A source that never knows anything is left out.

        Args:
            sources: The sources.
        """
        self._sources += tuple(each for each in sources if type(each).activity is not EnergySource.activity)

    def drop(self, sources: Collection[EnergySource]) -> None:
        """Ask some sources no more.

        Args:
            sources: The sources.
        """
        self._sources = tuple(each for each in self._sources if not any(each is one for one in sources))

    def now(self) -> Mapping[str, ActivityTotals]:
        """Return what all devices did so far, by device. A device of two sources is the first source's."""
        told: Mapping[str, ActivityTotals] = NOT_WATCHED
        for source in self._sources:
            answer = self._ask(source)
            told = {**answer, **told} if told else answer
        return told

    def _ask(self, source: EnergySource) -> Mapping[str, ActivityTotals]:
        why: object = "the answer is no mapping of ActivityTotals"
        try:
            told = source.activity()
            if told is self._checked.get(source, self):
                return told
            if isinstance(told, Mapping) and all(isinstance(each, ActivityTotals) for each in told.values()):
                self._checked[source] = told
                return told
        # A source may be the user's own, and its failure must not end training. The message shows it.
        except Exception as error:  # noqa: BLE001
            why = f"{type(error).__name__}: {error}"
        self.drop([source])
        logger.warning(
            "%s does not say what its devices do (%s). Their energy is recorded without it. Correct its activity().",
            type(source).__name__,
            why,
        )
        return NOT_WATCHED


def activity_between(
    first: Mapping[str, ActivityTotals],
    last: Mapping[str, ActivityTotals],
    seconds: float,
    counted: Collection[str],
) -> dict[str, DeviceActivity]:
    """Return what devices did between two snapshots.

    Args:
        first: What they did up to the first snapshot.
        last: What they did up to the last snapshot.
        seconds: Time between, in s.
        counted: The devices that count.

    Returns:
        The activity by device. A device that was not observed in this time is absent.

    >>> first = {"gpu:0": ActivityTotals(0.0)}
    >>> last = {"gpu:0": first["gpu:0"].plus(DeviceActivity(1.0, utilization=0.5))}
    >>> activity_between(first, last, 10.0, ["gpu:0"])["gpu:0"].utilization
    0.5
    """
    if last is first or not last:
        return {}
    found = {}
    for name, totals in last.items():
        if name in counted and (seen := _since(first.get(name), totals, seconds)) is not None:
            found[name] = seen
    return found if len(found) <= MOST_WATCHED else {}


def _since(first: ActivityTotals | None, last: ActivityTotals, seconds: float) -> DeviceActivity | None:
    try:
        return last.since(first, seconds)
    except (AttributeError, TypeError, ValueError, ArithmeticError):  # totals of a user's source may hold anything
        return None
