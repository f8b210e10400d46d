"""Which runs lie inside others, so that a sum counts their energy once.

The command ``green-callbacks run`` measures all of a command. A script of that command may measure itself too, and its
energy then stands in two ledgers.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from green_callbacks.ledger.head import Head

_SLACK_SECONDS: Final = 1.0
"""Time in s by which a run may seem to last longer than the run around it, whose edges are read earlier or later."""
_GPU: Final = "gpu:GPU-"
"""Beginning of the names of whole GPUs. Such a name is the same in all runs of a host."""


class NestedRun(NamedTuple):
    """A run, as far as a sum must know it.

    Example:
        >>> NestedRun("inner", (("outer",),), "node01").is_closed
        True

    Attributes:
        run_id: Name of the run.
        sessions: For each process that wrote the run, the runs inside which that process ran, the nearest first.
        host: Name of the machine.
        devices: Names of the devices. None if they are not known. Defaults to None.
        facility_kwh: Energy of the facility, in kWh. Defaults to 0.
        is_closed: Whether the run was closed. Otherwise it was killed or is still running. Defaults to True.
        seconds: Accounted time, in s. Defaults to 0.
    """

    run_id: str
    sessions: tuple[tuple[str, ...], ...]
    host: str
    devices: Collection[str] | None = None
    facility_kwh: float = 0.0
    is_closed: bool = True
    seconds: float = 0.0

    @classmethod
    def of(
        cls, head: Head, devices: Collection[str] | None, facility_kwh: float | None, seconds: float, *, is_closed: bool
    ) -> "NestedRun":
        """Return the run of a ledger.

        Args:
            head: The head of its last session.
            devices: Names of the devices. None if they are not known.
            facility_kwh: Energy of the facility, in kWh. None if nothing was measured.
            seconds: Accounted time, in s.
            is_closed: Whether the run was closed.
        """
        return cls(head.run_id, head.sessions, head.host, devices or None, facility_kwh or 0.0, is_closed, seconds)

    def holds(self, other: "NestedRun") -> bool:
        """Return whether this run can hold the energy of a run inside it.

        Only one host is measured by this run, and a GPU may have been hidden from it.

        Args:
            other: The run inside it.
        """
        if self.host != other.host:
            return False
        if self.devices is None or other.devices is None:
            return True
        return {name for name in other.devices if name.startswith(_GPU)} <= set(self.devices)


def counted_in(runs: Sequence[NestedRun]) -> list[tuple[int, ...]]:
    """Return for each run the runs whose energy includes its energy.

    A run that was killed or still runs may hold less energy than the runs inside it. Then these runs hold its energy.

    Args:
        runs: The runs of a sum, each once.

    Returns:
        Places of the runs that include it. A sum leaves out a run if it has any of them.

    Example:
        >>> counted_in([NestedRun("outer", (), "node01"), NestedRun("inner", (("outer",),), "node01")])
        [(), (0,)]
    """
    if not any(any(run.sessions) for run in runs):
        return [()] * len(runs)
    parents = _parents(runs)
    above = [_above(at, parents) for at in range(len(runs))]
    parents = [found if at not in above[at] else () for at, found in enumerate(parents)]  # a forged circle
    above = [_above(at, parents) for at in range(len(runs))]
    return _with_unfinished(runs, parents, above)


def counted(runs: Sequence[NestedRun]) -> list[bool]:
    """Return for each run whether a sum over all of them counts it.

    Args:
        runs: The runs of the sum, each once.

    Example:
        >>> counted([NestedRun("outer", (), "node01"), NestedRun("inner", (("outer",),), "node02")])
        [True, True]
    """
    return [not found for found in counted_in(runs)]


def _parents(runs: Sequence[NestedRun]) -> list[tuple[int, ...]]:
    """Return the nearest runs that hold each run. Empty unless every process of the run ran inside one of them."""
    places = {run.run_id: at for at, run in enumerate(runs) if run.run_id}
    found = []
    for at, run in enumerate(runs):
        nearest = [_nearest(at, session, runs, places) for session in run.sessions]
        known = [each for each in nearest if each is not None]
        parents = tuple(dict.fromkeys(known)) if len(known) == len(nearest) else ()
        found.append(() if _outlives(run, [runs[each] for each in parents]) else parents)
    return found


def _outlives(run: NestedRun, parents: Sequence[NestedRun]) -> bool:
    """Return whether a run lasted longer than the runs around it, such as a process that a command left behind."""
    return (
        all(each.is_closed for each in parents) and run.seconds > sum(each.seconds for each in parents) + _SLACK_SECONDS
    )


def _nearest(at: int, session: Sequence[str], runs: Sequence[NestedRun], places: Mapping[str, int]) -> int | None:
    present = (places[name] for name in session if name in places)
    return next((other for other in present if other != at and runs[other].holds(runs[at])), None)


def _above(at: int, parents: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return all runs that hold a run. A circle contains the run itself."""
    found: dict[int, None] = {}
    waiting = list(parents[at])
    while waiting:
        other = waiting.pop(0)
        if other not in found:
            found[other] = None
            waiting += parents[other]
    return tuple(found)


def _with_unfinished(
    runs: Sequence[NestedRun], parents: Sequence[tuple[int, ...]], above: Sequence[tuple[int, ...]]
) -> list[tuple[int, ...]]:
    """Let the runs inside an unfinished run hold its energy, where they hold more."""
    children: dict[int, list[int]] = {}
    for at, found in enumerate(parents):
        if len(found) == 1:
            children.setdefault(found[0], []).append(at)
    kwh = [run.facility_kwh for run in runs]
    result = list(above)
    for at in sorted(children, key=lambda each: -len(above[each])):  # the innermost runs first
        inside_kwh = sum(kwh[child] for child in children[at])
        if not runs[at].is_closed and inside_kwh > kwh[at]:
            kwh[at] = inside_kwh
            result[at] = (*children[at], *result[at])
            result = [tuple(each for each in found if each != at) for found in result]
    return result
