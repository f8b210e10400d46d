"""The accelerators that are missing from the energy of a record or a run, because they could not be measured."""

from collections.abc import Iterable, Mapping
from typing import Final

from green_callbacks.records.device import DeviceEnergy

UNMEASURED: Final = "unmeasured"
"""Flag of an accelerator that was used for training and whose energy cannot be read."""
SHARED: Final = "shared"
"""Flag of a device that other processes used at the same time."""
_MOST_GAP: Final = 0.01
"""Share of the time above which a text says that a GPU was not measured. No unit, by convention."""
_WORDS: Final = {"cpu": "CPU", "gpu": "GPU", "dram": "memory", "ane": "neural engine", "tpu": "TPU"}


def is_missing(joules: float | None, component: str, flags: Iterable[str]) -> bool:
    """Return whether a device is an accelerator that was not measured at all.

    Args:
        joules: Energy of the device, in J. None if it was not measured.
        component: Component of the device, e.g. ``gpu``.
        flags: Flags of the device.
    """
    return joules is None and (component == "gpu" or UNMEASURED in flags)


def missing(devices: Mapping[str, DeviceEnergy]) -> list[str]:
    """Return the accelerators that were not measured at all.

    Args:
        devices: Energy by device, of a record or a run.
    """
    return [name for name, each in devices.items() if is_missing(each.joules, each.component, each.flags)]


def is_whole(devices: Mapping[str, DeviceEnergy]) -> bool:
    """Return whether every accelerator was measured, for at least 99 % of the time.

    Args:
        devices: Energy by device, of a record or a run.
    """
    return not missing(devices) and _longest_gap(devices) <= _MOST_GAP


def what_counts(devices: Mapping[str, DeviceEnergy]) -> str | None:
    """Return a sentence that names the accelerators that are missing from the energy of some devices.

    Args:
        devices: Energy by device, of a record or a run.

    Returns:
        A sentence such as ``This counts the CPU only: the GPU is not measured.`` None if every accelerator is measured.
    """
    lost = missing(devices)
    if not lost:
        share = _longest_gap(devices)
        said = f"This leaves out a GPU for {100 * share:.0f} % of the time: it did not answer."
        return said if share > _MOST_GAP else None
    component = devices[lost[0]].component
    noun = _word(component)
    counted = dict.fromkeys(each.component for each in devices.values() if each.joules is not None)
    if component in counted:
        of = sum(each.component == component for each in devices.values())
        return f"This leaves out {len(lost)} of {of} {noun}s, which {'is' if len(lost) == 1 else 'are'} not measured."
    which = f"the {noun} is" if len(lost) == 1 else f"the {noun}s are"
    if not counted:
        return f"This counts nothing: {which} not measured."
    return f"This counts {in_words(counted)} only: {which} not measured."


def who_else(devices: Mapping[str, DeviceEnergy]) -> str | None:
    """Return a sentence that names the devices that other processes used, too.

    Args:
        devices: Energy by device, of a record or a run.

    Returns:
        A sentence such as ``Others used the GPU at the same time.`` None if no device was shared.
    """
    shared = [each.component for each in devices.values() if SHARED in each.flags]
    return f"Others used {in_words(shared)} at the same time." if shared else None


def in_words(components: Iterable[str]) -> str:
    """Return the components as a sentence calls them, e.g. ``the CPU and memory``. ``nothing`` if there are none.

    Args:
        components: Components of devices.
    """
    *first, last = [*map(_word, dict.fromkeys(components))] or ["nothing"]
    if last == "nothing":
        return last
    return f"the {', '.join(first) + ' and ' if first else ''}{last}"


def _word(component: str) -> str:
    return _WORDS.get(component, component)


def _longest_gap(devices: Mapping[str, DeviceEnergy]) -> float:
    """Return the largest share of the time for which a measured GPU did not answer."""
    gpus = (each for each in devices.values() if each.component == "gpu" and each.duration_seconds > 0)
    return max((each.gap_seconds / each.duration_seconds for each in gpus), default=0.0)
