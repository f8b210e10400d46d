"""Intel's graphics cards, by the energy counters that Linux shows among their hardware monitors."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from green_callbacks.clock import Clock
from green_callbacks.errors import SourceUnavailableError
from green_callbacks.records import DeviceInfo, Reading
from green_callbacks.small_files import read_or_empty
from green_callbacks.sources.common.device import SYSTEM_CLOCK, LiveSource
from green_callbacks.sources.common.device_warnings import warn_if_still
from green_callbacks.sources.common.file_counter import EnergyFile, FileCounter
from green_callbacks.sources.common.one_thread import Guarded
from green_callbacks.sources.common.option_checks import checked_names, checked_path

DRM: Final = Path("/sys/class/drm")
_REMEDY: Final = "See the driver's messages in `dmesg`."
_CARD: Final = re.compile(r"card\d+")
"""Names of cards. ``card0-HDMI-A-1`` and the like are connectors."""
_MONITOR: Final = re.compile(r"hwmon\d+")
_DRIVERS: Final = ("i915", "xe")
"""Names of the monitors of whole cards. ``i915_gt0`` and the like are monitors of tiles."""
_COUNTER: Final = re.compile(r"energy[12]_input")
"""Counters of the card and of its package, which the card contains. Not every card has both (kernel,
``sysfs-driver-intel-xe-hwmon``)."""
_WRAP_SECONDS: Final = 262.0
"""Shortest time between two wraps, in s. The driver adds up a 32-bit register in units of 61 µJ, but only when it is
read. That is 262 kJ, at 1 kW."""
_LARGEST_CARD_WATTS: Final = 1_000.0
"""Power that no card draws, in W. The largest of 2025, Max 1550, is sold with 600 W."""
_CARD_STILL_SECONDS: Final = 0.6
"""Longest standstill of a counter, in s. A card that answers draws power, and refreshes ten times a second."""
_INTEL_TOLERANCE: Final = 0.05
"""Relative tolerance (by convention, as for NVIDIA's sensors). Intel states no accuracy."""


@dataclass(frozen=True, slots=True)
class _Cards:
    """All cards, and the monotonic time of their last reading, in s."""

    by_name: Mapping[str, FileCounter]
    read_at: float


class IntelGpuSource(LiveSource[Guarded[_Cards]]):
    """Intel's graphics cards Arc, Flex and Max, on Linux 6.2 (driver i915) or 6.8 (xe) and later.

    The energy covers the card if it is metered, else the package of the card. Graphics inside a processor have no
    counter here. :class:`PowercapSource` measures them with their package.

    A card is measured as a whole, whoever uses it. It is named by its PCI address, e.g. ``gpu:0000:03:00.0``. Variables
    such as ``ZE_AFFINITY_MASK`` are not read, because the meaning of their numbers depends on the runtime.

    It was tested only with fakes, because no such card was available.

    Args:
        addresses: PCI addresses of the cards that count. Defaults to all cards.
        root: Folder in which Linux lists the graphics devices. Defaults to ``/sys/class/drm``.
        clock: The clock. Defaults to the machine's.

    Raises:
        ConfigurationError: ``addresses`` is not a sequence of addresses.

    Example:
        >>> source = IntelGpuSource(["0000:03:00.0"])
        >>> source.read()  # a closed source has no devices
        {}
    """

    def __init__(
        self,
        addresses: Sequence[str] | None = None,
        *,
        root: str | os.PathLike[str] = DRM,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__()
        listed = checked_names(addresses, "addresses must be a list of PCI addresses", "0000:03:00.0")
        self._addresses = None if listed is None else frozenset(address.lower() for address in listed)
        self._root = checked_path(root, "root")
        self._clock = clock

    def _begin(self) -> Guarded[_Cards]:
        files = [file for address, file in find_cards(self._root) if self._counts(address)]
        if not files:
            asked = "" if self._addresses is None else f" among {sorted(self._addresses)}"
            msg = (
                f"No Intel graphics card in {self._root}{asked} has an energy counter. It takes Linux 6.2 or later and "
                "a separate card, such as Arc, Flex or Max. Graphics in the processor count with the processor."
            )
            raise SourceUnavailableError(msg)
        _check_readable(files)
        self.poll_seconds = min(file.poll_seconds for file in files)
        now = self._clock.monotonic()
        return Guarded(_Cards({file.name: FileCounter.begin(file, now).advanced(now) for file in files}, now))

    def read(self) -> Mapping[str, Reading]:
        """Read every card.

        Returns:
            A reading for each card. Empty while the source is closed.
        """
        live = self._live
        if live is None:
            return {}
        cards = live.carry_on(self._read_on)
        if self._live is live:
            self._warn(cards)
        return {
            name: counter.counted.reading(cards.read_at, "gpu", "counter", tolerance=_INTEL_TOLERANCE)
            for name, counter in cards.by_name.items()
        }

    def poll(self) -> None:
        """Read every counter, so that standstills and wraps are noticed."""
        self.read()

    def describe(self) -> Mapping[str, DeviceInfo]:
        """Return the PCI identity of every card in the place of its product name."""
        live = self._live
        return {} if live is None else {name: _info(counter) for name, counter in live.state.by_name.items()}

    def _read_on(self, cards: _Cards) -> _Cards:
        now = self._clock.monotonic()
        return _Cards({name: counter.advanced(now) for name, counter in cards.by_name.items()}, now)

    def _warn(self, cards: _Cards) -> None:
        for name, counter in cards.by_name.items():
            if not warn_if_still(name, counter.counted, cards.read_at, _REMEDY, self._warned):
                self._warn_of_loss(name, counter.counted.account.reason)

    def _counts(self, address: str) -> bool:
        return self._addresses is None or address.lower() in self._addresses


def find_cards(root: Path) -> Iterator[tuple[str, EnergyFile]]:
    """Find the cards that have an energy counter.

    Args:
        root: Folder in which Linux lists the graphics devices.

    Yields:
        PCI address and counter of each card.
    """
    for card in _children(root, _CARD):
        counter = _counter(card / "device")
        if counter is not None:
            address = os.path.basename(os.path.realpath(card / "device"))  # noqa: PTH119  raises nothing
            yield (
                address,
                EnergyFile(
                    name=f"gpu:{address}",
                    component="gpu",
                    counter=counter,
                    range_joules=None,
                    wrap_seconds=_WRAP_SECONDS,
                    largest_watts=_LARGEST_CARD_WATTS,
                    still_seconds=_CARD_STILL_SECONDS,
                ),
            )


def _counter(device: Path) -> Path | None:
    """Return the counter of the whole card if there is one, else the counter of its package."""
    monitors = [each for each in _children(device / "hwmon", _MONITOR) if read_or_empty(each / "name") in _DRIVERS]
    files = [file for monitor in monitors for file in _children(monitor, _COUNTER)]
    # A label distinguishes the channels. i915 has only one channel, without a label.
    cards = [
        file for file in files if read_or_empty(file.with_name(file.name.replace("input", "label"))) in ("card", "")
    ]
    return next(iter([*cards, *files]), None)


def _children(folder: Path, names: re.Pattern[str]) -> list[Path]:
    """Return the children of a folder under such names. Empty if the folder is hidden, as in some containers."""
    try:
        return sorted(child for child in folder.iterdir() if names.fullmatch(child.name))
    except OSError:
        return []


def _check_readable(files: Sequence[EnergyFile]) -> None:
    refusals = [reason for file in files if (reason := file.refusal()) is not None]
    if len(refusals) < len(files):
        return
    counter = files[0].counter
    if isinstance(refusals[0], PermissionError):
        msg = (
            f"The energy counters of Intel's graphics cards may only be read by root. `sudo chmod a+r {counter}` "
            "lets all users read them until the next boot."
        )
    else:
        msg = f"The energy counter {counter} cannot be read ({refusals[0]}). See the driver's messages in `dmesg`."
    raise SourceUnavailableError(msg) from refusals[0]


def _info(counter: FileCounter) -> DeviceInfo:
    # The PCI device is three levels above …/device/hwmon/hwmon3/energy1_input.
    device = counter.file.counter.parent.parent.parent
    vendor, model = read_or_empty(device / "vendor"), read_or_empty(device / "device")
    return DeviceInfo(product=f"Intel graphics {vendor}:{model}" if vendor and model else None)
