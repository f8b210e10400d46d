"""Identities of machines and processes, by which runs tell whether they measured the same devices.

An identity is a hash, so that a ledger that is passed on tells nothing of the machine.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from green_callbacks.accountant.ranks.host import Host
from green_callbacks.accountant.setup.parent_run import ParentRun
from green_callbacks.process import process_id

_DIGITS: Final = 12
"""Number of hexadecimal digits of an identity. Two of a million machines rarely have the same 12 digits."""
_known: dict[int, str] = {}


def host_identities(hosts: Mapping[str, Host]) -> dict[str, str]:
    """Return the identity of each machine.

    Args:
        hosts: The machines of a run, by their names in its records.

    Returns:
        A hash of the id of the boot, and the time of the boot in s, which differs between machines of one snapshot.
        Empty for a machine that tells only its name.
    """
    return {name: host_identity(host) for name, host in hosts.items()}


def host_identity(host: Host) -> str:
    """Return the identity of a machine. Empty if the machine tells only its name.

    Args:
        host: The machine.
    """
    if not host.has_id:
        return ""
    booted = "" if host.booted is None else f"@{host.booted:.0f}"
    return f"{_hashed(host.id)}{booted}"


def process_identity() -> str:
    """Return the identity of this process, which no other process of any machine has."""
    pid = process_id()
    if pid not in _known:  # a fork asks again
        _known[pid] = _hashed(ParentRun.here("process").encode())
    return _known[pid]


def _hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_DIGITS]
