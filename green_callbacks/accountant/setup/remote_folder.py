"""Log folders on other machines. The ledger is written here, and copied there when its run closes."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final, Self

from green_callbacks.accountant.energy_accountant import EnergyAccountant
from green_callbacks.call_threads import Threads, call_once
from green_callbacks.ledger.project_ledgers import FOLDER

COPY_SECONDS: Final = 10.0
"""Longest time that the close of a run waits for the copy of its ledger, in s."""


def is_remote(folder: str | Path | None) -> bool:
    """Return whether a folder is the URL of one on another machine, such as ``s3://bucket/logs``."""
    return isinstance(folder, str) and "://" in folder and not folder.startswith("file://")


class RemoteFolder:
    """The log folder of a run on another machine, reached through fsspec.

    A ledger is appended to and synced after every record, which object stores cannot do. So it is written in the
    working folder, and a copy is put beside the logs whenever the run closes.

    Args:
        url: The folder.
        ledger: The ledger in the working folder.
        warn: Warns once. Takes a key, a message and its arguments.
    """

    def __init__(self, url: str, ledger: Path, warn: Callable[..., None]) -> None:
        self._url = f"{url.rstrip('/')}/{FOLDER}"
        self._ledger = ledger
        self._warn = warn
        self._can_copy = True

    @classmethod
    def beside(cls, folder: str | Path | None, accountant: EnergyAccountant) -> Self | None:
        """Say where the ledger of a run that has started lies, and where it will, if its log folder is a URL.

        Args:
            folder: The log folder.
            accountant: What accounts the run.

        Returns:
            What copies it there, or None where nothing is to be copied, as where the user named the ledger.
        """
        ledger = accountant.ledger
        if not isinstance(folder, str) or not is_remote(folder) or ledger is None or ledger.parent.name != FOLDER:
            return None
        remote = cls(folder, ledger, accountant.warn)
        remote.announce()
        return remote

    def announce(self) -> None:
        """Report the local path of the ledger, and a copy that is known to fail."""
        try:
            _file_system_class(self._url)
        except Exception as reason:  # noqa: BLE001  any plug-in of fsspec
            self._can_copy = False
            self._warn(
                "remote folder",
                "The ledger cannot be copied to %s (%s: %s). It stays in %s. Install what fsspec needs for that "
                "address, or copy it by hand.",
                self._url,
                type(reason).__name__,
                reason,
                self._ledger,
            )
            return
        self._warn(
            "remote folder",
            "The log folder is not on this machine. The ledger is written to %s, and copied to %s when the run closes.",
            self._ledger,
            self._url,
        )

    def keep(self) -> None:
        """Copy the ledger of a closed run. Waits at most :data:`COPY_SECONDS`."""
        if self._can_copy and not call_once(self._copy, "green_callbacks: copy", Threads(), COPY_SECONDS):
            self._warn(
                "remote copy",
                "The copy of the ledger to %s takes longer than %.0f s. The ledger is %s. Copy it by hand.",
                self._url,
                COPY_SECONDS,
                self._ledger,
            )

    def _copy(self) -> None:
        try:
            _put(self._ledger, self._url)
        except Exception as reason:  # noqa: BLE001  networks, permissions, plug-ins: the ledger itself is safe
            self._warn(
                "remote copy",
                "The ledger could not be copied to %s (%s: %s). It is %s. Copy it by hand.",
                self._url,
                type(reason).__name__,
                reason,
                self._ledger,
            )


def _file_system_class(url: str) -> Any:  # noqa: ANN401  fsspec is not typed
    import fsspec  # type: ignore[import-untyped, import-not-found, unused-ignore]

    return fsspec.get_filesystem_class(url.partition("://")[0])


def _put(ledger: Path, url: str) -> None:
    """Copy a ledger into a folder, over a shorter copy of itself, but over nothing else."""
    from fsspec.core import url_to_fs  # type: ignore[import-untyped, import-not-found, unused-ignore]

    system, folder = url_to_fs(url)
    system.makedirs(folder, exist_ok=True)
    content = ledger.read_bytes()
    paths = (f"{folder.rstrip('/')}/{name}" for name in _names(ledger))
    system.pipe_file(next(path for path in paths if _may_be_written(system, path, content)), content)


def _may_be_written(system: Any, path: str, content: bytes) -> bool:  # noqa: ANN401  fsspec is not typed
    return not system.exists(path) or content.startswith(system.cat_file(path))


def _names(ledger: Path) -> Iterator[str]:
    yield ledger.name
    for number in count(2):
        yield f"{ledger.stem}-{number}{ledger.suffix}"
