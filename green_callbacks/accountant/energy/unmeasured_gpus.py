"""Accelerators that train and cannot be measured. Every record names them, and a warning is logged once."""

from collections.abc import Mapping, Sequence
from typing import Final

from green_callbacks.accountant.energy.device_slots import DeviceSlots
from green_callbacks.accountant.energy.lap_vectors import LATENT, Lap
from green_callbacks.accountant.notices import Notices
from green_callbacks.accountant.setup.trainer_context import TrainerContext
from green_callbacks.meter import Tally
from green_callbacks.records import DeviceEnergy, EpochRecord, Reading
from green_callbacks.records.coverage import UNMEASURED, missing, what_counts
from green_callbacks.sources import EnergySource
from green_callbacks.sources.accelerators.in_use import Accelerator, in_use, told, unmeasured
from green_callbacks.sources.accelerators.unmeasured import why_unmeasured

GPU_CHECK_SECONDS: Final = 10.0
"""Interval, in s, at which the frameworks are asked for a GPU. A model may move to a GPU long after the start."""
_FLAGS: Final = (UNMEASURED,)


class UnmeasuredGpus:
    """Reports accelerators that train and cannot be measured.

    Such an accelerator is in the records as a device without energy, flagged ``unmeasured``. A notice says why, and
    what to do. If the adapter does not name its accelerator, the frameworks are asked at intervals, because they may
    take a GPU at any time.

    Args:
        trainer: What the adapter knows.
        notices: Receives the warnings.
        refusals: The reasons why sources were not found.
        is_off: Whether measuring is switched off.
    """

    def __init__(
        self, trainer: TrainerContext, notices: Notices, refusals: Mapping[EnergySource, str], *, is_off: bool
    ) -> None:
        self._notices = notices
        self._rank, self._size = trainer.ranks.rank, trainer.ranks.size
        is_told = trainer.gpu_uuids is not None or trainer.gpu_name is not None
        self._told = None if not is_told else told(trainer.gpu_uuids or (), trainer.gpu_name)
        self._is_watching = not is_off and (self._told is None or bool(self._told))
        self._readings: Mapping[str, Reading] = {}
        self._refusals = refusals
        self._missing: Mapping[str, str] = {}
        self._known: frozenset[str] = frozenset()
        self.reason = ""
        """Why an accelerator of this rank is not measured. Empty if none is missing."""

    def begin(
        self, tallies: Mapping[str, Tally], refusals: Mapping[EnergySource, str]
    ) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Find the unmeasured accelerators at the start.

        Args:
            tallies: The tallies of the meter by device.
            refusals: The reasons why sources could not be opened.

        Returns:
            Component and flags of the devices that need a slot. They are unmeasured, or may become so.
        """
        self._readings = readings = {name: tally.reading for name, tally in tallies.items()}
        self._refusals = {**self._refusals, **refusals}
        if self._is_watching:
            self._find(in_use() if self._told is None else self._told)
            self._is_watching = self._told is None and not self.reason and not Accelerator("cuda").is_in(readings)
        if self._is_watching and self._size > 1:
            return {self._latent: ("gpu", (LATENT,))}
        return {name: (component, _FLAGS) for name, component in self._missing.items()}

    def agree(self, slots: DeviceSlots) -> None:
        """Warn on rank 0 of the unmeasured accelerators of all ranks.

        Args:
            slots: The devices of all ranks, with the reasons why some are unmeasured.
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
        """Whether a framework may still take an unmeasured accelerator."""
        return self._is_watching and not self.reason

    @property
    def _latent(self) -> str:
        return f"gpu:unmeasured-{self._rank}"

    def check_frameworks(self) -> None:
        """Ask whether a framework has taken an unmeasured accelerator. Takes a few µs, on any thread."""
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
            # A device that its source knows, but cannot read, is in the records already.
            mute = {each.component for each in self._readings.values() if each.joules is None}
            self._missing = {self._named(each): each.component for each in found if each.component not in mute}
            self.reason = why_unmeasured(found[0], self._readings, self._refusals)

    def _named(self, each: Accelerator) -> str:
        return each.name if each.uuid or self._size == 1 else f"{each.name}-{self._rank}"

    def _say(self, reasons: Sequence[str]) -> None:
        for reason in filter(None, reasons):
            self._notices.say(f"unmeasured: {reason}", "%s", reason)

    def added(self, lap: Lap) -> Lap:
        """Return a lap with the unmeasured accelerators.

        Args:
            lap: The measured energy of this rank.
        """
        self.check_frameworks()
        lost = self._missing
        if not lost:
            return lap
        seconds = lap.seconds
        gaps = {
            name: DeviceEnergy(None, component, "counter", seconds, None, None, seconds, 0.0, _FLAGS)
            for name, component in lost.items()
        }
        return lap._replace(devices={**lap.devices, **gaps})

    def check_record(self, record: EpochRecord) -> None:
        """Note devices without energy in a record. A GPU was lost, or an accelerator of another rank is unmeasured.

        Args:
            record: The last record.
        """
        for name in missing(record.devices):
            if name in self._known:
                continue
            key, left_out = f"missing: {name}", what_counts(record.devices)
            if UNMEASURED in record.devices[name].flags:
                text = "%s is not measured from epoch %s on. The log of its rank says why. %s"
                self._notices.say(key, text, name, record.epoch, left_out)
            else:
                text = "%s did not answer in epoch %s. The log says what to check. %s"
                self._notices.note(key, text, name, record.epoch, left_out)
