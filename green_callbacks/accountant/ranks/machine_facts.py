"""Facts that tell machines apart, as far as the system tells them. Each is empty where it is not known.

Containers of a machine share the id of its boot and the id of its firmware. They do not share its name and its network
addresses.
"""

import ctypes
import ctypes.util
import os
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

from green_callbacks.small_files import read_or_empty

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
FIRMWARE: Final = Path("/sys/class/dmi/id/product_uuid")
NETWORK: Final = Path("/sys/class/net")
NAMESPACES: Final = Path("/proc/self/ns")
_FIRST_NAMES: Final = "uts:[4026531838]"
"""The namespace of names in which Linux starts. A container has another one."""
_NO_ADDRESS: Final = "00:00:00:00:00:00"
_DIGITS: Final = 16
"""Number of hexadecimal digits of a hash, which no two machines of a run share by chance."""
_TEXT_BYTES: Final = 64
"""Room for the id of a boot of macOS, in bytes. It has 36 signs."""


def boot_id(file: Path = BOOT_ID) -> str:
    """Return the id of the boot of this machine.

    Args:
        file: File in which Linux tells it. Defaults to the one in ``/proc``.
    """
    return read_or_empty(file) or (_boot_of_mac() if sys.platform == "darwin" else "")


def _boot_of_mac() -> str:
    try:
        system = ctypes.CDLL(ctypes.util.find_library("c"))
        text, size = ctypes.create_string_buffer(_TEXT_BYTES), ctypes.c_size_t(_TEXT_BYTES)
        failed = system.sysctlbyname(b"kern.bootsessionuuid", text, ctypes.byref(size), None, ctypes.c_size_t(0))
    except (OSError, AttributeError, TypeError):
        return ""
    return "" if failed else text.value.decode("ascii", "replace")


def own_name(name: str, namespaces: Path = NAMESPACES) -> str:
    """Return the name of a process' machine, unless it may be the name of a container.

    Args:
        name: The name that the process sees.
        namespaces: Folder of the namespaces of this process. Defaults to the one in ``/proc``.
    """
    return name if _link(namespaces / "uts") == _FIRST_NAMES else ""


def firmware_id(file: Path = FIRMWARE) -> str:
    """Return a hash of the id that the firmware gives this machine. Often only root may read it.

    Args:
        file: File in which Linux tells it. Defaults to the one in ``/sys``.
    """
    text = read_or_empty(file)
    return _hashed(text.lower()) if text.strip("0-") else ""


def network_id(folder: Path = NETWORK, namespaces: Path = NAMESPACES) -> str:
    """Return the id of the namespace of this process' network, a slash, and a hash of its lasting addresses.

    Args:
        folder: Folder of the network devices. Defaults to the one in ``/sys``.
        namespaces: Folder of the namespaces of this process. Defaults to the one in ``/proc``.
    """
    addresses = sorted(set(_addresses(folder)))
    if not addresses and sys.platform != "linux":
        addresses = list(_node())
    return f"{_link(namespaces / 'net')}/{_hashed(' '.join(addresses))}" if addresses else ""


def _addresses(folder: Path) -> Iterator[str]:
    """Yield the addresses of devices that are hardware, of this machine or of a virtual one."""
    try:
        devices = sorted(folder.iterdir())
    except OSError:
        return
    for device in devices:
        address = read_or_empty(device / "address")
        if address and address != _NO_ADDRESS and os.path.exists(device / "device"):  # noqa: PTH110  never raises
            yield address


def _node() -> Iterator[str]:
    """Yield the address that Python finds, unless it is a random number, which has the bit of a group address."""
    import uuid  # imported late, because few machines need it

    node = uuid.getnode()
    if not node >> 40 & 1:
        yield f"{node:012x}"


def _link(path: Path) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115  runs at each start
    except OSError:
        return ""


def _hashed(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_DIGITS]
