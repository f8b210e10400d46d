"""Reads event files with no library, for tests of what writes them; checksums are left to TensorBoard itself."""

import struct
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple


class Point(NamedTuple):
    """A point of a curve."""

    step: int
    value: float
    wall_seconds: float


@dataclass
class Events:
    """What the event files of a folder hold."""

    scalars: dict[str, list[Point]] = field(default_factory=lambda: defaultdict(list))
    strings: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    versions: list[str] = field(default_factory=list)
    restarts: list[int] = field(default_factory=list)

    def points(self, tag: str) -> list[tuple[int, float]]:
        return [(point.step, point.value) for point in self.scalars.get(tag, ())]

    def steps(self, tag: str) -> list[int]:
        return [point.step for point in self.scalars.get(tag, ())]

    @property
    def pages(self) -> list[str]:
        return [page.decode() for page in self.strings["green/provenance/text_summary"]]

    @property
    def layouts(self) -> list[dict[str, list[str]]]:
        """The layouts of the custom scalars, each as tags by title of a chart."""
        return [_charts(layout) for layout in self.strings["custom_scalars__config__"]]


def read_events(folder: Path) -> Events:
    """Read all event files of a folder in the order of their names, as TensorBoard does."""
    events = Events()
    for file in sorted(folder.glob("*tfevents*")):
        for payload in records(file.read_bytes()):
            _add(events, fields(payload))
    return events


def records(content: bytes) -> list[bytes]:
    """Take the payloads out of their frames."""
    payloads = []
    while content:
        (length,) = struct.unpack_from("<Q", content)
        payloads.append(content[12 : 12 + length])
        assert len(content) >= 16 + length, "the last record is not whole"
        content = content[16 + length :]
    return payloads


def fields(message: bytes) -> dict[int, list[Any]]:
    """Take a protocol buffer apart: whole numbers, and the bytes of everything else, by field number."""
    found = defaultdict(list)
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        if key & 7 == 0:
            value, at = _varint(message, at)
            found[key >> 3].append(value)
        else:
            size, at = _varint(message, at) if key & 7 == 2 else ({1: 8, 5: 4}[key & 7], at)
            assert at + size <= len(message), "a field ends behind its message"
            found[key >> 3].append(message[at : at + size])
            at += size
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _add(events: Events, event: dict[int, list[Any]]) -> None:
    (wall_seconds,) = struct.unpack("<d", event[1][0])
    events.versions += [version.decode() for version in event[3]]
    if event[7]:
        _restart(events, event[2][0])
    for summary in event[5]:
        for value in map(fields, fields(summary)[1]):
            tag = value[1][0].decode()
            if value[8]:
                events.strings[tag] += fields(value[8][0])[8]
            else:
                (number,) = struct.unpack("<f", value[2][0])
                (step,) = struct.unpack("<q", struct.pack("<Q", event[2][0]))
                events.scalars[tag].append(Point(step, number, wall_seconds))


def _restart(events: Events, step: int) -> None:
    """Drop what stands at a step and behind it, as TensorBoard does at the start of a session."""
    events.restarts.append(step)
    for tag, points in events.scalars.items():
        events.scalars[tag] = [point for point in points if point.step < step]


def _charts(layout: bytes) -> dict[str, list[str]]:
    """The tags of each chart, of all categories."""
    charts = [fields(chart) for category in fields(layout)[2] for chart in fields(category)[2]]
    return {chart[1][0].decode(): _tags(chart) for chart in charts}


def _tags(chart: dict[int, list[Any]]) -> list[str]:
    if chart[3]:  # a margin: one series of a value, its lower and its upper bound
        (series,) = fields(chart[3][0])[1]
        return [fields(series)[number][0].decode() for number in (1, 2, 3)]
    return [tag.decode() for tag in fields(chart[2][0])[1]]
