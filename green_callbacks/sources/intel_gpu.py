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
_REMEDY: Final = "See `dmesg` for what its driver says."
_CARD: Final = re.compile(r"card\d+")
"""``card0-HDMI-A-1`` and the like are its connectors."""
_MONITOR: Final = re.compile(r"hwmon\d+")
_DRIVERS: Final = ("i915", "xe")
"""Monitors of whole cards; ``i915_gt0`` and the like are those of their tiles."""
_COUNTER: Final = re.compile(r"energy[12]_input")
"""The card and, inside it, its package (kernel, ``sysfs-driver-intel-xe-hwmon``); not every card has both."""
_WRAP_SECONDS: Final = 262.0
"""The driver adds up a register of 32 bits in units of 61 µJ, but only when it is read: 262 kJ, at 1 kW."""
_LARGEST_WATTS: Final = 1_000.0
"""More than any card draws, in W: the largest of 2025, Max 1550, is sold with 600 W."""
_STILL_SECONDS: Final = 0.6
"""How long a counter may stand still, in s. A card that answers draws power, and refreshes ten times a second."""
_TOLERANCE: Final = 0.05
"""A convention, as wide as the sensors of NVIDIA's boards differ: Intel states no accuracy."""


@dataclass(frozen=True, slots=True)
class _Cards:
    """All cards, and when they were read, in monotonic s."""

    by_name: Mapping[str, FileCounter]
    read_at: float


class IntelGpuSource(LiveSource[Guarded[_Cards]]):
    """Intel's graphics cards: Arc, Flex and Max, on Linux 6.2 (driver i915) or 6.8 (xe) and later.

    The energy is that of the card where it is metered, else that of its package, which the card contains. Graphics
    inside a processor have no counter here: they are in that of their package (:class:`PowercapSource`).

    A card is measured whole, whoever uses it, and named by its PCI address, e.g. ``gpu:0000:03:00.0``. All cards
    count unless ``addresses`` says which: ``ZE_AFFINITY_MASK`` and the like are not read, since what their numbers
    mean depends on the runtime.

    Tested on fakes only: no such card was at hand.

    Args:
        addresses: The cards that count, by PCI address; all unless given.
        root: Where Linux lists the graphics devices.
        clock: The time.

    Raises:
        ConfigurationError: ``addresses`` is not a sequence of addresses.
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
                f"No Intel graphics card in {self._root}{asked} has an energy counter: it takes Linux 6.2 or later and "
                "a card of its own, such as Arc, Flex or Max; graphics in the processor count with the processor."
            )
            raise SourceUnavailableError(msg)
        _check_readable(files)
        self.poll_seconds = min(file.poll_seconds for file in files)
        now = self._clock.monotonic()
        return Guarded(_Cards({file.name: FileCounter.begin(file, now).advanced(now) for file in files}, now))

    def read(self) -> Mapping[str, Reading]:
        """Read every card.

        Returns:
            A reading for each card; nothing while the source is closed.
        """
        live = self._live
        if live is None:
            return {}
        cards = live.carry_on(self._read_on)
        if self._live is live:
            self._warn(cards)
        return {
            name: counter.counted.reading(cards.read_at, "gpu", "counter", tolerance=_TOLERANCE)
            for name, counter in cards.by_name.items()
        }

    def poll(self) -> None:
        """Read every counter, so that one that stands still or wraps is noticed."""
        self.read()

    def describe(self) -> Mapping[str, DeviceInfo]:
        """Return the PCI identity of every card, which stands for its product."""
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
        root: Where Linux lists the graphics devices.

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
                    largest_watts=_LARGEST_WATTS,
                    still_seconds=_STILL_SECONDS,
                ),
            )


def _counter(device: Path) -> Path | None:
    """Return the counter of the whole card if there is one, else that of its package: never both."""
    monitors = [each for each in _children(device / "hwmon", _MONITOR) if read_or_empty(each / "name") in _DRIVERS]
    files = [file for monitor in monitors for file in _children(monitor, _COUNTER)]
    # Which channel is which is told by its label; i915, which has but one, has no label.
    cards = [
        file for file in files if read_or_empty(file.with_name(file.name.replace("input", "label"))) in ("card", "")
    ]
    return next(iter([*cards, *files]), None)


def _children(folder: Path, names: re.Pattern[str]) -> list[Path]:
    """Return what is in a folder under such names; nothing where it is hidden, as in some containers."""
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
            f"The energy counters of Intel's graphics cards may only be read by root: `sudo chmod a+r {counter}` "
            "lets all users, until the next boot."
        )
    else:
        msg = f"The energy counter {counter} cannot be read ({refusals[0]}): see `dmesg` for what its driver says."
    raise SourceUnavailableError(msg) from refusals[0]


def _info(counter: FileCounter) -> DeviceInfo:
    # …/device/hwmon/hwmon3/energy1_input: the PCI device is three levels up.
    device = counter.file.counter.parent.parent.parent
    vendor, model = read_or_empty(device / "vendor"), read_or_empty(device / "device")
    return DeviceInfo(product=f"Intel graphics {vendor}:{model}" if vendor and model else None)
