"""Sentences about runs that have measured a device at the same time."""

from collections.abc import Iterable
from math import isclose
from typing import Final, NamedTuple

from green_callbacks.ledger.overlaps.hosts import Hosts, Place
from green_callbacks.ledger.overlaps.shares import Part
from green_callbacks.records.coverage import in_words
from green_callbacks.text import for_terminal
from green_callbacks.text.wording import significant

_MOST_HOSTS: Final = 3
"""Largest number of machines that get a sentence each, by convention. For more, one sentence counts all."""


class Shared(NamedTuple):
    """A run that has measured a device at the same time as others.

    Attributes:
        place: Its machine.
        facility_kwh: Energy of the facility that it has measured, in kWh.
        part: The part that the sum leaves out.
    """

    place: Place
    facility_kwh: float
    part: Part


def overlap_sentences(shared: Iterable[Shared]) -> list[str]:
    """Return what a sum says of the devices that several of its runs have measured.

    Args:
        shared: The runs of which the sum leaves out a part.

    Returns:
        One or two sentences for each machine. One text for all machines if there are many.

    Example:
        >>> part = Part(0.0, 1.0, 0.0, 0.0, 0.0, {}, ("gpu",), 2)
        >>> overlap_sentences([Shared(Place("node01"), kwh, part) for kwh in (2.0, 3.0)])
        ['2 runs measured the GPU of node01 at the same time. The sum counts it once, as 3.00 kWh instead of 5.00 kWh.']
    """
    found = list(shared)
    hosts = Hosts(each.place for each in found)
    by_host: dict[str, list[Shared]] = {}
    for each in found:
        by_host.setdefault(hosts.key(each.place), []).append(each)
    if len(by_host) > _MOST_HOSTS:
        return [_sentence(found, f"of {len(by_host):,} machines")]
    return [_sentence(each, _of(each[0].place.name)) for each in by_host.values()]


def _of(name: str) -> str:
    return f"of {for_terminal(name)}" if name else ""


def _sentence(found: list[Shared], where: str) -> str:
    components = dict.fromkeys(name for each in found for name in each.part.components)
    most, runs = max(each.part.most for each in found), len(found)
    together = "at the same time" if most >= runs else f"up to {most:,} of them at the same time"
    it = "it" if len(components) == 1 else "them"
    what = " ".join(filter(None, (in_words(components), where)))
    whole = sum(each.facility_kwh for each in found)
    left_out = sum(each.part.facility_kwh for each in found)
    once = max(0.0, whole - left_out)
    if runs == 1 or (whole and isclose(left_out, whole)):  # the other process has no part to leave out
        return (
            f"{runs:,} {'run' if runs == 1 else 'runs'} measured {what}, and another run measured all of {it} at the "
            f"same time. The sum counts {it} there, and leaves out {significant(left_out)} kWh."
        )
    return (
        f"{runs:,} {'run' if runs == 1 else 'runs'} measured {what}{'' if most >= runs else ','} {together}. "
        f"The sum counts {it} once, as {significant(once)} kWh instead of {significant(whole)} kWh."
    )
