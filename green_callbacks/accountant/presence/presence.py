"""A live run shows itself to the runs of other processes, and learns with whom it shares its devices."""

import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from math import fsum, inf
from pathlib import Path
from typing import Final

from green_callbacks.accountant.notices import Notices
from green_callbacks.accountant.presence.live_file import LiveFolder, LiveRunFile
from green_callbacks.accountant.presence.live_places import (
    absolute,
    live_folder_of_project,
    live_folder_of_user,
    root_of,
)
from green_callbacks.accountant.presence.other_runs import BEAT_SECONDS, OtherRun, OtherRuns
from green_callbacks.accountant.setup.parent_run import ParentRun
from green_callbacks.ledger import Head
from green_callbacks.ledger.overlaps.division import Company, Key, companies_of
from green_callbacks.ledger.overlaps.hosts import Device, Hosts
from green_callbacks.ledger.overlaps.stretches import Row, device_of
from green_callbacks.records import DeviceEnergy, EpochRecord
from green_callbacks.records.coverage import SHARED

_YOUNG_SECONDS: Final = 60.0
"""Time after the start, in s, in which others are looked for often. The runs of a search begin together."""
_OFTEN_SECONDS: Final = 2.0
"""Interval of the looks in that time, in s, by convention. A look takes less than 1 ms on a local disk."""
_LATER_SECONDS: Final = 10.0
"""Interval of later looks, in s, by convention."""

_Companies = Mapping[Key, Company]


