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
    """
    return {name: host_identity(host) for name, host in hosts.items()}


def host_identity(host: Host) -> str:
    """Return the facts that tell a machine from others, separated by ``@``. Empty if it tells only its name.

    The containers of a machine have the same facts, or do not know some of them.

    Args:
        host: The machine.
    """
    if host.id == host.name:
        return ""
    booted = "" if host.booted is None else f"{host.booted:.0f}"
    facts = (
        _hashed(host.id),
        booted,
        host.firmware and _hashed(host.firmware),
        host.own_name and _hashed(host.own_name),
    )
    return "@".join(facts).rstrip("@")


def process_identity() -> str:
    """Return the identity of this process, which no other process of any machine has."""
    pid = process_id()
    if pid not in _known:  # a fork asks again
        _known[pid] = _hashed(ParentRun.here("process").encode())
    return _known[pid]


def _hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_DIGITS]
