"""Event files of our own: TensorFlow's record framing around hand-encoded events, with no library at all.

A file is a sequence of records, in the format that TensorFlow documents as *TFRecord*
(https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details), little-endian throughout:

====== ==================================
bytes  content
====== ==================================
8      length *n* of the payload
4      masked checksum of these 8 bytes
n      payload: one serialised ``Event``
4      masked checksum of the payload
====== ==================================

The checksum is CRC32C, the one of iSCSI (RFC 3720, section 12.1; polynomial 0x1EDC6F41, here with its bits reversed).
The mask keeps a checksum from being taken over data that hold checksums themselves; it rotates right by 15 bits and
adds 0xA282EAD8.
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
_MASK_DELTA: Final = 0xA282EAD8
_32_BITS: Final = 0xFFFF_FFFF
_NANOSECONDS_PER_SECOND: Final = 10**9


class EventFile:
    """Writes one new event file, with no thread and no queue that a killed process would lose.

    Args:
        folder: Where the file lies; made if missing.

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
            with suppress(OSError):  # it tries once more to write
                self._file.close()
            raise

    def scalars(self, values: Mapping[str, float], step: int, wall_seconds: float) -> None:
        """Add one point to the curve of every tag, all in one event."""
        self._append(scalars_event(values, step, wall_seconds))

    def restart(self, step: int, wall_seconds: float) -> None:
        """Drop all points at a step and behind it: what they show is done again."""
        self._append(restart_event(step, wall_seconds))

    def text(self, tag: str, markdown: str, wall_seconds: float) -> None:
        """Add a page, or a new version of it."""
        self._append(text_event(tag, markdown, wall_seconds))

    def layout(self, charts: Layout, wall_seconds: float) -> None:
        """Set the layout of the custom scalars."""
        self._append(layout_event(charts, wall_seconds))

    def flush(self) -> None:
        """Hand everything to the operating system, and the disk."""
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
        Length, checksum of the length, payload and checksum of the payload.
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
    """Divide the polynomial that a byte stands for by that of CRC32C."""
    for _ in range(8):
        byte = byte >> 1 ^ (_CRC32C_POLYNOMIAL if byte & 1 else 0)
    return byte


_REMAINDERS: Final = tuple(map(_remainder, range(256)))


def _file_name() -> str:
    """Name a file that no other has, and that sorts after those before it: TensorBoard reads them in that order."""
    import socket  # slower to import than all of the sinks

    seconds, nanoseconds = divmod(time.time_ns(), _NANOSECONDS_PER_SECOND)
    host = plain_name(socket.gethostname() or "host")
    return f"events.out.tfevents.{seconds:010d}.{nanoseconds:09d}.{host}.{os.getpid()}"
