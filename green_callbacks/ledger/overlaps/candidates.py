"""Finds the runs that may have measured a device at the same time, without reading their records."""

from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple, Self

from green_callbacks.ledger.closing_line import Closing
from green_callbacks.ledger.head import Head
from green_callbacks.ledger.overlaps.division import OF_MACHINES, Key, companies_of
from green_callbacks.ledger.overlaps.hosts import UNIQUE, Hosts, Place

SHORTEST_SECONDS: Final = 0.05
"""Shortest time at once, in s, that counts. Clocks of the same machine differ by less, and no energy is in it."""
_ANY: Final = ""
_VAGUE: Final = "?"


class MeasuredRun(NamedTuple):
    """A run of a sum, as far as its totals and its head tell.

    Attributes:
        path: Its ledger, or the first of its ledgers.
        run_id: Name of the run.
        places: Its machines. Empty if they are not known.
        devices: Names of its devices. Empty if they are not known.
        began: Beginning of its first record, in s since 1970. None without a record.
        ended: End of its last record, in s since 1970. None without a record.
        process: Identity of the last process that wrote it. Defaults to an empty text, if unknown.
        copies: Its other ledgers, which may hold other records of it. Defaults to none.

    Example:
        >>> MeasuredRun(Path("a.jsonl"), "a", (Place("node01"),), ("gpu:0",), 0.0, 60.0).run_id
        'a'
    """

    path: Path
    run_id: str
    places: tuple[Place, ...]
    devices: Collection[str]
    began: float | None
    ended: float | None
    process: str = ""
    copies: tuple[Path, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """All its ledgers."""
        return (self.path, *self.copies)

    @classmethod
    def of(cls, path: Path, closing: Closing, head: Head | None, copies: tuple[Path, ...] = ()) -> Self:
        """Return the run of a ledger.

        Args:
            path: The ledger.
            closing: Its totals.
            head: The head of its last session. None if it is not known.
            copies: Other ledgers of the same run. Defaults to none.
        """
        hosts = {} if head is None else head.all_hosts
        places = tuple([Place(name, identity) for name, identity in hosts.items()])
        facts = closing.facts
        began, ended = (None, None) if facts is None else (_seconds(facts.began_at), _seconds(facts.ended_at))
        process = head.process if head is not None else ""
        return cls(path, closing.run_id, places, tuple(closing.devices), began, ended, process, copies)


def _seconds(when: datetime | None) -> float | None:
    return None if when is None else when.timestamp()


def candidates(runs: Sequence[MeasuredRun]) -> list[int]:
    """Return the runs that may have measured a device at the same time as another of them.

    Args:
        runs: The runs of the sum, each once.

    Returns:
        Their places in the sequence. A run whose devices are not known may have measured any of its machine.

    Example:
        >>> one = MeasuredRun(Path("a.jsonl"), "a", (Place("node01"),), ("gpu:0",), 0.0, 60.0)
        >>> candidates([one, one._replace(run_id="b", began=50.0, ended=70.0), one._replace(began=80.0, ended=90.0)])
        [0, 1]
    """
    return sorted({at for group in _groups(runs, by_name=True) for at in group})


def seeming_sharers(runs: Sequence[MeasuredRun]) -> int:
    """Return how many runs seem to have measured a device at the same time as a run of another process.

    Nothing is read, so a run counts although it may have paused meanwhile.

    Args:
        runs: The runs of the sum, each once.

    Example:
        >>> one = MeasuredRun(Path("a.jsonl"), "a", (Place("node01"),), ("gpu:0",), 0.0, 60.0, "1a2b")
        >>> seeming_sharers([one, one._replace(process="3c4d"), one._replace(devices=("gpu:1",))])
        2
    """
    found: set[int] = set()
    for group in _groups(runs, by_name=False):
        if _have_shared([runs[at] for at in group]):
            found.update(group)
    return len(found)


def _have_shared(runs: Sequence[MeasuredRun]) -> bool:
    """Return whether a device of a process is a device of another process, or a part of it.

    Processes that are bound to different processors measure nothing in common.
    """
    spans: dict[Key, dict[Hashable, list[tuple[float, float]]]] = {}
    for number, run in enumerate(runs):
        for name in run.devices or (_VAGUE,):
            by_process = spans.setdefault((_ANY, name.rpartition("/")[2], _ANY), {})
            by_process[run.process or number] = [(0.0, SHORTEST_SECONDS)]
    is_vague = any(not run.devices for run in runs)
    processes = {process for each in spans.values() for process in each}
    return len(processes) > 1 and (is_vague or bool(companies_of(spans)))


def _groups(runs: Sequence[MeasuredRun], *, by_name: bool) -> Iterator[list[int]]:
    """Yield the runs that measured a device, one after another without a break, as far as their spans tell."""
    hosts = Hosts(place for run in runs for place in run.places)
    by_device: dict[tuple[str, str], list[tuple[float, float, int]]] = {}
    vague: list[tuple[float, float, int]] = []
    for at, run in enumerate(runs):
        if run.began is None or run.ended is None:
            continue
        span = (run.began, run.ended, at)
        if run.places and not run.devices:
            vague.append(span)
        for key in _keys(run, hosts, by_name=by_name):
            by_device.setdefault(key, []).append(span)
    for spans in by_device.values():
        yield from _together(spans)
    if vague:
        yield from _together([*{span for spans in by_device.values() for span in spans}, *vague])


def _keys(run: MeasuredRun, hosts: Hosts, *, by_name: bool) -> set[tuple[str, str]]:
    """Return the devices of a run on each of its machines, by the identities of these, and also by their names.

    A machine has another identity after it was started again, and the run may have been resumed since.
    """
    machines = {place.name: {hosts.key(place), *((f"name:{place.name}",) if by_name else ())} for place in run.places}
    everywhere = set[str]().union(*machines.values())
    found: set[tuple[str, str]] = set()
    for name in run.devices:
        prefix, slash, local = name.partition("/")
        is_named = bool(slash) and prefix in machines and len(machines) > 1
        kind = _kind(local if is_named else name)
        if kind.startswith(UNIQUE):
            found.add((_ANY, kind))
        else:
            found.update((machine, kind) for machine in (machines[prefix] if is_named else everywhere))
    return found


def _kind(name: str) -> str:
    """Return the name of a device, or one text for devices of a machine of which one may include another."""
    return next((kind for kind in OF_MACHINES if name.startswith(kind)), name)


def _together(spans: Iterable[tuple[float, float, int]]) -> Iterator[list[int]]:
    """Yield the groups of runs whose spans overlap."""
    group: list[int] = []
    latest = float("-inf")
    for began, ended, at in sorted(set(spans)):
        if began >= latest - SHORTEST_SECONDS:
            if len(group) > 1:
                yield group
            group = []
        group.append(at)
        latest = max(latest, ended)
    if len(group) > 1:
        yield group
