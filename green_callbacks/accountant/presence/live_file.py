"""The file by which a live run shows itself to the runs of other processes."""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import Final, NamedTuple, Self

from green_callbacks.accountant.setup.parent_run import ParentRun
from green_callbacks.ledger.limits import MAX_DEVICES, MAX_NESTED
from green_callbacks.ledger.overlaps.hosts import Device, Place
from green_callbacks.records.checked import MAX_PATH, MAX_SECONDS, amount, mapping, sequence, text, wrong
from green_callbacks.registry.sql import hide_password
from green_callbacks.small_files import read_whole
from green_callbacks.text import is_plain_name

SUFFIX: Final = ".json"
_MOST_BYTES: Final = 2**20
"""Size in bytes of the largest file that is read. A run of 1,536 devices writes 0.2 MB."""
_MAX_FIELDS: Final = 100
"""Largest number of fields of a file. Nine are known, and later versions may add some."""
_DEVICE_FIELDS: Final = 3
"""Number of fields of a device (name of its machine, identity of its machine, and name)."""
_MAX_HOLDER: Final = 1_000
"""Longest description of a process, in characters. A usual one has 120."""


class LiveRunFile(NamedTuple):
    """A live run, as it shows itself.

    Attributes:
        run_id: Name of the run.
        process: Identity of its process.
        holder: Its process, as :meth:`ParentRun.encode` describes it.
        began: When its measurement began, in s since 1970.
        devices: The devices that it measures.
        parents: The runs inside which it runs.
        ledger: Absolute path of its ledger. Empty if it has none.
        budgets: Names of the budgets in databases that it shares, see :func:`budget_name`.
    """

    run_id: str
    process: str
    holder: str
    began: float
    devices: frozenset[Device]
    parents: tuple[str, ...] = ()
    ledger: str = ""
    budgets: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the file."""
        return f"{self.run_id}-{self.process}{SUFFIX}"

    def encode(self) -> bytes:
        """Return the content of the file."""
        devices = [[*device.place, device.name] for device in sorted(self.devices)][:MAX_DEVICES]
        fields = self._asdict() | {"devices": devices, "parents": self.parents[:MAX_NESTED], "version": 1}
        return json.dumps(fields, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, content: str) -> Self:
        """Read what :meth:`encode` wrote.

        Args:
            content: The content.

        Raises:
            ValueError: It is no such file, or a field has an impossible value.
            RecursionError: It is nested too deeply.
        """
        get = mapping(json.loads(content), _MAX_FIELDS).get
        return cls(
            run_id=_plain(get("run_id")),
            process=_plain(get("process")),
            holder=text(get("holder"), _MAX_HOLDER),
            began=amount(get("began"), MAX_SECONDS),
            devices=frozenset(map(_device, sequence(get("devices"), MAX_DEVICES))),
            parents=tuple(map(_plain, sequence(get("parents"), MAX_NESTED))),
            ledger=text(get("ledger"), MAX_PATH),
            budgets=tuple(map(text, sequence(get("budgets", ()), MAX_NESTED))),
        )

    def is_known_to_live(self, own: ParentRun) -> bool | None:
        """Return whether its process lives. None if it cannot be looked up from here.

        Args:
            own: This process.
        """
        try:
            holder = ParentRun.decode(self.holder)
        except (ValueError, OverflowError):
            return None
        if not own.machine or (holder.machine, holder.process_ids) != (own.machine, own.process_ids):
            return None
        return holder.is_live


def budget_name(url: str, project: str) -> str:
    """Return a name for a budget in a database, which tells nothing of the database.

    Args:
        url: URL of the database. Its password does not matter.
        project: Project of the budget.
    """
    return hashlib.sha256(f"{hide_password(url)}\n{project}".encode("utf-8", "surrogatepass")).hexdigest()


def _plain(said: object) -> str:
    name = text(said)
    if not is_plain_name(name):
        raise wrong(name, "name of a run")
    return name


def _device(said: object) -> Device:
    fields = sequence(said, _DEVICE_FIELDS)
    if len(fields) < _DEVICE_FIELDS:
        raise wrong(said, "machine and name of a device")
    host, identity, name = map(text, fields)
    return Device(Place(host, identity), name)


class LiveFolder:
    """A folder in which live runs show themselves. No call raises.

    Args:
        path: The folder. It is made when its parent exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[tuple[str, int], LiveRunFile | None] = {}

    def show(self, run: LiveRunFile) -> bool:
        """Write or renew the file of a run.

        Args:
            run: The run.

        Returns:
            Whether the file is there.
        """
        path = self.path / run.name
        try:
            os.utime(path)
        except FileNotFoundError:
            return self._write(path, run.encode())
        except OSError:
            return False
        return True

    def _write(self, path: Path, content: bytes) -> bool:
        unfinished = path.with_name(f".{path.name}.{token_hex(4)}")
        try:
            for folder in (self.path.parent, self.path):
                folder.mkdir(exist_ok=True)
            unfinished.write_bytes(content)
            unfinished.replace(path)
        except OSError:
            with suppress(OSError):
                unfinished.unlink()
            return False
        return True

    def remove(self, name: str) -> None:
        """Remove the file of a run.

        Args:
            name: Name of the file.
        """
        with suppress(OSError):
            (self.path / name).unlink()

    def runs(self) -> dict[str, tuple[LiveRunFile, float]]:
        """Return the runs that show themselves, with the times of their last signs of life in s, by file."""
        known, self._known = self._known, {}
        found: dict[str, tuple[LiveRunFile, float]] = {}
        for entry in self._entries():
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                key = (entry.name, status.st_ino)
                run = self._known[key] = known[key] if key in known else _read(Path(entry.path))
                if run is not None and run.name == entry.name:
                    found[entry.name] = (run, status.st_mtime)
        return found

    def _entries(self) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.path) as entries:
                return [each for each in entries if each.name.endswith(SUFFIX) and not each.name.startswith(".")]
        except OSError:
            return []


def _read(path: Path) -> LiveRunFile | None:
    try:
        return LiveRunFile.decode(read_whole(path, _MOST_BYTES))
    except (OSError, ValueError, RecursionError):  # of another version, or of somebody else
        return None
