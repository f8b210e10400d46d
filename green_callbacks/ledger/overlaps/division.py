"""Counts how many processes have measured a device at each time, and divides its energy equally between them."""

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple


class Company(NamedTuple):
    """How many processes measured a device, from one time to the next.

    Attributes:
        times: Times at which the number changed, in s since 1970, in order.
        counts: The number from each of these times on.
        parts: Time of one process's part up to each of these times, in s.
    """

    times: Sequence[float]
    counts: Sequence[int]
    parts: Sequence[float]

    @classmethod
    def of(cls, spans: Mapping[Hashable, Iterable[tuple[float, float]]]) -> "Company":
        """Count the processes.

        Args:
            spans: When each process measured the device, as beginnings and ends in s since 1970.
        """
        edges: list[tuple[float, int]] = []
        for each in spans.values():
            for began, ended in _united(each):
                edges += [(began, 1), (ended, -1)]
        times: list[float] = []
        counts: list[int] = []
        parts: list[float] = []
        count, part, last = 0, 0.0, None
        for at, change in sorted(edges):
            if last is not None and at > last:
                part += (at - last) / max(count, 1)
            count += change
            if at == last:
                counts[-1] = count
            else:
                times.append(at)
                counts.append(count)
                parts.append(part)
            last = at
        return cls(times, counts, parts)

    def share(self, began: float, ended: float) -> float:
        """Return the part of one of the processes in the energy of a time, 0 to 1.

        Args:
            began: Beginning, in s since 1970.
            ended: End, in s since 1970.
        """
        if ended <= began:
            return 1.0 / max(self._count(began), 1)
        return min(1.0, (self._part(ended) - self._part(began)) / (ended - began))

    def within(self, began: float, ended: float) -> list[tuple[float, int]]:
        """Return the numbers within a time, with the time from which on each holds.

        Args:
            began: Beginning, in s since 1970.
            ended: End, in s since 1970.
        """
        first, last = bisect_right(self.times, began), bisect_right(self.times, ended)
        later = zip(self.times[first:last], self.counts[first:last], strict=True)
        return [(began, self._count(began)), *((at, count) for at, count in later if at < ended)]

    def _count(self, at: float) -> int:
        place = bisect_right(self.times, at) - 1
        return self.counts[place] if place >= 0 else 0

    def _part(self, at: float) -> float:
        place = bisect_right(self.times, at) - 1
        if place < 0:  # before anybody measured
            return at - self.times[0] if self.times else at
        return self.parts[place] + (at - self.times[place]) / max(self.counts[place], 1)


def _united(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return spans without overlaps, for the runs of one process."""
    found: list[tuple[float, float]] = []
    for began, ended in sorted(spans):
        if found and began <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], ended))
        else:
            found.append((began, ended))
    return found
