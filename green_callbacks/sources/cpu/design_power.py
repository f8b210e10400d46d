"""Design power of processors, by model name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from green_callbacks.small_files import LIST_BYTES, read_or_empty

_SPECIFIED: Final[Mapping[str, tuple[float, int]]] = {
    "EPYC 7302": (155, 16),
    "EPYC 7402": (180, 24),
    "EPYC 7452": (155, 32),
    "EPYC 7502": (180, 32),
    "EPYC 7543": (225, 32),
    "EPYC 7702": (200, 64),
    "EPYC 7713": (225, 64),
    "EPYC 7742": (225, 64),
    "EPYC 7763": (280, 64),
    "EPYC 7H12": (280, 64),
    "EPYC 9354": (280, 32),
    "EPYC 9454": (290, 48),
    "EPYC 9534": (280, 64),
    "EPYC 9554": (360, 64),
    "EPYC 9575F": (400, 64),
    "EPYC 9654": (360, 96),
    "EPYC 9655": (400, 96),
    "Xeon(R) CPU E5-2650 v4": (105, 12),
    "Xeon(R) CPU E5-2680 v4": (120, 14),
    "Xeon(R) CPU E5-2690 v4": (135, 14),
    "Xeon(R) CPU E5-2698 v4": (135, 20),
    "Xeon(R) Gold 6130": (125, 16),
    "Xeon(R) Gold 6148": (150, 20),
    "Xeon(R) Gold 6226R": (150, 16),
    "Xeon(R) Gold 6230": (125, 20),
    "Xeon(R) Gold 6248": (150, 20),
    "Xeon(R) Gold 6248R": (205, 24),
    "Xeon(R) Gold 6338": (205, 32),
    "Xeon(R) Platinum 8168": (205, 24),
    "Xeon(R) Platinum 8280": (205, 28),
    "Xeon(R) Platinum 8358": (250, 32),
    "Xeon(R) Platinum 8380": (270, 40),
    "Xeon(R) Platinum 8462Y+": (300, 32),
    "Xeon(R) Platinum 8468": (350, 48),
    "Xeon(R) Platinum 8480+": (350, 56),
    "Xeon(R) Platinum 8558": (330, 48),
    "Xeon(R) Platinum 8570": (350, 56),
    "Xeon(R) Platinum 8592+": (350, 64),
    "i7-9700K": (95, 8),
    "i9-9900K": (95, 8),
    "i9-10900K": (125, 10),
    "Ryzen 7 5800X": (105, 8),
    "Ryzen 9 3950X": (105, 16),
    "Ryzen 9 5950X": (105, 16),
    "Ryzen 9 7950X": (170, 16),
    "Threadripper 3970X": (280, 32),
    "Threadripper 3990X": (280, 64),
}
"""Design power in W and number of cores, by a part of the model name.

The figures are the makers' specifications, "TDP" of ark.intel.com and "Default TDP" of AMD's processor specifications
(amd.com). They were checked in 2026 against copies of both exports of 2025. Ryzen and Threadripper were checked against
a list that others compiled from these exports.
"""

_MEDIAN_WATTS_PER_CORE: Final = sorted(watts / cores for watts, cores in _SPECIFIED.values())[len(_SPECIFIED) // 2]
"""Median design power of the models above, in W per core."""
IDLE_SHARE: Final = 0.2
"""Power when idle over power when busy, from Cloud Carbon Footprint's means over SPECpower results, 0.74 W of 3.5 W."""
_CORES: Final = re.compile(r"[1-9][0-9]{0,5}")
CPUINFO: Final = Path("/proc/cpuinfo")

Origin = Literal["argument", "specification", "median"]
"""Where a design power comes from. It is given by the user, specified by the maker, or the median of common models."""


@dataclass(frozen=True, slots=True)
class CoreDesign:
    """The cores of a machine.

    Attributes:
        model: Name of the processor. None if it is not known.
        watts_per_core: Design power per core, in W.
        threads_per_core: Logical processors per core, 2 with SMT. It is 1 without SMT or if it is not known.
        origin: Origin of the design power.
    """

    model: str | None
    watts_per_core: float
    threads_per_core: float
    origin: Origin


def core_design(cpuinfo: Path = CPUINFO) -> CoreDesign:
    """Return the design of the cores of this machine.

    Args:
        cpuinfo: The file in which Linux describes the processors. Defaults to ``/proc/cpuinfo``.

    Returns:
        The maker's design power for common models, else the median of the common models.
    """
    text = read_or_empty(cpuinfo, LIST_BYTES)  # the section of the first processor suffices
    model = _field(text, "model name")
    specified = _specified_watts_per_core(model)
    return CoreDesign(
        model=model or None,
        watts_per_core=_MEDIAN_WATTS_PER_CORE if specified is None else specified,
        threads_per_core=_threads_per_core(text),
        origin="median" if specified is None else "specification",
    )


def _specified_watts_per_core(model: str) -> float | None:
    for name, (watts, cores) in _SPECIFIED.items():
        # AMD's P only marks a model for one socket. Any other letter, and Intel's P, marks another model.
        one_socket = "P?" if name.startswith("EPYC") else ""
        if re.search(rf"{re.escape(name)}{one_socket}(?![\w+])", model, re.IGNORECASE):
            return watts / cores
    return None


def _threads_per_core(text: str) -> float:
    siblings, cores = _field(text, "siblings"), _field(text, "cpu cores")
    found = _CORES.fullmatch(siblings) and _CORES.fullmatch(cores)
    return int(siblings) / int(cores) if found else 1.0


def _field(text: str, name: str) -> str:
    match = re.search(rf"^{name}\s*:\s*(.*)$", text, re.MULTILINE)
    return match[1].strip() if match else ""
