"""Event files that this package writes itself, without any library.

A file is a sequence of records in TensorFlow's format *TFRecord*
(https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details). All numbers are little-endian.

| bytes | content                                    |
|-------|--------------------------------------------|
| 8     | length *n* of the payload                  |
| 4     | masked checksum of these 8 bytes           |
| n     | payload, which is one serialized ``Event`` |
| 4     | masked checksum of the payload             |

The checksum is CRC32C, as in iSCSI (RFC 3720, section 12.1). Checksums are masked, because the checksum of data that
hold checksums is weak. The mask rotates right by 15 bits and adds 0xA282EAD8.
"""

import os
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from green_callbacks.sinks.tensorboard.chart_layout import Layout
from green_callbacks.sinks.tensorboard.event_encoding import (
    layout_event,
    restart_event,
    scalars_event,
    text_event,
    version_event,
)
from green_callbacks.text import plain_name

_CRC32C_POLYNOMIAL: Final = 0x82F63B78
"""Polynomial 0x1EDC6F41 of CRC32C with its bits reversed (RFC 3720)."""

_MASK_DELTA: Final = 0xA282EAD8
"""Number that TensorFlow's mask adds to a checksum."""

_32_BITS: Final = 0xFFFF_FFFF
"""Mask of 32 bits."""

_NANOSECONDS_PER_SECOND: Final = 10**9
"""Nanoseconds in a second."""


class EventFile:
    """Writes one new event file. It has no thread and no queue that a killed process would lose.

    Args:
        folder: Folder of the file. It is made if missing.

    Raises:
        OSError: The file cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = (folder / _file_name()).open("xb")
        try:
            self._append(version_event(time.time()))
            self.flush()
        except OSError:
            with suppress(OSError):  # close() tries once more to write
                self._file.close()
            raise

    def scalars(self, values: Mapping[str, float], step: int, wall_seconds: float) -> None:
        """Add one point to the curve of every tag, in a single event."""
        self._append(scalars_event(values, step, wall_seconds))

    def restart(self, step: int, wall_seconds: float) -> None:
        """Drop all points from a step on, because the run repeats itself from there."""
        self._append(restart_event(step, wall_seconds))

    def text(self, tag: str, markdown: str, wall_seconds: float) -> None:
        """Add a page or a new version of it."""
        self._append(text_event(tag, markdown, wall_seconds))

    def layout(self, charts: Layout, wall_seconds: float) -> None:
        """Set the layout of the custom scalars."""
        self._append(layout_event(charts, wall_seconds))

    def flush(self) -> None:
        """Write everything to the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _append(self, event: bytes) -> None:
        self._file.write(framed(event))


def framed(payload: bytes) -> bytes:
    """Make a record of a payload.

    Args:
        payload: Any bytes.

    Returns:
        Length, checksum of the length, payload, and checksum of the payload.
    """
    length = struct.pack("<Q", len(payload))
    return b"".join((length, _masked_checksum(length), payload, _masked_checksum(payload)))


def crc32c(data: bytes) -> int:
    """Compute the CRC32C of some bytes.

    Args:
        data: Any bytes.

    Returns:
        The checksum, of 32 bits.
    """
    crc = _32_BITS
    for byte in data:
        crc = crc >> 8 ^ _REMAINDERS[(crc ^ byte) & 0xFF]
    return crc ^ _32_BITS


def _masked_checksum(data: bytes) -> bytes:
    crc = crc32c(data)
    rotated = crc >> 15 | crc << 17
    return struct.pack("<I", rotated + _MASK_DELTA & _32_BITS)


def _remainder(byte: int) -> int:
    """Divide the polynomial that a byte represents by the polynomial of CRC32C."""
    for _ in range(8):
        byte = byte >> 1 ^ (_CRC32C_POLYNOMIAL if byte & 1 else 0)
    return byte


_REMAINDERS: Final = tuple(map(_remainder, range(256)))


def _file_name() -> str:
    """Return a unique file name that sorts after earlier names, because TensorBoard reads files in that order."""
    import socket  # slow to import

    seconds, nanoseconds = divmod(time.time_ns(), _NANOSECONDS_PER_SECOND)
    host = plain_name(socket.gethostname() or "host")
    return f"events.out.tfevents.{seconds:010d}.{nanoseconds:09d}.{host}.{os.getpid()}"
