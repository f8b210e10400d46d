"""The gauges of this process. No device is measured twice, and no source is closed too early."""

import os
import threading
import weakref
from collections.abc import Collection, Iterable
from typing import Final

from green_callbacks.clock import Clock, SystemClock
from green_callbacks.measurement.energy_division import Claim
from green_callbacks.measurement.gauge import Gauge
from green_callbacks.measurement.interrupt_safe_lock import TURN_SECONDS, Turn, in_turn
from green_callbacks.sources.base import EnergySource


class Registry:
    """The gauges of the runs of a process, and the sources that each holds open.

    Sets make every change repeatable after an interrupt. They are read as copies, so that a signal handler may change
    them in between. No source is called under the lock.
    """

    def __init__(self) -> None:
        self.turn = Turn()
        self._claims: dict[Gauge, set[Claim]] = {}
        # Nobody reports that a meter was dropped.
        self._gauges: weakref.WeakValueDictionary[int, Gauge] = weakref.WeakValueDictionary()
        self._closing: dict[int, threading.Lock] = {}

    def hold(self, source: EnergySource, gauge: Gauge) -> None:
        """Note that a gauge needs a source open. Waits until another thread has closed it.

        Args:
            source: The source.
            gauge: The gauge.
        """
        closing = self._hold(source, gauge)
        if closing is not None:
            closing.acquire(timeout=TURN_SECONDS)
            self._closing.pop(id(source), None)

    @in_turn
    def _hold(self, source: EnergySource, gauge: Gauge) -> "threading.Lock | None":
        self._gauges[id(gauge)] = gauge
        gauge.held = (*gauge.held, source)
        return self._closing.get(id(source))

    @in_turn
    def release(self, sources: Iterable[EnergySource], gauge: Gauge) -> list[EnergySource]:
        """Note that a gauge no longer needs sources.

        Args:
            sources: The sources.
            gauge: The gauge.

        Returns:
            The sources that nobody needs. The caller closes them, and calls :meth:`closed`.
        """
        free = []
        for source in sources:
            holders = self._holders(source)
            gauge.held = tuple(each for each in gauge.held if each is not source)
            if holders == [gauge]:
                closing = self._closing[id(source)] = threading.Lock()
                closing.acquire()
                free.append(source)
        return free

    def _holders(self, source: EnergySource) -> list[Gauge]:
        gauges = [reference() for reference in self._gauges.valuerefs()]
        return [gauge for gauge in gauges if gauge and any(each is source for each in gauge.held)]

    def closed(self, sources: Iterable[EnergySource]) -> None:
        """Note that sources are closed, or left to themselves.

        Args:
            sources: The sources.
        """
        for source in sources:
            closing = self._closing.pop(id(source), None)
            if closing is not None and closing.locked():
                closing.release()

    @in_turn
    def lender(self, source: EnergySource, clock: Clock) -> Gauge | None:
        """Return the gauge that reads a source by the same clock, so that no other gauge needs to open it.

        Args:
            source: The source.
            clock: The clock.
        """
        holders = self._holders(source)
        return next((each for each in holders if each in self._claims and _agree(each.clock, clock)), None)

    @in_turn
    def claim(self, devices: Collection[str], own: Gauge) -> dict[Gauge, Claim]:
        """Choose a gauge for each device of a run. A gauge that already measures the device comes first.

        Args:
            devices: The devices.
            own: The gauge of the run.

        Returns:
            The devices that the run counts, by gauge. The run's own gauge is always among the keys, and gives the run
            its part from now on.
        """
        names: dict[Gauge, set[str]] = {own: set()}
        for device in devices:
            names.setdefault(self._measuring(device, own), set()).add(device)
        claims = {gauge: Claim(frozenset(claimed), own) for gauge, claimed in names.items()}
        own.state = own.state.joined(claims[own])
        for gauge, claim in claims.items():
            self._claims.setdefault(gauge, set()).add(claim)
        return claims

    def _measuring(self, device: str, own: Gauge) -> Gauge:
        for gauge, claims in list(self._claims.items()):
            if _agree(gauge.clock, own.clock) and any(device in each.devices for each in tuple(claims)):
                return gauge
        return own

    @in_turn
    def claims_of(self, own: Gauge) -> list[tuple[Gauge, Claim]]:
        """Return the claims of a run on any gauge, by the gauge of the run."""
        every = list(self._claims.items())
        return [(gauge, each) for gauge, claims in every for each in tuple(claims) if each.owner is own]

    @in_turn
    def give_up(self, gauge: Gauge, claim: Claim) -> None:
        """Note that a run no longer needs a gauge.

        Args:
            gauge: The gauge.
            claim: The devices of the run.
        """
        claims = self._claims.get(gauge, set())
        if any(each.devices for each in tuple(claims) if each is not claim):
            claims.discard(claim)
        else:
            self._claims.pop(gauge, None)

    @in_turn
    def needed(self, gauge: Gauge) -> frozenset[str]:
        """Return the devices of a gauge that runs need.

        Args:
            gauge: The gauge.
        """
        return frozenset[str]().union(*(each.devices for each in tuple(self._claims.get(gauge, ()))))


def _agree(one: Clock, other: Clock) -> bool:
    """Return whether two clocks are the same. Only then, devices of one name are the same device."""
    return one is other or (type(one) is SystemClock and type(other) is SystemClock)


REGISTRY: Final = Registry()


def _forget() -> None:
    """Begin anew in a forked child, which has no reading thread, and in which any lock may be held."""
    REGISTRY.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
