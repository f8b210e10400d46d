"""Accelerators that train and cannot be measured: in every record as what they are, and said once."""

from collections.abc import Mapping, Sequence
from typing import Final

from green_callbacks.accountant.beginning.trainer_context import Surroundings
from green_callbacks.accountant.notices import Notices
from green_callbacks.accountant.ranks import LATENT, Lap, Slots
from green_callbacks.meter import Tally
from green_callbacks.records import DeviceEnergy, EpochRecord, Reading
from green_callbacks.records.coverage import UNMEASURED, missing, what_counts
from green_callbacks.sources import EnergySource
from green_callbacks.sources.accelerators.in_use import Accelerator, in_use, told, unmeasured
from green_callbacks.sources.accelerators.unmeasured import why_unmeasured

LOOK_SECONDS: Final = 10.0
"""How often to look whether a framework holds a GPU by now, in s: a model may move to it long after the start."""
_FLAGS: Final = (UNMEASURED,)


class GpuWatch:
    """Sees to it that an accelerator that trains and cannot be measured is never missing in silence.

    It stands in the records as a device of its own without energy, flagged ``unmeasured``, and a notice says why and
    what to do. Where the adapter does not say on what it trains, the frameworks are asked, now and again: they may take
    a GPU at any time.

    Args:
        around: What the adapter knows.
        notices: Where to say what.
        refusals: Why sources were not found.
        is_off: Whether nothing is to be measured at all.
    """

    def __init__(
        self, around: Surroundings, notices: Notices, refusals: Mapping[EnergySource, str], *, is_off: bool
    ) -> None:
        self._notices = notices
        self._rank, self._size = around.ranks.rank, around.ranks.size
        is_told = around.gpu_uuids is not None or around.gpu_name is not None
        self._told = None if not is_told else told(around.gpu_uuids or (), around.gpu_name)
        self._is_watching = not is_off and (self._told is None or bool(self._told))
        self._readings: Mapping[str, Reading] = {}
        self._refusals = refusals
        self._missing: Mapping[str, str] = {}
        self._known: frozenset[str] = frozenset()
        self.reason = ""
        """Why something is missing on this rank; empty where nothing is."""

    def begin(
        self, tallies: Mapping[str, Tally], refusals: Mapping[EnergySource, str]
    ) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Find what is missing at the start.

        Args:
            tallies: What the meter tells of every device.
            refusals: Why sources could not be opened.

        Returns:
            Component and flags of the devices to reserve a place for: those that are missing, or one that may turn out
            to be.
        """
        self._readings = readings = {name: tally.reading for name, tally in tallies.items()}
        self._refusals = {**self._refusals, **refusals}
        if self._is_watching:
            self._find(in_use() if self._told is None else self._told)
            self._is_watching = self._told is None and not self.reason and not Accelerator("cuda").is_in(readings)
        if self._is_watching and self._size > 1:
            return {self._latent: ("gpu", (LATENT,))}
        return {name: (component, _FLAGS) for name, component in self._missing.items()}

    def agree(self, slots: Slots) -> None:
        """Say on rank 0 what is missing on any rank.

        Args:
            slots: The devices of all ranks, and why some are missing.
        """
        self._known = frozenset(
            slot.name
            for slot in slots.slots
            if slots.notes[slot.rank] or (slot.rank == self._rank and LATENT in slot.flags)
        )
        if self._rank == 0:
            self._say(slots.notes)

    @property
    def is_watching(self) -> bool:
        """Whether a framework may still take an accelerator that is not measured."""
        return self._is_watching and not self.reason

    @property
    def _latent(self) -> str:
        return f"gpu:unmeasured-{self._rank}"

    def look(self) -> None:
        """See whether a framework holds by now what is not measured; on any thread, in a few µs."""
        if not self.is_watching:
            return
        self._find(in_use())
        if self.reason:
            if self._size > 1:
                self._missing = {self._latent: "gpu"}
            self._known |= self._missing.keys()
            self._say([self.reason])

    def _find(self, used: Sequence[Accelerator]) -> None:
        found = unmeasured(used, self._readings)
        if found:
            # One that its source knows, and tells nothing of, stands for itself.
            mute = {each.component for each in self._readings.values() if each.joules is None}
            self._missing = {self._named(each): each.component for each in found if each.component not in mute}
            self.reason = why_unmeasured(found[0], self._readings, self._refusals)

    def _named(self, each: Accelerator) -> str:
        return each.name if each.uuid or self._size == 1 else f"{each.name}-{self._rank}"

    def _say(self, reasons: Sequence[str]) -> None:
        for reason in filter(None, reasons):
            self._notices.say(f"unmeasured: {reason}", "%s", reason)

    def added(self, lap: Lap) -> Lap:
        """Return a lap with what is missing in it.

        Args:
            lap: What was measured on this rank.
        """
        self.look()
        lost = self._missing
        if not lost:
            return lap
        seconds = lap.seconds
        gaps = {
            name: DeviceEnergy(None, component, "counter", seconds, None, None, seconds, 0.0, _FLAGS)
            for name, component in lost.items()
        }
        return lap._replace(devices={**lap.devices, **gaps})

    def check(self, record: EpochRecord) -> None:
        """Note what is missing from a record: a GPU that is lost, of which its source has warned, or another rank's.

        Args:
            record: The last record.
        """
        for name in missing(record.devices):
            if name in self._known:
                continue
            key, left_out = f"missing: {name}", what_counts(record.devices)
            if UNMEASURED in record.devices[name].flags:
                text = "%s is not measured from epoch %s on; the log of its rank says why. %s"
                self._notices.say(key, text, name, record.epoch, left_out)
            else:
                text = "%s did not answer in epoch %s; the log says what to look at. %s"
                self._notices.note(key, text, name, record.epoch, left_out)
