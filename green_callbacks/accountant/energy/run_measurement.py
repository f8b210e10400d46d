"""The measurement of one run, with its devices, its intervals and its carbon intensity."""

from collections.abc import Callable, Collection, Iterator
from typing import Final

from green_callbacks.accountant.energy.device_slots import DeviceSlots
from green_callbacks.accountant.energy.grid_intensity import GridIntensity
from green_callbacks.accountant.energy.pricing import Pricing
from green_callbacks.accountant.energy.timeline import Timeline
from green_callbacks.accountant.energy.unmeasured_gpus import UnmeasuredGpus
from green_callbacks.accountant.notices import Notices
from green_callbacks.accountant.setup.options import Settings
from green_callbacks.accountant.setup.trainer_context import TrainerContext
from green_callbacks.carbon import CarbonIntensity, ConstantIntensity, PolledIntensity, resolve_intensity
from green_callbacks.measurement.read_time_limit import name_of
from green_callbacks.measurement.shared_polling import Poll
from green_callbacks.meter import EnergyMeter, Snapshot
from green_callbacks.records.codec import decode_intensity, encode_intensity
from green_callbacks.sources.discovery import Discovery, survey

_UNSURE: Final = (
    "The system does not tell the id of its boot, so names and network addresses tell the machines of this run apart. "
    "Processors that several containers of one machine see count once for each. Let containers read "
    "/proc/sys/kernel/random/boot_id, or run one container on each machine."
)
_TWICE: Final = (
    "Processes of this run are bound to processors of which they share some but not all, as in %s and %s. What they "
    "share counts twice. Bind each process to processors of its own, or bind none."
)


class RunMeasurement:
    """Opens the sources of a run, and holds the parts that turn readings into records.

    Args:
        settings: The checked options.
        trainer: What the adapter knows.
        notices: Receives sources that cannot be opened.
        before: The measurement of a provisional run, which goes on. Defaults to a new measurement.
    """

    def __init__(
        self, settings: Settings, trainer: TrainerContext, notices: Notices, before: "RunMeasurement | None" = None
    ) -> None:
        self._before = before
        self._found: Discovery = before._found if before else _survey(settings, trainer)  # noqa: SLF001  of this class
        self.meter: EnergyMeter = before.meter if before else EnergyMeter(self._found.sources, settings.clock)
        self.gpus = UnmeasuredGpus(trainer, notices, self._found.refusals, is_off=settings.is_off)
        self._part = trainer.part
        self._settings = settings
        self._ranks = trainer.ranks
        self._notices = notices
        self._grid: GridIntensity | None = None

    def begin(self, make_room: Callable[[Collection[str]], bool]) -> None:
        """Open the sources, agree with the other ranks on the devices, and make the first edge.

        Args:
            make_room: Closes the runs that must give up some devices. Returns whether there were any.
        """
        meter = self.meter
        first = self._first(make_room)
        devices = {n: (t.reading.component, t.reading.flags) for n, t in first.tallies.items()}
        devices = self._part.of(devices) | self.gpus.begin(first.tallies, meter.refusals)
        self.slots = DeviceSlots(self._ranks, devices, meter.infos(), self.gpus.reason)
        """The devices of all ranks."""
        self.gpus.agree(self.slots)
        if self._ranks.rank == 0 and not self.slots.are_hosts_sure:
            self._notices.say("hosts", "%s", _UNSURE)
        if self._ranks.rank == 0 and self.slots.twice:
            self._notices.say("processors", _TWICE, *self.slots.twice[0])
        if self._before is None:  # a source that only other processes count is closed by now, and not missing
            self._note_missing_sources()
        shared = None if self._before else meter.share(self.slots.owned)
        grid = self._begin_grid()
        self.timeline = Timeline(meter, self._settings.clock, shared or first, self.slots.owned)
        """The open intervals."""
        settings = self._settings
        self.pricing = Pricing(
            self.timeline, self.slots, grid, settings.pue.value, self.gpus, settings.counts_per_sample
        )
        """Turns intervals into records."""

    def _first(self, make_room: Callable[[Collection[str]], bool]) -> Snapshot:
        """Open the sources and read them, or return the first edge of the provisional run."""
        if self._before is not None:
            return self._before.timeline.interval.first
        meter = self.meter
        meter.open(strict=self._settings.strict, borrow=True)
        first = meter.read(patient=True)
        if make_room(first.tallies.keys()):
            meter.close()
            meter.open(borrow=True)
            first = meter.read(patient=True)
        meter.warn_of_silent()
        return first

    def polled(self) -> Iterator[tuple[Poll | PolledIntensity, str]]:
        """Yield the sources and the provider of carbon intensity that want to be polled, with their names."""
        for poll in self.meter.polls():
            yield poll, poll.name
        if isinstance(self._provider, PolledIntensity):
            yield self._provider, type(self._provider).__name__

    def close(self) -> None:
        """Close the sources and the provider. It may be called again."""
        if self._grid:
            self._grid.close()
        self.meter.close()

    def _note_missing_sources(self) -> None:
        """Have the summary repeat which sources could not be opened."""
        meter = self.meter
        for source in meter.sources:
            refusal = meter.refusals.get(source, "")
            is_said = bool(refusal) and refusal in self.gpus.reason
            if source not in meter.open_sources and not is_said:
                self._notices.note(
                    f"source {name_of(source)}",
                    "%s could not be opened, so its devices are missing. `green-callbacks doctor` says why.",
                    name_of(source),
                )

    def _begin_grid(self) -> GridIntensity:
        """Take rank 0's intensity on every rank. Only rank 0 guesses a place, with one warning."""
        settings, ranks, threads = self._settings, self._ranks, self.meter.threads
        provider, now = settings.intensity, None
        if ranks.rank == 0 and provider is None:
            provider = resolve_intensity(is_told=not self._notices.is_new("place"))
        if provider is not None:
            self._grid = GridIntensity(provider, settings.clock, threads, self._notices)
            now = self._grid.now()
        gathered = ranks.gather(encode_intensity(now) if now else None)
        self.first_intensity = now or decode_intensity(gathered[0])
        """The carbon intensity at the start."""
        self._provider: CarbonIntensity = provider or ConstantIntensity(self.first_intensity)
        self._grid = self._grid or GridIntensity(self._provider, settings.clock, threads, self._notices)
        return self._grid


def _survey(settings: Settings, trainer: TrainerContext) -> Discovery:
    return survey(gpu_uuids=trainer.gpu_uuids) if settings.sources is None else Discovery(settings.sources)
