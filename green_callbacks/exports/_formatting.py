"""Numbers, places and the name of the tool, as all exports write them."""

from decimal import Decimal
from typing import Final

from green_callbacks._version import __version__
from green_callbacks.records import DeviceEnergy, Intensity, RunRecord
from green_callbacks.records.coverage import UNMEASURED

TOOL: Final = f"green_callbacks {__version__}"
_MIG_SLICE: Final = "gpu:MIG-"
_GPU: Final = "gpu:GPU-"


def plain(value: float, digits: int) -> str:
    """Write a number as a plain decimal, without exponent and without thousands separators.

    Args:
        value: The number.
        digits: Number of significant digits.
    """
    return f"{Decimal(f'{value:.{digits - 1}e}'):f}"


def where(intensity: Intensity) -> str | None:
    """Write the place of a run.

    Args:
        intensity: Carbon intensity of the run.

    Returns:
        The name and code of the place. A guess names its origin, too. None for an unknown place.
    """
    named = intensity.name or intensity.zone
    if named is None or intensity.found_by == "world average":
        return None
    coded = f"{named} ({intensity.zone})" if intensity.zone and intensity.zone != named else named
    return f"{coded}, guessed from the machine's {intensity.found_by}" if "guessed" in intensity.flags else coded


def gpu_count(run: RunRecord) -> int | None:
    """Return the number of whole GPUs that a run used.

    Args:
        run: Totals of the run.

    Returns:
        The number. None if it is not known. That is so with slices of GPUs, and with an unmeasured GPU that has no name
        of its own.
    """
    gpus = {name: device for name, device in run.devices.items() if device.component == "gpu"}
    return None if any(_MIG_SLICE in name or _is_vague(name, device) for name, device in gpus.items()) else len(gpus)


def _is_vague(name: str, device: DeviceEnergy) -> bool:
    return UNMEASURED in device.flags and _GPU not in name
