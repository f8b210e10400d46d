"""Division of a device's energy between the runs that have it at the same time."""

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from green_callbacks.measurement.device_tally import Share, Tally


class Claim:
    """The devices of a gauge that one run counts.

    Args:
        devices: The names of the devices.
        owner: The gauge of the run. Defaults to none.
    """

    def __init__(self, devices: frozenset[str], owner: object = None) -> None:
        self.devices = devices
        self.owner = owner


class Shared(NamedTuple):
    """A device that several runs have, or had.

    Attributes:
        shares: The energy so far of each run that has it now.
        company: Number of runs that had it at the same time since the last answer of its source. The energy of the next
            answer belongs to all of them.
    """

    shares: Mapping[Claim, Share]
    company: int = 0


class State(NamedTuple):
    """The state of a gauge at its last reading. It never changes, because a reading replaces it.

    Attributes:
        seconds: Monotonic time of the reading, in s.
        tallies: Tally of the whole device, by device.
        claims: The runs that measure by it.
        shared: The devices that several runs have, or had.
        ended: The last tallies of runs that have ended.
    """

    seconds: float
    tallies: Mapping[str, Tally]
    claims: tuple[Claim, ...] = ()
    shared: Mapping[str, Shared] = {}
    ended: Mapping[Claim, Mapping[str, Tally]] = {}

    def went_on(self, seconds: float, tallies: Mapping[str, Tally]) -> "State":
        """Return the state after another reading.

        Args:
            seconds: Monotonic time of the reading, in s.
            tallies: The tallies.
        """
        shared = self.shared
        if shared:
            has_passed = seconds > self.seconds
            shared = {
                name: _divided(each, self.tallies[name], tallies[name], has_passed=has_passed)
                for name, each in shared.items()
            }
        return State(seconds, tallies, self.claims, shared, self.ended)

    def joined(self, claim: Claim) -> "State":
        """Return the state after a run has joined.

        Args:
            claim: Its devices. It gets a part of their energy from now on.
        """
        shared = dict(self.shared)
        for name in claim.devices & self.tallies.keys():
            joules = self.tallies[name].joules
            begun = Share(joules, joules)
            before = shared.get(name)
            had = before.shares if before else {each: begun for each in self.claims if name in each.devices}
            if had or before:
                shared[name] = Shared({**had, claim: begun}, before.company if before else 0)
        return self._replace(claims=(*(each for each in self.claims if each is not claim), claim), shared=shared)

    def left(self, claim: Claim) -> "State":
        """Return the state after a run has ended. Its tallies stay as they are.

        Args:
            claim: Its devices.
        """
        if claim not in self.claims:
            return self
        shared = {
            name: each._replace(shares={other: share for other, share in each.shares.items() if other is not claim})
            for name, each in self.shared.items()
        }
        claims = tuple(each for each in self.claims if each is not claim)
        return self._replace(claims=claims, shared=shared, ended={**self.ended, claim: self.tallies_of(claim)})

    def without(self, devices: Collection[str]) -> "State":
        """Return the state without some devices, which no run counts.

        Args:
            devices: The devices.
        """
        tallies = {name: tally for name, tally in self.tallies.items() if name not in devices}
        shared = {name: each for name, each in self.shared.items() if name not in devices}
        return self._replace(tallies=tallies, shared=shared)

    def forgot(self, claim: Claim) -> "State":
        """Return the state without an ended run.

        Args:
            claim: Its devices.
        """
        gone = self.left(claim)
        return gone._replace(ended={each: tallies for each, tallies in gone.ended.items() if each is not claim})

    def tallies_of(self, claim: Claim) -> Mapping[str, Tally]:
        """Return the tallies of a run, with its own part of each device, up to now or to its end.

        Args:
            claim: Its devices.
        """
        if claim in self.ended:
            return self.ended[claim]
        tallies = {name: self.tallies[name] for name in claim.devices if name in self.tallies}
        for name, (shares, _) in self.shared.items():
            share = shares.get(claim)
            if share is not None:
                tallies[name] = tallies[name]._replace(joules=share.joules, share=share)
        return tallies


NOTHING: Final = State(0.0, {})
"""The state before the first reading."""


def _divided(device: Shared, before: Tally, now: Tally, *, has_passed: bool) -> Shared:
    """Divide the energy of a device since the last reading in equal parts between the runs that have it.

    Args:
        device: The runs that have it.
        before: Its tally at the last reading.
        now: Its tally now.
        has_passed: Whether any time has passed since.
    """
    shares, company = device
    company = max(company, len(shares))
    joules = now.joules - before.joules
    if shares and (joules or has_passed):
        part = joules / len(shares)
        alone, others, readings = (part, 0.0, 0) if company == 1 else (0.0, joules - part, 1)
        shares = {
            claim: Share(had + part, had_alone + alone, had_others + others, had_readings + readings)
            for claim, (had, had_alone, had_others, had_readings) in shares.items()
        }
    return Shared(shares, 0 if now.reading.reason is None else company)