class Presence:
    """Shows a run to the runs of other processes, and knows which of them measure its devices.

    Two folders are used. The folder of the user on this machine is for all runs. The hidden folder of a project also
    reaches containers and machines that share nothing else. A run inside another run shares nothing with it. Neither
    do runs of one process, whose meters divide a device between them.

    Every call on a disk is made by :meth:`look` and :meth:`leave`, which belong on the worker's thread.

    Args:
        head: The head of the run's ledger.
        devices: Names of the devices, as records name them.
        began: When the measurement began, in s since 1970.
        notices: Receives the warning.
        projects: Folders or patterns of the projects whose budgets the run keeps to. Defaults to none.
        ledger: The ledger. Defaults to None, for none.
        budgets: Names of the budgets in databases that the run shares. Defaults to none.
        recorded_at: Returns up to when everything is recorded, in s since 1970. Runs that had ended at the look before
            are forgotten. Defaults to forgetting none.
    """

    def __init__(
        self,
        head: Head,
        devices: Iterable[str],
        began: float,
        notices: Notices,
        *,
        projects: Sequence[str] = (),
        ledger: Path | None = None,
        budgets: Iterable[str] = (),
        recorded_at: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._head = head
        self._notices = notices
        self._began = time.monotonic()
        self._projects = tuple([str(absolute(project)) for project in projects])
        self._file = _file_of(head, devices, began, ledger)._replace(budgets=tuple(budgets))
        self._folders: tuple[LiveFolder, ...] | None = None
        self._others: OtherRuns | None = None
        self._shown_at = -inf
        self._is_over = False
        self._recorded_at, self._kept_since = recorded_at, 0.0
        self._known: Mapping[str, OtherRun] = {}
        self._of_all: _Companies = {}
        self._of_projects: _Companies = {}
        self._key: Callable[[Device], Key] = Hosts(()).key_of

    @property
    def look_seconds(self) -> float | None:
        """Time to the next look, in s. None once the run has ended."""
        if self._is_over:
            return None
        return _OFTEN_SECONDS if time.monotonic() - self._began < _YOUNG_SECONDS else _LATER_SECONDS

    def look(self) -> None:
        """Renew the file of this run, and look which other runs live. Called on the worker's thread."""
        if self._is_over or not self._file.devices:
            return
        others = self._others or self._open()
        self._show()
        recorded_at = self._recorded_at()
        known = others.look(since=self._kept_since)
        self._kept_since = recorded_at
        if known != self._known:
            self._known = known
            self._learn(known.values())

    def _open(self) -> OtherRuns:
        user = live_folder_of_user()
        of_user = None if user is None else LiveFolder(user)
        of_projects = [LiveFolder(live_folder_of_project(project)) for project in self._projects]
        self._folders = (*of_projects, *([] if of_user is None else [of_user]))
        self._others = OtherRuns(self._file, of_user, of_projects, [root_of(project) for project in self._projects])
        return self._others

    def _show(self) -> None:
        """Renew the file in each folder. A folder that cannot be written is tried again."""
        now = time.monotonic()
        if now - self._shown_at >= BEAT_SECONDS:
            are_shown = [folder.show(self._file) for folder in self._folders or ()]
            self._shown_at = now if all(are_shown) else -inf

    def _learn(self, known: Iterable[OtherRun]) -> None:
        """Count again who measures the devices of this run."""
        others = list(known)
        hosts = Hosts(device.place for run in (self._file, *(each.run for each in others)) for device in run.devices)
        self._key = hosts.key_of
        self._of_all = self._companies(others)
        self._of_projects = self._companies([each for each in others if each.is_of_project])
        self._say(others)

    def _companies(self, others: Sequence[OtherRun]) -> _Companies:
        spans: dict[Key, dict[Hashable, list[tuple[float, float]]]] = {
            self._key(device): {self._file.process: [(-inf, inf)]} for device in self._file.devices
        }
        for other in others:
            for key in map(self._key, other.run.devices):
                spans.setdefault(key, {}).setdefault(other.run.process, []).append((other.run.began, other.ended))
        return companies_of(spans)

    def _say(self, others: Sequence[OtherRun]) -> None:
        shared = sorted({device.name for device in self._file.devices if self._key(device) in self._of_all})
        if shared:
            self._notices.say(
                "shared with processes",
                "Run %s measures %s, and so does run %s in another process at the same time. Each of them counts "
                "the whole device, flagged 'shared'. A sum over their project counts it once. Give each run "
                "devices of its own to measure each by itself.",
                self._file.run_id,
                ", ".join(shared),
                self._sharer(others),
            )

    def _sharer(self, others: Sequence[OtherRun]) -> str:
        """Return the name of a run that measures a device of this run, if any has the very same."""
        ours = set(map(self._key, self._file.devices))
        same = [other for other in others if not ours.isdisjoint(map(self._key, other.run.devices))]
        return (same or others)[0].run.run_id

    def flagged(self, devices: Mapping[str, DeviceEnergy], began: float, seconds: float) -> Mapping[str, DeviceEnergy]:
        """Return the energy of devices, in which those that other processes measured too are flagged ``shared``.

        Args:
            devices: Energy by device.
            began: Beginning, in s since 1970.
            seconds: Length, in s.
        """
        companies = self._of_all
        if not companies:
            return devices
        shared = {name: energy for name, energy in devices.items() if self._is_shared(name, energy, began, seconds)}
        return {**devices, **{name: each._replace(flags=(*each.flags, SHARED)) for name, each in shared.items()}}

    def _is_shared(self, name: str, energy: DeviceEnergy, began: float, seconds: float) -> bool:
        if SHARED in energy.flags or energy.joules is None:
            return False
        device = device_of(name, self._head, energy)
        company = None if device.owner else self._of_all.get(self._key(device))
        return company is not None and company.most(began, began + seconds) > 1

    def share_of(self, record: EpochRecord) -> float:
        """Return the part of a record that a sum over the project will count for this run. Takes some µs, without I/O.

        Only runs of the same project count, because the sum knows no others. The record may be of an earlier process of
        this run.

        Args:
            record: A record of this run.

        Returns:
            The part, 0 to 1. It is 1 if no other process measured the devices.
        """
        companies = self._of_projects
        joules = record.energy_joules if companies else None
        if not joules:
            return 1.0
        began, ended = Row(self._head, record).span
        own = fsum(
            (energy.joules or 0.0) * self._share(name, energy, began, ended) for name, energy in record.devices.items()
        )
        return own / joules

    def _share(self, name: str, energy: DeviceEnergy, began: float, ended: float) -> float:
        device = device_of(name, self._head, energy)
        company = None if device.owner else self._of_projects.get(self._key(device))
        return 1.0 if company is None else company.share(began, ended)

    def leave(self) -> None:
        """Remove the file of this run. Called on the worker's thread."""
        self._is_over = True
        for folder in self._folders or ():
            folder.remove(self._file.name)


def _file_of(head: Head, devices: Iterable[str], began: float, ledger: Path | None) -> LiveRunFile:
    return LiveRunFile(
        run_id=head.run_id,
        process=head.process,
        holder=ParentRun.here(head.run_id).encode(),
        began=began,
        devices=frozenset(device_of(name, head) for name in devices),
        parents=() if head.parent is None else (head.parent, *head.ancestors),
        ledger="" if ledger is None else str(absolute(ledger)),
    )
