"""The whole examination of the machine, and its report."""

import logging
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

from green_callbacks._version import __version__
from green_callbacks.call_threads import Threads, call_once
from green_callbacks.cli.doctor.account import account
from green_callbacks.cli.doctor.finding import Finding
from green_callbacks.cli.doctor.gpus import gpus
from green_callbacks.cli.doctor.job.processors import processors
from green_callbacks.cli.doctor.job.slurm import slurm
from green_callbacks.cli.doctor.other_gpus import amd, apple, intel
from green_callbacks.cli.doctor.software import packages, software
from green_callbacks.records import DeviceEnergy
from green_callbacks.sources import EnergySource
from green_callbacks.sources.common import opening
from green_callbacks.text import for_terminal
from green_callbacks.text.layout import UNKNOWN, aligned, labeled
from green_callbacks.text.wording import significant
from green_callbacks.window import Window, measure

_LABEL_WIDTH: Final = 15
"""Width of the column of topics, in characters."""

_GPUS: Final = frozenset({"NVIDIA GPU", "AMD GPU", "Intel GPU", "Apple Silicon"})


@dataclass(frozen=True, slots=True)
class Report:
    """The result of an examination.

    Attributes:
        findings: All findings.
        window: The live measurement. It has no devices if nothing could be measured.
    """

    findings: Sequence[Finding]
    window: Window

    @property
    def measures(self) -> bool:
        """Whether the energy of at least one device was measured, not modelled."""
        return any(d.joules is not None and d.method != "modelled" for d in self.window.devices.values())

    @property
    def misses_gpu(self) -> bool:
        """Whether there is a GPU whose energy cannot be measured."""
        return any(f.topic in _GPUS and f.state == "missing" and f.details.get("is_there", True) for f in self.findings)

    def as_text(self) -> str:
        """Return the report as lines of plain text."""
        head = f"green_callbacks {__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}"
        return "\n\n".join([head, "\n".join(map(_lines, self.findings)), self._measurement(), self._verdict()])

    def as_document(self) -> dict[str, Any]:
        """Return the report as plain JSON types."""
        devices = {
            name: {**device._asdict(), "flags": list(device.flags), "mean_watts": device.mean_watts}
            for name, device in self.window.devices.items()
        }
        return {
            "version": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(terse=True),
            "packages": packages(),
            "measures": self.measures,
            "misses_gpu": self.misses_gpu,
            "findings": [asdict(finding) for finding in self.findings],
            "measurement": {"duration_seconds": self.window.duration_seconds, "devices": devices},
        }

    def _measurement(self) -> str:
        if not self.window.devices:
            return "No energy can be measured or modelled here."
        rows = [_row(name, device) for name, device in self.window.devices.items()]
        title = f"Measured over {self.window.duration_seconds:.1f} s, with everything that ran at the time"
        return f"{title}\n{aligned([['device', 'power', 'how', 'flags'], *rows], left=(0, 2, 3))}"

    def _verdict(self) -> str:
        if self.misses_gpu:
            others = "measured" if self.measures else "modelled"
            return (
                "The energy of a GPU cannot be measured here. A run that trains on it would leave it out, and say so. "
                f"The energy of the other devices is {others}."
            )
        if self.measures:
            return "Energy can be measured here."
        return "No energy can be measured here. A run would show modelled energy, and say so."


def examine(seconds: float, sources: Sequence[EnergySource] | None = None) -> Report:
    """Examine this machine, and measure for a moment. Never raises.

    Args:
        seconds: Length of the measurement, in s.
        sources: Sources to measure with. Defaults to the sources of this machine.

    Returns:
        The report.
    """
    with _quiet():  # the report holds everything that would be logged
        chip = apple()
        # On Apple chips the energy from macOS includes the processors.
        parts = chip if any(finding.state == "modelled" for finding in chip) else [*chip, *processors()]
        found = [*_in_time("NVIDIA GPU", gpus), *_in_time("AMD GPU", amd), *intel(), *parts]
        return Report([*found, *slurm(), *software(), *account()], _measured(seconds, sources))


def _in_time(topic: str, examined: Callable[[], list[Finding]]) -> list[Finding]:
    """Ask a driver, and report a driver that does not answer within the time that a run would wait."""
    found: list[Finding] = []
    if call_once(lambda: found.extend(examined()), "green_callbacks doctor", Threads(), opening.OPEN_SECONDS):
        return found
    text = (
        f"Its driver has not answered for {opening.OPEN_SECONDS:.0f} s. Look for errors of the GPU (Xid) in 'dmesg'. "
        "Reboot if they persist."
    )
    return [Finding(topic=topic, state="missing", text=text, command="sudo dmesg")]


def _measured(seconds: float, sources: Sequence[EnergySource] | None) -> Window:
    with measure(sources) as window:
        time.sleep(seconds)
    return window


@contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("green_callbacks")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _lines(finding: Finding) -> str:
    text = labeled(finding.topic, finding.text, label_width=_LABEL_WIDTH)
    # The command is not wrapped, so that it can be copied.
    return text if finding.command is None else f"{text}\n{' ' * _LABEL_WIDTH}$ {for_terminal(finding.command)}"


def _row(name: str, device: DeviceEnergy) -> list[str]:
    watts = UNKNOWN if device.mean_watts is None else f"{significant(device.mean_watts)} W"
    return [name, watts, device.method, ", ".join(device.flags)]
